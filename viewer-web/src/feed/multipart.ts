// Takes an endless multipart answer apart into its parts, by their `Content-Length`. Bytes only. RFC 2046, 5.1.

/** A header longer than this is none of ours. */
const MAX_HEADER_BYTES = 4 << 10;
/** The largest picture a server can be set to take. */
const MAX_PART_BYTES = 64 << 20;

export interface Part {
  /** Names in lower case. */
  headers: Map<string, string>;
  body: Uint8Array<ArrayBuffer>;
}

const latin1 = new TextDecoder("latin1");

export class PartReader {
  /** Header bytes so far, or `undefined` while a body is being read. */
  #header: Uint8Array<ArrayBuffer> | undefined = new Uint8Array(0);
  #part: Part | undefined;
  #filled = 0;

  /** The parts that these bytes complete. Throws an `Error` where they are not such an answer. */
  push(bytes: Uint8Array): Part[] {
    const parts: Part[] = [];
    let rest = bytes;
    while (rest.byteLength > 0) {
      if (this.#part === undefined) {
        rest = this.#readHeader(rest);
        continue;
      }
      const taken = rest.subarray(0, this.#part.body.byteLength - this.#filled);
      this.#part.body.set(taken, this.#filled);
      this.#filled += taken.byteLength;
      rest = rest.subarray(taken.byteLength);
      if (this.#filled < this.#part.body.byteLength) continue;
      parts.push(this.#part);
      this.#part = undefined;
      this.#header = new Uint8Array(0);
    }
    return parts;
  }

  /** Takes bytes up to the header's end; returns those after it. */
  #readHeader(bytes: Uint8Array): Uint8Array {
    const before = this.#header ?? new Uint8Array(0);
    const header = new Uint8Array(before.byteLength + Math.min(bytes.byteLength, MAX_HEADER_BYTES + 1));
    header.set(before);
    header.set(bytes.subarray(0, header.byteLength - before.byteLength), before.byteLength);
    const text = latin1.decode(header);
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) {
      if (header.byteLength > MAX_HEADER_BYTES) throw new Error("a part's header has no end");
      this.#header = header;
      return bytes.subarray(bytes.byteLength);
    }
    const headers = new Map<string, string>();
    for (const line of text.slice(0, end).split("\r\n")) {
      const colon = line.indexOf(":");
      if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
    }
    const length = Number(headers.get("content-length") ?? "");
    if (!Number.isInteger(length) || length < 1 || length > MAX_PART_BYTES) throw new Error("a part without a usable Content-Length");
    this.#part = { headers, body: new Uint8Array(length) };
    this.#filled = 0;
    this.#header = undefined;
    return bytes.subarray(end + 4 - before.byteLength);
  }
}
