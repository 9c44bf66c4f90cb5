// Starts the page.

import "@framecast/shared/theme.css";
import "./ui/viewer.css";
import { render } from "preact";
import { FEED_KINDS, type LinkChoice } from "./feed/ladder.ts";
import { Arrangement } from "./mosaic/arrangement.ts";
import { Route } from "./route.ts";
import { exposeStats } from "./stats-handle.ts";
import { App } from "./ui/app.tsx";
import { readPlayChoice } from "./video/ladder.ts";
import { Wall } from "./wall.ts";

const query = new URLSearchParams(location.search);
/** `?transport=ws|mjpeg|rest` forces one way. */
const choice: LinkChoice = FEED_KINDS.find((kind) => kind === query.get("transport")) ?? "auto";
/** `?thread=page` decodes on the page's own thread, as browsers without canvases for workers do. */
const thread = query.get("thread") === "page" ? "page" : "worker";

/** `?videos=4`: at most so many play at a time. */
const mostVideos = Number(query.get("videos") ?? "") || undefined;

const wall = new Wall(choice, thread, readPlayChoice(query), mostVideos);
exposeStats(wall);
// The connection opens while the page is still being laid out.
wall.start();

const root = document.getElementById("app");
if (root !== null) render(<App wall={wall} route={new Route()} arrangement={new Arrangement()} />, root);
