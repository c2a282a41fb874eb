/** Reads what changed hands at ends of shifts, when the stream says that it may be otherwise. */

import { HttpProblem, getHandovers } from "./http.ts";
import type { HandedOver } from "./types.ts";

/** What ends together changes hands together; and routing takes a moment. */
const SOON_MS = 500;
/** After it couldn't be read. */
const AGAIN_MS = 10_000;

export class Handovers {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private turn = 0;

  constructor(private readonly take: (handovers: HandedOver) => void) {}

  /** Soon, and once for however many reasons. */
  refresh(wait = SOON_MS): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.read(), wait);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.turn += 1;
  }

  private async read(): Promise<void> {
    const turn = ++this.turn;
    try {
      const handovers = await getHandovers();
      if (turn === this.turn) this.take(handovers); // not what was asked for before something newer, or by somebody else
    } catch (problem) {
      if (!(problem instanceof HttpProblem)) throw problem;
      if (turn === this.turn && problem.status !== 401) this.refresh(AGAIN_MS);
    }
  }
}
