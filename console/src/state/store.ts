/** One observable value: state is replaced, never changed in place, and listeners hear of it once per turn. */

export interface Store<T> {
  get(): T;
  update(change: (value: T) => T): void;
  subscribe(listener: () => void): () => void;
}

export function makeStore<T>(initial: T): Store<T> {
  let value = initial;
  let announced = false;
  const listeners = new Set<() => void>();

  const announce = () => {
    announced = false;
    for (const listener of [...listeners]) listener();
  };

  return {
    get: () => value,
    update(change) {
      const next = change(value);
      if (Object.is(next, value)) return;
      value = next;
      // A frame may hold hundreds of changes: draw once for all of them.
      if (!announced) {
        announced = true;
        queueMicrotask(announce);
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
