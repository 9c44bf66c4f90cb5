// The script that pages load: defines <framecast-view>.

import { FramecastView, setHome } from "./element.ts";

// A classic script knows where it came from, and cameras are most likely there too.
const { currentScript } = document;
if (currentScript instanceof HTMLScriptElement && currentScript.src !== "") setHome(new URL(".", currentScript.src));

// A page may load the script twice.
if (customElements.get("framecast-view") === undefined) customElements.define("framecast-view", FramecastView);
