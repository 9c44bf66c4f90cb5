// One value that others may watch, and its Preact hook. State lives in plain classes; components only look.

import { useEffect, useState } from "preact/hooks";

export class Observable<T> {
  #value: T;
  #watchers = new Set<(value: T) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const watcher of [...this.#watchers]) watcher(value);
  }

  /** Calls `watcher` on every change; returns its release. */
  watch(watcher: (value: T) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}

export function useObservable<T>(observable: Observable<T>): T {
  const [, setVersion] = useState(0);
  useEffect(() => {
    const release = observable.watch(() => setVersion((version) => version + 1));
    // A change between rendering and this effect would otherwise go unseen.
    setVersion((version) => version + 1);
    return release;
  }, [observable]);
  return observable.value;
}
