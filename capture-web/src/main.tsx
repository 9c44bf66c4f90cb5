// Starts the page.

import "@framecast/shared/theme.css";
import "./ui/capture.css";
import { render } from "preact";
import { DEFAULT_OPTIONS, readOptions } from "./options.ts";
import { recall } from "./remembered.ts";
import { Station } from "./station.ts";
import { exposeStats } from "./stats-handle.ts";
import { App } from "./ui/app.tsx";

const remembered = recall();
const options = readOptions(new URLSearchParams(location.search), {
  ...DEFAULT_OPTIONS,
  camera: remembered.camera ?? DEFAULT_OPTIONS.camera,
  name: remembered.name ?? DEFAULT_OPTIONS.name,
});

const preview = document.createElement("video");
preview.muted = true;
preview.playsInline = true;
preview.className = "preview-video";

const station = new Station(preview);
exposeStats(station);

const root = document.getElementById("app");
if (root !== null) render(<App station={station} options={options} deviceId={remembered.deviceId ?? ""} />, root);
