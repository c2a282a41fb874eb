/** localStorage that can't hurt: where it is absent, full or forbidden, memory takes its place. */

export interface Keep {
  get(key: string): string | null;
  set(key: string, value: string): void;
  remove(key: string): void;
  keys(prefix: string): string[];
}

export function memoryKeep(): Keep {
  const kept = new Map<string, string>();
  return {
    get: (key) => kept.get(key) ?? null,
    set: (key, value) => void kept.set(key, value),
    remove: (key) => void kept.delete(key),
    keys: (prefix) => [...kept.keys()].filter((key) => key.startsWith(prefix)),
  };
}

/** Even naming `window.localStorage` may throw, so it comes as a function. */
export function safeKeep(storage: () => Storage): Keep {
  const memory = memoryKeep();
  const attempt = <T>(act: (store: Storage) => T, otherwise: T): T => {
    try {
      return act(storage());
    } catch {
      return otherwise;
    }
  };
  return {
    get: (key) => memory.get(key) ?? attempt((store) => store.getItem(key), null),
    set(key, value) {
      const stored = attempt((store) => (store.setItem(key, value), true), false);
      if (stored) memory.remove(key);
      else memory.set(key, value);
    },
    remove(key) {
      memory.remove(key);
      attempt((store) => store.removeItem(key), undefined);
    },
    keys(prefix) {
      const stored = attempt((store) => Object.keys(store).filter((key) => key.startsWith(prefix)), []);
      return [...new Set([...stored, ...memory.keys(prefix)])];
    },
  };
}
