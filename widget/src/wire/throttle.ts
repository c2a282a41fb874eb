/** At most one value per key and span: the first at once, then the latest when the span is over. */

import type { Clock } from "./clock.ts";

export class Throttle<Value> {
  private readonly busy = new Map<string, { readonly value: Value; readonly cancel: () => void }>();
  private readonly next = new Map<string, Value>();

  constructor(
    private readonly clock: Clock,
    private readonly every: number,
    private readonly send: (key: string, value: Value) => void,
  ) {}

  offer(key: string, value: Value): void {
    if (this.busy.has(key)) this.next.set(key, value);
    else this.pass(key, value);
  }

  /** What was offered last, until its span is over. */
  latest(key: string): Value | undefined {
    return this.next.get(key) ?? this.busy.get(key)?.value;
  }

  stop(): void {
    for (const { cancel } of this.busy.values()) cancel();
    this.busy.clear();
    this.next.clear();
  }

  private pass(key: string, value: Value): void {
    this.busy.set(key, { value, cancel: this.clock.after(this.every, () => this.freed(key)) });
    this.send(key, value);
  }

  private freed(key: string): void {
    this.busy.delete(key);
    const value = this.next.get(key);
    if (value === undefined) return;
    this.next.delete(key);
    this.pass(key, value);
  }
}
