// The last resort, where no answer may stay open: the list of cameras and their pictures, asked for one by one.

import type { ServerClock } from "@framecast/shared/clock";
import type { CameraInfo, Feed, FeedEvents, Interest } from "./feed.ts";
import { Http } from "./http.ts";
import { Polls, type Wish } from "./polls.ts";
import { Refusals } from "./refusals.ts";

/** Browsers open six connections to a server over HTTP/1.1; the list and the page itself need theirs. */
const POLLS_AT_ONCE = 4;

export class RestFeed implements Feed {
  readonly #http: Http;
  readonly #polls: Polls;
  readonly #wanted = new Map<string, Interest>();
  #cameras: CameraInfo[] = [];

  constructor(clock: ServerClock, events: FeedEvents) {
    this.#http = new Http({
      onUp: () => {
        clock.reset();
        events.onUp();
      },
      onDown: events.onDown,
      onCameras: (cameras) => {
        events.onCameras(cameras);
        this.#cameras = cameras;
        this.#share();
      },
    });
    this.#polls = new Polls(this.#http, clock, POLLS_AT_ONCE, new Refusals(events.onRefused), events.onFrame);
  }

  shown(): void {
    // HTTP tells the server by itself that a picture was taken: the next poll comes only then.
  }

  want(camera: string, interest: Interest): void {
    this.#wanted.set(camera, interest);
    this.#share();
  }

  close(): void {
    this.#http.close();
  }

  #share(): void {
    const wish = ({ camera, online }: CameraInfo): [string, Wish] => {
      const { visible = true, width = 0 } = this.#wanted.get(camera) ?? {};
      return [camera, { online, visible, width }];
    };
    this.#polls.set(new Map(this.#cameras.map(wish)));
  }
}
