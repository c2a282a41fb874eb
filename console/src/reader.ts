/** Decides when something was read: the page is seen, the conversation is open and shown at its end. */

import type { Desk } from "./state/desk.ts";
import type { Store } from "./state/store.ts";
import { unreadFor } from "./state/views.ts";

export class Reader {
  private isVisible = true;
  private isAtEnd = true;

  constructor(
    private readonly desk: Store<Desk>,
    private readonly read: (conversation: string, seq: number) => void,
  ) {}

  /** The agent sees the page, or it is behind another. */
  readonly setVisible = (isVisible: boolean): void => {
    this.isVisible = isVisible;
    this.consider();
  };

  /** The open conversation is shown at its end, or scrolled back. */
  readonly setAtEnd = (isAtEnd: boolean): void => {
    this.isAtEnd = isAtEnd;
    this.consider();
  };

  /** Another conversation was opened, or none. */
  opened(): void {
    this.isAtEnd = true;
    this.desk.update((desk) => ({ ...desk, readUpTo: undefined }));
    this.consider();
  }

  consider(): void {
    const { place, held, me, readUpTo, isLive } = this.desk.get();
    const known = place.conversation ? held.byId.get(place.conversation) : undefined;
    if (!me || !known?.state || !known.held) return;
    const { state } = known;
    const read = state.positions[me.agent.id]?.read ?? 0;
    const isUnread = unreadFor(state, me.agent) > 0;
    if (readUpTo === undefined) this.desk.update((desk) => ({ ...desk, readUpTo: isUnread ? read : null }));
    if (!this.isVisible || !this.isAtEnd || !isLive) return;
    const last = known.entries.filter(({ author }) => author.kind === "contact").pop();
    // Up to the entry, not to the state: asked twice it is the same position, and nothing is sent.
    if (last && last.seq > read) this.read(state.id, last.seq);
    else if (isUnread) this.read(state.id, state.seq);
  }
}
