/** How far a conversation came: what is unread, and how far a message got. Pure. */

import type { Conversation } from "../conversations.ts";
import type { State } from "../wire/frames.ts";

export type Reach = "sent" | "delivered" | "read";

/** Messages of others after the one read last. By birth, since an edit must not make a message unread again. */
export function unread(conversation: Conversation, me: string): number {
  const read = conversation.state?.positions[me]?.read ?? 0;
  return conversation.entries.filter((entry) => entry.kind === "message" && entry.author.id !== me && entry.born > read).length;
}

/** How far the entry born here got with anybody but me. */
export function reach(state: State | undefined, born: number, me: string): Reach {
  const others = Object.entries(state?.positions ?? {}).filter(([id]) => id !== me);
  if (others.some(([, { read = 0 }]) => read >= born)) return "read";
  if (others.some(([, { delivered = 0 }]) => delivered >= born)) return "delivered";
  return "sent";
}

/** The birth of the newest message that others wrote, 0 if there is none. */
export function newestFromOthers(conversation: Conversation, me: string): number {
  const theirs = conversation.entries.filter((entry) => entry.kind === "message" && entry.author.id !== me);
  return theirs[theirs.length - 1]?.born ?? 0;
}

/** The conversation that moved last: the one that a shopper expects to see. */
export function latest(conversations: Iterable<Conversation>): Conversation | undefined {
  return byLatest(conversations)[0];
}

export function byLatest(conversations: Iterable<Conversation>): Conversation[] {
  return [...conversations].filter((one) => one.state).sort((a, b) => movedAt(b) - movedAt(a));
}

export function movedAt(conversation: Conversation): number {
  const { entries, state } = conversation;
  return entries[entries.length - 1]?.at ?? state?.created_at ?? 0;
}
