// Starts the page.

import "@framecast/shared/theme.css";
import "./ui/viewer.css";
import { render } from "preact";
import type { LinkChoice } from "./feed/link.ts";
import { Route } from "./route.ts";
import { exposeStats } from "./stats-handle.ts";
import { App } from "./ui/app.tsx";
import { Wall } from "./wall.ts";

/** `?transport=ws|rest` forces one way. */
function linkChoice(): LinkChoice {
  const wanted = new URLSearchParams(location.search).get("transport");
  return wanted === "ws" || wanted === "rest" ? wanted : "auto";
}

const wall = new Wall(linkChoice());
exposeStats(wall);
// The connection opens while the page is still being laid out.
wall.start();

const root = document.getElementById("app");
if (root !== null) render(<App wall={wall} route={new Route()} />, root);
