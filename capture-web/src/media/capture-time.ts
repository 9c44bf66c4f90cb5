// When a picture was taken, from the camera's own timestamps. No clock: the caller says what time it is.

/** A jump of the camera's clock larger than this starts the estimate anew. */
const JUMP_US = 500_000;
/** How long a smallest distance is believed: cameras' clocks drift against the computer's. */
const WINDOW_US = 10_000_000;

/**
 * A video frame's timestamp counts from an unknown start. The smallest distance lately seen between a
 * frame's arrival and its timestamp ties it to the page's clock, so that a frame which waited for a busy
 * encoder is not taken for a fresh one.
 */
export class CaptureTime {
  #windowStartUs = 0;
  #previousUs = Infinity;
  #currentUs = Infinity;

  /** The frame with this timestamp arrived at `arrivedUs`; answers when it was taken. */
  of(timestampUs: number, arrivedUs: number): number {
    const distanceUs = arrivedUs - timestampUs;
    const leastUs = Math.min(this.#previousUs, this.#currentUs);
    if (Math.abs(distanceUs - leastUs) > JUMP_US) {
      this.#previousUs = Infinity;
      this.#currentUs = distanceUs;
      this.#windowStartUs = arrivedUs;
    } else if (arrivedUs - this.#windowStartUs > WINDOW_US) {
      this.#previousUs = this.#currentUs;
      this.#currentUs = distanceUs;
      this.#windowStartUs = arrivedUs;
    } else {
      this.#currentUs = Math.min(this.#currentUs, distanceUs);
    }
    return timestampUs + Math.min(this.#previousUs, this.#currentUs);
  }
}
