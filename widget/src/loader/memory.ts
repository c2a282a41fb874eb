/** What the loader remembers on the shop's own pages. Storage may be forbidden; then it remembers nothing. */

export interface Memory {
  /** This browser has a conversation that goes on: load the frame without waiting for a click. */
  active: boolean;
  /** The panel was open on the page before this one. */
  open: boolean;
}

export function memory(inbox: string): Memory {
  const key = `shopbell.${inbox}`;
  return {
    get active() {
      return read(() => localStorage, key);
    },
    set active(on) {
      write(() => localStorage, key, on);
    },
    get open() {
      return read(() => sessionStorage, key);
    },
    set open(on) {
      write(() => sessionStorage, key, on);
    },
  };
}

function read(storage: () => Storage, key: string): boolean {
  try {
    return storage().getItem(key) !== null;
  } catch {
    return false;
  }
}

function write(storage: () => Storage, key: string, on: boolean): void {
  try {
    if (on) storage().setItem(key, "1");
    else storage().removeItem(key);
  } catch {
    // nothing remembered, nothing broken
  }
}
