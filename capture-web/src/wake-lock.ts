// Keeps a phone's screen on, because a phone that sleeps stops its camera.

import type { Releases } from "@framecast/shared/releases";

export class WakeLockHolder {
  #lock: WakeLockSentinel | undefined;

  /** Whether the screen stays on now; `undefined` where the browser cannot do it. */
  get held(): boolean | undefined {
    return (navigator as { wakeLock?: WakeLock }).wakeLock === undefined ? undefined : this.#lock?.released === false;
  }

  /** Until `run` closes. Refused (a low battery, for one), the screen sleeps as ever. */
  hold(run: Releases): void {
    const ask = (): void => {
      if (document.visibilityState !== "visible" || run.closed || this.held !== false) return;
      navigator.wakeLock.request("screen").then(
        (lock) => {
          if (run.closed) lock.release().catch(() => undefined);
          else this.#lock = lock;
        },
        () => undefined,
      );
    };
    // Browsers drop the lock when the page is hidden.
    run.listen(document, "visibilitychange", ask);
    run.add(() => {
      this.#lock?.release().catch(() => undefined);
      this.#lock = undefined;
    });
    ask();
  }
}
