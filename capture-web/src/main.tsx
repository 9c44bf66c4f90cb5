// Starts the page.

import "@framecast/shared/theme.css";
import "./ui/capture.css";
import { render } from "preact";
import { readOptions } from "./options.ts";
import { recall } from "./remembered.ts";
import { Station } from "./station.ts";
import { exposeStats } from "./stats-handle.ts";
import { App } from "./ui/app.tsx";

const options = readOptions(new URLSearchParams(location.search), recall());

const preview = document.createElement("video");
preview.muted = true;
preview.playsInline = true;
preview.className = "preview-video";

const station = new Station(preview, options);
exposeStats(station);

const root = document.getElementById("app");
if (root !== null) render(<App station={station} options={options} />, root);
