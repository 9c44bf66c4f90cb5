// Writes frame.json and part.json: `node tests/vectors/make.mjs`.
//
// It knows the layouts of docs/protocol.md by itself and imports neither the pages' code nor anything
// generated from the server's, so a mistake made there cannot creep in here. Add a case, run it, look
// at the diff, and mend both sides.
import { writeFileSync } from "node:fs";

const SMALL = Buffer.from("/9j/4AAQSkZJRgABAgAAAQABAAD/2wBDAAg+Pkk+SVVVVVVVVWRdZGhoaGRkZGRoaGhwcHCDg4NwcHBoaHBwfHyDg4+Tj4eHg4eTk5ubm7q6srLZ2eD/////xABkAAEBAQAAAAAAAAAAAAAAAAAHAgYBAQEAAAAAAAAAAAAAAAAAAAIDEAABAwQDAQAAAAAAAAAAAAACEQABMjETA1EhYUERAAEDAwUBAAAAAAAAAAAAABEDAAEhIwJhwdFBQlH/wAARCAAIABADASIAAhEAAxEA/9oADAMBAAIRAxEAPwDLxrLFHX3xo2QY2xK2Vb8OxoFnhVkyndivgga/XYlaMOoO/L//2Q==", "base64"); // 16x8
const OTHER = Buffer.from("/9j/4AAQSkZJRgABAgAAAQABAAD/2wBDAAg+Pkk+SVVVVVVVVWRdZGhoaGRkZGRoaGhwcHCDg4NwcHBoaHBwfHyDg4+Tj4eHg4eTk5ubm7q6srLZ2eD/////xABKAAEAAAAAAAAAAAAAAAAAAAAAAQEAAAAAAAAAAAAAAAAAAAAAEAEAAAAAAAAAAAAAAAAAAAAAEQEAAAAAAAAAAAAAAAAAAAAA/8AAEQgAIAAwAwEiAAIRAAMRAP/aAAwDAQACEQMRAD8AAAAAAAAAAAAA/9k=", "base64"); // 48x32
const U64_MAX = 0xffff_ffff_ffff_ffffn;

const u8 = (value) => Buffer.from([value]);
const u16 = (value) => { const b = Buffer.alloc(2); b.writeUInt16LE(value); return b; };
const u32 = (value) => { const b = Buffer.alloc(4); b.writeUInt32LE(value); return b; };
const u64 = (value) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(value); return b; };
const hex = (buffer) => buffer.toString("hex");

// ---------------------------------------------------------------- frame.json: server to viewer

function frameMessage(f) {
  return Buffer.concat([
    u8(f.version ?? 1), u8(f.kind ?? 1), u16(f.flags ?? 0), u64(f.seq), u64(f.captured_us), u64(f.received_us),
    u16(f.width), u16(f.height), u8(f.id_len ?? f.id.length), f.id, f.jpeg,
  ]);
}

const base = {
  seq: 1n, captured_us: 1_735_689_600_000_000n, received_us: 1_735_689_600_004_321n,
  width: 16, height: 8, id: Buffer.from("door"), jpeg: SMALL,
};

const goodFrame = (name, change = {}) => {
  const f = { ...base, ...change };
  return {
    name, flags: f.flags ?? 0, seq: `${f.seq}`, captured_us: `${f.captured_us}`, received_us: `${f.received_us}`,
    width: f.width, height: f.height, camera: f.id.toString(), jpeg_hex: hex(f.jpeg), message_hex: hex(frameMessage(f)),
  };
};
const badFrame = (name, error, change) => ({ name, error, message_hex: hex(frameMessage({ ...base, ...change })) });
const cutFrame = (name, length) => ({ name, error: "short", message_hex: hex(frameMessage(base).subarray(0, length)) });

const frames = [
  goodFrame("a frame"),
  goodFrame("another size", { seq: 30_000n, width: 48, height: 32, id: Buffer.from("yard-2"), jpeg: OTHER }),
  goodFrame("capture time unknown", { seq: 2n, captured_us: 0n }),
  goodFrame("one-letter camera id", { id: Buffer.from("7") }),
  goodFrame("longest camera id", { id: Buffer.from(`North.Gate_${"x".repeat(53)}`) }),
  goodFrame("numbers above 2^53", { seq: 9_007_199_254_740_993n, captured_us: 9_007_199_254_740_995n, received_us: 9_007_199_254_740_997n }),
  goodFrame("largest header values", { seq: U64_MAX, captured_us: U64_MAX, received_us: U64_MAX, width: 65_535, height: 65_535 }),
  goodFrame("unknown flags are ignored", { flags: 0x8001 }),
  cutFrame("empty message", 0),
  cutFrame("header cut before the id length", 32),
  cutFrame("id cut", 35),
  cutFrame("no JPEG after the id", 37),
  badFrame("id longer than the message", "short", { id_len: 255, jpeg: Buffer.from("ffd8", "hex") }),
  badFrame("version 2", "version", { version: 2 }),
  badFrame("version 0", "version", { version: 0 }),
  badFrame("a part is not a frame", "kind", { kind: 2 }),
  badFrame("no id", "camera", { id: Buffer.alloc(0) }),
  badFrame("id of 65 letters", "camera", { id: Buffer.from("x".repeat(65)) }),
  badFrame("id starting with a dot", "camera", { id: Buffer.from(".door") }),
  badFrame("id with a slash", "camera", { id: Buffer.from("a/b") }),
  badFrame("id that is not UTF-8", "camera", { id: Buffer.from("64fe6f72", "hex") }),
];

