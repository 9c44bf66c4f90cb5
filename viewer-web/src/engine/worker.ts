// The engine's own thread: commands in, words out.

import { Engine } from "./engine.ts";
import type { Command } from "./messages.ts";

// The page's types say `Window`; here it is a worker's scope.
const scope = globalThis as unknown as { postMessage: (word: unknown, transfer: Transferable[]) => void; addEventListener: (type: "message", heard: (event: MessageEvent<Command>) => void) => void };

const engine = new Engine((word, transfer) => scope.postMessage(word, transfer));
scope.addEventListener("message", ({ data }) => engine.obey(data));
