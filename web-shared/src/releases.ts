// Ownership: what was acquired (socket, timer, track, worker, listener) and how it is given back. Nothing
// here knows what it releases.

/** Collects releases and runs them once, the newest first, when their owner closes. */
export class Releases {
  #releases = new Set<() => void>();
  #closed = false;

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Registers a release, and gives what takes it back: owners that acquire again and again must not gather what is
   * over. After `close` it runs at once: a late acquisition must not leak.
   */
  add(release: () => void): () => void {
    if (this.#closed) release();
    else this.#releases.add(release);
    return () => this.#releases.delete(release);
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
    const timer = setTimeout(() => {
      forget();
      run();
    }, milliseconds);
    const forget = this.add(() => clearTimeout(timer));
  }

  close(): void {
    this.#closed = true;
    const releases = [...this.#releases].reverse();
    this.#releases.clear();
    for (const release of releases) release();
  }
}
