/** How long to wait before the next attempt. Pure: randomness comes in. */

const CAP_MS = 20_000;
const FIRST_MS = 500;
const FLOOR_MS = 250; // never hammer, even when the dice say zero
const BLIP_MS = 1000; // after a live connection: soon, but not all shoppers in the same instant

/** Full jitter: anywhere between nothing and the ceiling, so that a thousand clients don't come back together. */
export function backoff(failures: number, random: () => number): number {
  const ceiling = Math.min(CAP_MS, FIRST_MS * 2 ** failures);
  return random() * ceiling + FLOOR_MS;
}

/** The first attempt after a connection that was live. */
export function blip(random: () => number): number {
  return random() * BLIP_MS;
}

/** A moment in the span that a `reconnect` frame names. */
export function within(span: readonly [number, number], random: () => number): number {
  const [from, to] = span;
  return from + random() * Math.max(0, to - from);
}
