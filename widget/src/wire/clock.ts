/** The seams to the outside that tests replace: time, chance, the socket and the reasons to look again. */

export interface Clock {
  now(): number;
  /** Calls `then` once after `ms`; the result cancels it. */
  after(ms: number, then: () => void): () => void;
  random(): number;
}

export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

/** Calls the listener when the page woke up, came back or got its network again; the result unsubscribes. */
export type Wakes = (listener: () => void) => () => void;

export const browserClock: Clock = {
  now: () => Date.now(),
  after(ms, then) {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

export function browserSocket(url: string): Socket {
  return new WebSocket(url) as Socket;
}

export const browserWakes: Wakes = (listener) => {
  const seen = () => {
    if (document.visibilityState === "visible") listener();
  };
  document.addEventListener("visibilitychange", seen);
  addEventListener("online", listener);
  addEventListener("pageshow", listener);
  return () => {
    document.removeEventListener("visibilitychange", seen);
    removeEventListener("online", listener);
    removeEventListener("pageshow", listener);
  };
};
