// What MJPEG and polling share: requests that end with their source, the camera's presence, and telling a
// server that is gone from one that refuses this page.

import type { ServerClock } from "@framecast/shared/clock";
import { localNowUs } from "@framecast/shared/clock";
import { Releases } from "@framecast/shared/releases";
import { smoothWidth } from "@framecast/shared/smooth-width";
import { asNumber, asText, parseMessage, type Message } from "@framecast/shared/wire/json";
import { sentence } from "@framecast/shared/words";
import { PATIENCE_MS, readPresence, type Ending, type Presence, type Source, type SourceEvents, type Wish } from "./source.ts";

/** Between two looks whether the camera is online. */
const LOOK_MS = 2_000;
/** The server waits up to 10.5 s for a picture of a camera that it connects to itself, and 1 s for one set up just now. */
export const ANSWER_MS = 13_000;
/** After this without a byte a connection is taken for dead: a picture that stays comes again each 4 s. */
export const SILENT_MS = 15_000;
/** Before the server's time is asked for again, where it was not told. */
const UNTIMED_MS = 2_000;
/** Codes of what passes by itself, such as a camera that cannot be connected to, of which its presence tells. */
const PASSING: ReadonlySet<string> = new Set(["camera_offline", "busy", "stale"]);

/** When any element of the page last heard of a server, by its origin: they share its connections. */
const heard = new Map<string, number>();

/** What is made of an answer; the time in which it is to be there is for its body, too. */
type Read<T> = (response: Response) => T | Promise<T>;

export abstract class HttpSource implements Source {
  protected wish: Wish;
  protected readonly events: SourceEvents;
  protected readonly releases = new Releases();
  readonly #clock: ServerClock;
  protected online = false;
  /** The server connects to the camera itself, and may wait for it before it answers. */
  protected pulled = false;
  /** Of its newest picture, as far as known; 0 without one. */
  protected seq = 0;
  /** The server has answered. */
  #answered = false;
  /** Until then the server's time is not asked for. */
  #untimedMs = 0;
  #presence: Presence | undefined;
  #up = false;

