/** What was read and delivered, told at most once a second per conversation: the latest wins, and none is lost on the way. */

import type { Clock } from "./clock.ts";
import type { Ok, RefusedFrame } from "./frames.ts";
import { Throttle } from "./throttle.ts";

const EVERY_MS = 1000;

export interface Receipt {
  readonly type: "read" | "delivered";
  readonly conversation: string;
  readonly seq: number;
}

export class Receipts {
  private readonly wanted = new Map<string, Receipt>(); // until the server has confirmed them
  private readonly throttle: Throttle<true>;

  /** `send` drops the receipt while there is no connection; `again` offers it then. */
  constructor(
    clock: Clock,
    private readonly send: (receipt: Receipt, answered: (frame: Ok | RefusedFrame) => void) => void,
  ) {
    this.throttle = new Throttle(clock, EVERY_MS, (key) => this.tell(key));
  }

  /** `known`: what the server has already. Positions never go back. */
  offer(receipt: Receipt, known: number): void {
    const key = `${receipt.type} ${receipt.conversation}`;
    if (receipt.seq <= Math.max(known, this.wanted.get(key)?.seq ?? 0)) return;
    this.wanted.set(key, receipt);
    this.throttle.offer(key, true);
  }

  again(): void {
    for (const key of this.wanted.keys()) this.throttle.offer(key, true);
  }

  stop(): void {
    this.throttle.stop();
  }

  private tell(key: string): void {
    const receipt = this.wanted.get(key);
    if (!receipt) return;
    this.send(receipt, (frame) => {
      if (frame.type === "refused" && frame.retry) return this.throttle.offer(key, true);
      if (this.wanted.get(key) === receipt) this.wanted.delete(key);
    });
  }
}
