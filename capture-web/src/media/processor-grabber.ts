// Pictures by MediaStreamTrackProcessor: the camera's own frames, without a video element between. Goes on
// at full rate in a hidden tab.

import { Releases } from "@framecast/shared/releases";
import type { EncoderSettings } from "./encoded.ts";
import type { EncoderWorker } from "./encoder-worker.ts";
import type { Grabber, GrabberEvents } from "./grabber.ts";
import { trackProcessor } from "./worker-messages.ts";

export class ProcessorGrabber implements Grabber {
  readonly method: "processor" | "worker-processor";
  readonly #worker: EncoderWorker;
  readonly #releases: Releases;

  private constructor(method: "processor" | "worker-processor", worker: EncoderWorker, releases: Releases) {
    this.method = method;
    this.#worker = worker;
    this.#releases = releases;
  }

  /** `undefined` where neither the page nor a worker can read a track. */
  static async start(track: MediaStreamTrack, settings: EncoderSettings, worker: EncoderWorker, events: GrabberEvents): Promise<ProcessorGrabber | undefined> {
    // The page stops its own track whenever it likes; the encoder reads a copy.
    const copy = track.clone();
    const releases = new Releases();
    releases.add(() => worker.close());
    // Runs before the worker's end, so that no frame is on its way into it.
    releases.add(() => copy.stop());
    const Processor = trackProcessor(globalThis);
    try {
      if (Processor !== undefined) {
        const frames = new Processor({ track: copy, maxBufferSize: 1 }).readable;
        worker.start(settings, { frames }, events, [frames as unknown as Transferable]);
        return new ProcessorGrabber("processor", worker, releases);
      }
      worker.start(settings, { track: copy }, events, [copy as unknown as Transferable]);
      if (await worker.works) return new ProcessorGrabber("worker-processor", worker, releases);
    } catch {
      // Tracks or streams that cannot be handed to a worker: the video element is the way.
    }
    releases.close();
    return undefined;
  }

  configure(settings: EncoderSettings): void {
    this.#worker.configure(settings);
  }

  close(): void {
    this.#releases.close();
  }
}