  constructor(wish: Wish, clock: ServerClock, events: SourceEvents) {
    this.wish = wish;
    this.events = events;
    this.#clock = clock;
    this.guard(this.#look());
  }

  /** Begins once the server has answered. */
  protected abstract begin(): void;

  shown(): void {
    // HTTP tells the server by itself that a picture was taken.
  }

  resize(size: Wish["size"]): void {
    this.wish = { ...this.wish, size };
  }

  close(): void {
    this.releases.close();
  }

  /** A file of this camera, read by `read`: in time, unless `init` has a signal of its own. */
  protected get<T>(file: string, read: Read<T>, query: Record<string, string | number> = {}, init: RequestInit = {}, withinMs = PATIENCE_MS): Promise<T> {
    const url = new URL(`api/cameras/${encodeURIComponent(this.wish.camera)}${file}`, this.wish.server);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
    return this.#ask(url, read, { credentials: "omit", ...init }, withinMs);
  }

  /** For a request that gives pictures. */
  protected get sized(): Record<string, string | number> {
    const { size, maxFps } = this.wish;
    return typeof size === "number" ? { width: smoothWidth(size, maxFps) } : { quality: size };
  }

  protected get isUp(): boolean {
    return this.#up;
  }

  /** The server gives pictures of the camera, or there is no camera to refuse. */
  protected accepted(): void {
    if (this.#up || this.releases.closed) return;
    this.#up = true;
    this.events.onUp();
    this.events.onPresence(this.#presence);
  }

  /** The end that an answer without a picture means; nothing where asking again may help. */
  protected async refused(response: Response): Promise<void> {
    const error = parseMessage(await response.text().catch(() => ""))?.["error"] as Message | null | undefined;
    const code = error?.["code"];
    if (PASSING.has(asText(code) ?? "")) return this.accepted();
    const ending = code === "at_capacity" ? "full" : response.status === 415 ? "unsupported" : this.#up ? "lost" : "unreached";
    this.down(ending, sentence(asText(error?.["message"]) ?? `The server answered ${response.status}.`));
  }

  /** Ends the source where the work fails. */
  protected guard(work: Promise<void>): void {
    work.catch(() => this.#failed()).catch(() => undefined);
  }

  protected down(ending: Ending, reason: string): void {
    if (this.releases.closed) return;
    this.releases.close();
    this.events.onDown(ending, reason);
  }

  /** Time of arrival and age make the server's time. */
  protected measure(askedUs: number, { headers }: Response): void {
    const number = (name: string): number => Number(headers.get(name) ?? "NaN");
    this.#clock.addSample(askedUs, number("X-Framecast-Received-Us") + number("X-Framecast-Age-Ms") * 1000);
  }

  protected heard(): number {
    const nowMs = performance.now();
    heard.set(this.wish.server.origin, nowMs);
    return nowMs;
  }

  /** Browsers of 2022 have neither `AbortSignal.any` nor `AbortSignal.timeout`. */
  async #ask<T>(url: URL, read: Read<T>, init: RequestInit, withinMs = PATIENCE_MS): Promise<T> {
    const request = new AbortController();
    const end = (): void => request.abort();
    const timer = setTimeout(end, withinMs);
    const forget = this.releases.add(end);
    try {
      const response = await fetch(url, { cache: "no-store", signal: request.signal, ...init });
      this.heard();
      return await read(response);
    } finally {
      clearTimeout(timer);
      forget();
    }
  }

  async #look(): Promise<void> {
    try {
      await this.get("", (response) => this.#seen(response));
    } catch (error) {
      // Streams of other elements may have all the connections that a browser opens to a server.
      const isLate = (error as Error).name === "AbortError";
      if (!isLate || performance.now() - (heard.get(this.wish.server.origin) ?? -SILENT_MS) >= SILENT_MS) throw error;
    }
    this.releases.after(LOOK_MS, () => this.guard(this.#look()));
  }

  async #seen(response: Response): Promise<void> {
    // 404 is an answer, too: the camera may come yet.
    if (!response.ok && response.status !== 404) {
      if (response.status === 400) this.down("refused", `The server answered ${response.status}.`);
      else await this.refused(response);
      return;
    }
    const camera = response.ok ? parseMessage(await response.text()) : undefined;
    if (this.releases.closed) return;
    const kind = (camera?.["source"] as Message | null | undefined)?.["type"];
    this.pulled = kind === "rtsp" || kind === "mjpeg";
    this.seq = asNumber(camera?.["seq"]) ?? 0;
    this.#presence = camera === undefined ? undefined : { ...readPresence(camera), connecting: this.pulled && camera["online"] === false && await this.#isConnecting() };
    if (this.releases.closed) return;
    this.online = this.#presence?.online === true;
    if (!this.#answered) {
      this.#answered = true;
      this.#clock.reset();
      this.begin();
    }
    if (this.#up) this.events.onPresence(this.#presence);
    // One that is online may still be refused, which its pictures' answer tells soon; another is waited for.
    else if (!this.online) this.accepted();
  }

  /** Whether the server is at its first attempt: after a failed one, why that failed says more. */
  async #isConnecting(): Promise<boolean> {
    const status = parseMessage(await this.get("/stream/status", (response) => response.text()));
    return status?.["state"] === "connecting" && status["last_error"] === null;
  }

  /** The Fetch standard tells a page nothing of an answer that is not for it; that there is one, it does tell. */
  async #failed(): Promise<void> {
    if (this.releases.closed) return;
    try {
      await this.#ask(new URL("healthz", this.wish.server), () => undefined, { mode: "no-cors" });
    } catch {
      this.down(this.#answered ? "lost" : "unreached", "The server cannot be reached.");
      return;
    }
    if (this.#answered) this.down("lost", "The connection to the server was lost.");
    else this.down("refused", `Pages of ${location.origin} may not use this server; to allow it: --allow-origin ${location.origin}.`);
  }

  /**
   * Asks for no picture, only for the time: of the one that is kept, so that nothing is waited for. Nothing is asked
   * where the time is known, or was asked for just now.
   */
  protected async measureClock(): Promise<void> {
    if (this.#clock.offsetUs !== undefined || performance.now() < this.#untimedMs) return;
    this.#untimedMs = performance.now() + UNTIMED_MS;
    const askedUs = localNowUs();
    await this.get("/frame.jpg", (response) => response.ok && this.measure(askedUs, response), { stored: "true" }, { method: "HEAD" }).catch(() => undefined);
  }
}
