// Opens a way to a camera's video.

import { openHls } from "./hls-way.ts";
import type { OpenWay } from "./way.ts";
import { openWhep } from "./whep-way.ts";

export const openWay: OpenWay = (rung, camera, video, events) => (rung === "whep" ? openWhep(camera, video, events) : openHls(camera, video, events));
