// What is inside the element: picture, badge, words. It shows what it is told and decides nothing.

import type { Status } from "./status.ts";

const STYLE = `
:host { display: block; position: relative; overflow: hidden; aspect-ratio: 4 / 3; background: #0b0d0e; color: #f1f4f4;
  font: 400 14px/1.4 ui-sans-serif, system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
:host([hidden]) { display: none; }
canvas { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
:host([fit="cover"]) canvas { object-fit: cover; }
:host([fit="fill"]) canvas { object-fit: fill; }
canvas.dim { filter: grayscale(1); opacity: .4; }
.badge { position: absolute; top: 8px; left: 8px; display: flex; align-items: center; gap: 6px; padding: 2px 8px; border-radius: 6px;
  background: #000000b8; font-size: 12px; font-weight: 600; font-variant-numeric: tabular-nums; }
:host([badge="off"]) .badge { display: none; }
.badge i { width: 8px; height: 8px; border-radius: 50%; background: #e5b455; }
.badge[data-tone="live"] i { background: #5ecb8f; }
.badge[data-tone="bad"] i { background: #ff8f84; }
.words { position: absolute; inset: 0; display: flex; flex-direction: column; align-items: center; justify-content: center; gap: 2px;
  padding: 16px; text-align: center; text-wrap: balance; overflow-wrap: anywhere; text-shadow: 0 0 6px #000, 0 0 2px #000; }
.words b { font-size: 16px; font-weight: 600; }
`;

export class Screen {
  readonly #canvas = document.createElement("canvas");
  readonly #badge = document.createElement("span");
  readonly #badgeText = document.createTextNode("");
  readonly #words = document.createElement("div");
  readonly #title = document.createElement("b");
  readonly #detail = document.createElement("span");

  constructor(root: ShadowRoot) {
    // Not a <style>: the policy of the page around may forbid those.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.#canvas.setAttribute("role", "img");
    this.#badge.className = "badge";
    this.#badge.append(document.createElement("i"), this.#badgeText);
    this.#words.className = "words";
    this.#words.setAttribute("role", "status");
    this.#words.append(this.#title, this.#detail);
    root.append(this.#canvas, this.#words, this.#badge);
  }

  draw(bitmap: ImageBitmap): void {
    const canvas = this.#canvas;
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
    }
    canvas.getContext("2d", { alpha: false, desynchronized: true })?.drawImage(bitmap, 0, 0);
  }

  show({ tone, badge, title, detail }: Status, name: string): void {
    this.#badge.dataset["tone"] = tone;
    set(this.#badgeText, badge);
    set(this.#title, title);
    set(this.#detail, detail);
    this.#canvas.classList.toggle("dim", title !== "");
    const label = `${name}: ${badge}`;
    if (this.#canvas.ariaLabel !== label) this.#canvas.ariaLabel = label;
  }
}

/** Untouched where nothing changed, so that nothing is read aloud twice. */
function set(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}
