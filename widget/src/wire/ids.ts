/** UUID version 7: sorts by the time it was made, also within one millisecond. */

let lastMs = 0;
let counter = 0;

export function newId(now: number = Date.now()): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  if (now > lastMs) {
    lastMs = now;
    counter = ((byte(bytes, 6) << 8) | byte(bytes, 7)) & 0x3ff; // leaves room to count up
  } else if (++counter > 0xfff) {
    lastMs += 1; // the clock stands still or went back: borrow from the future
    counter = 0;
  }
  const time = lastMs.toString(16).padStart(12, "0");
  const ordered = (0x7000 | counter).toString(16);
  const variant = (0x80 | (byte(bytes, 8) & 0x3f)).toString(16);
  const rest = Array.from(bytes.subarray(9), (value) => value.toString(16).padStart(2, "0")).join("");
  return `${time.slice(0, 8)}-${time.slice(8)}-${ordered}-${variant}${rest.slice(0, 2)}-${rest.slice(2)}`;
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}
