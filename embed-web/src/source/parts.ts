// Takes `multipart/x-mixed-replace` apart as the server sends it to programs: every part with its length. No
// network.

/** Most bytes of a part's header. */
const MAX_HEADER = 4_096;
/** Most bytes of a picture: above what any server of ours lets in by default, and a bound for what is no server of ours. */
const MAX_PICTURE = 32 * 1024 * 1024;

export interface Part {
  /** Names in lower case. */
  headers: ReadonlyMap<string, string>;
  body: Uint8Array<ArrayBuffer>;
}

const text = new TextDecoder();

/** Throws a `RangeError` at what is not such a stream. */
export class PartReader {
  #held: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #headers: ReadonlyMap<string, string> | undefined;
  #wanted = 0;

  /** The parts that are whole now. */
  *push(chunk: Uint8Array): Generator<Part> {
    const held = new Uint8Array(this.#held.length + chunk.length);
    held.set(this.#held);
    held.set(chunk, this.#held.length);
    this.#held = held;
    for (;;) {
      if (this.#headers === undefined && !this.#readHeader()) return;
      if (this.#headers === undefined || this.#held.length < this.#wanted) return;
      const part = { headers: this.#headers, body: this.#held.slice(0, this.#wanted) };
      this.#held = this.#held.slice(this.#wanted);
      this.#headers = undefined;
      yield part;
    }
  }

  #readHeader(): boolean {
    const end = endOfHeader(this.#held);
    if (end < 0) {
      if (this.#held.length > MAX_HEADER) throw new RangeError("a part's header without an end");
      return false;
    }
    const lines = text.decode(this.#held.subarray(0, end)).split("\r\n").map((line) => /^([^:]+):\s*(.*)$/.exec(line));
    this.#headers = new Map(lines.flatMap((line) => (line === null ? [] : [[(line[1] ?? "").toLowerCase(), line[2] ?? ""] as const])));
    this.#wanted = Number(this.#headers.get("content-length") ?? "NaN");
    if (!(this.#wanted >= 0 && this.#wanted <= MAX_PICTURE)) throw new RangeError("a part without a usable length");
    this.#held = this.#held.slice(end);
    return true;
  }
}

/** Where the bytes after the empty line begin; -1 while there is none. */
function endOfHeader(bytes: Uint8Array): number {
  for (let at = 0; at + 3 < bytes.length && at <= MAX_HEADER; at += 1) {
    if (bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at + 4;
  }
  return -1;
}
