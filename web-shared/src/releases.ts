// Ownership: what was acquired (socket, timer, track, worker, listener) and how it is given back. Nothing
// here knows what it releases.

/** Collects releases and runs them once, the newest first, when their owner closes. */
export class Releases {
  #releases = new Set<() => void>();
  #closed = false;

  get closed(): boolean {
    return this.#closed;
  }

  /** Registers a release. After `close` it runs at once: a late acquisition must not leak. */
  add(release: () => void): void {
    if (this.#closed) release();
    else this.#releases.add(release);
  }

  listen<E extends Event>(target: EventTarget, type: string, handler: (event: E) => void): void {
    const listener = (event: Event): void => handler(event as E);
    target.addEventListener(type, listener);
    this.add(() => target.removeEventListener(type, listener));
  }

  every(milliseconds: number, run: () => void): void {
    const timer = setInterval(run, milliseconds);
    this.add(() => clearInterval(timer));
  }

  after(milliseconds: number, run: () => void): void {
    const release = (): void => clearTimeout(timer);
    const timer = setTimeout(() => {
      // Owners that wait again and again must not gather what is over.
      this.#releases.delete(release);
      run();
    }, milliseconds);
    this.add(release);
  }

  close(): void {
    this.#closed = true;
    const releases = [...this.#releases].reverse();
    this.#releases.clear();
    for (const release of releases) release();
  }
}