// ---------------------------------------------------------------- part.json: publisher to server

function partMessage(p) {
  return Buffer.concat([
    u8(p.version ?? 1), u8(p.kind ?? 2), u16(p.part), u16(p.parts), u16(p.flags ?? 0), u32(p.frame_len),
    u64(p.seq ?? 7n), u64(p.captured_us ?? 1_735_689_600_000_000n), p.payload,
  ]);
}

function goodParts(name, { seq, captured_us = 1_735_689_600_000_000n, jpeg = SMALL, limit, flags = 0 }) {
  const parts = Math.ceil(jpeg.length / limit);
  const each = Math.ceil(jpeg.length / parts);
  const messages = Array.from({ length: parts }, (_, part) => hex(partMessage({
    part, parts, flags, frame_len: jpeg.length, seq, captured_us, payload: jpeg.subarray(part * each, (part + 1) * each),
  })));
  return { name, flags, seq: `${seq}`, captured_us: `${captured_us}`, jpeg_hex: hex(jpeg), part_payload_limit: limit, parts: messages };
}
const badPart = (name, error, p) => ({ name, error, message_hex: hex(partMessage(p)) });
const bytes = (n) => Buffer.alloc(n, 0xab);
const whole = { part: 0, parts: 1, frame_len: 4, payload: bytes(4) };

const parts = [
  goodParts("one part", { seq: 1n, limit: 262_116 }),
  goodParts("limit equal to the frame", { seq: 2n, limit: SMALL.length }),
  goodParts("limit one byte below the frame", { seq: 3n, limit: SMALL.length - 1 }),
  goodParts("equal parts", { seq: 4n, jpeg: OTHER.subarray(0, 200), limit: 50 }),
  goodParts("a shorter last part", { seq: 5n, jpeg: OTHER.subarray(0, 199), limit: 60 }),
  goodParts("even out rather than fill the limit", { seq: 6n, jpeg: OTHER.subarray(0, 200), limit: 190 }),
  goodParts("a last part of one byte", { seq: 7n, jpeg: OTHER.subarray(0, 10), limit: 3 }),
  goodParts("a frame of one byte", { seq: 8n, jpeg: OTHER.subarray(0, 1), limit: 100 }),
  goodParts("parts of one byte", { seq: 9n, jpeg: OTHER.subarray(0, 5), limit: 1 }),
  goodParts("capture time unknown", { seq: 10n, captured_us: 0n, limit: 1000 }),
  goodParts("numbers above 2^53", { seq: 9_007_199_254_740_993n, captured_us: 9_007_199_254_740_995n, limit: 150 }),
  goodParts("largest sequence and time", { seq: U64_MAX, captured_us: U64_MAX, limit: 1000 }),
  goodParts("unknown flags are ignored", { seq: 11n, flags: 0x8001, limit: 150 }),
  { name: "empty message", error: "short", message_hex: "" },
  { name: "header cut", error: "short", message_hex: hex(partMessage(whole).subarray(0, 27)) },
  badPart("version 2", "version", { ...whole, version: 2 }),
  badPart("a frame is not a part", "kind", { ...whole, kind: 1 }),
  badPart("no parts", "parts", { ...whole, parts: 0 }),
  badPart("1025 parts", "parts", { part: 0, parts: 1025, frame_len: 1025, payload: bytes(1) }),
  badPart("index equal to the count", "part", { part: 2, parts: 2, frame_len: 8, payload: bytes(4) }),
  badPart("frame of no bytes", "frame_len", { ...whole, frame_len: 0, payload: bytes(0) }),
  badPart("fewer bytes than parts", "frame_len", { part: 0, parts: 5, frame_len: 4, payload: bytes(1) }),
  badPart("5 bytes cannot make 4 parts", "frame_len", { part: 0, parts: 4, frame_len: 5, payload: bytes(2) }),
  badPart("header without bytes", "payload", { part: 0, parts: 2, frame_len: 8, payload: bytes(0) }),
  badPart("first part too long", "payload", { part: 0, parts: 2, frame_len: 8, payload: bytes(5) }),
  badPart("first part too short", "payload", { part: 0, parts: 2, frame_len: 8, payload: bytes(3) }),
  badPart("last part too long", "payload", { part: 1, parts: 2, frame_len: 7, payload: bytes(4) }),
  badPart("last part too short", "payload", { part: 1, parts: 2, frame_len: 7, payload: bytes(2) }),
];

const write = (file, cases) =>
  writeFileSync(new URL(file, import.meta.url), `[\n${cases.map((c) => `  ${JSON.stringify(c)}`).join(",\n")}\n]\n`);
write("frame.json", frames);
write("part.json", parts);
