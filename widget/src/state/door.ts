/** What the inbox shows, and how long a wait may take. Pure: time comes in as ms, words come later. */

import type { Conversation } from "../conversations.ts";
import type { InboxStatus, Queue } from "../wire/frames.ts";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const LONG = 2 * HOUR; // from here on nobody counts minutes
const COUNTED = 15 * MINUTE; // beyond that it is told by fives
const FAR_DAYS = 6; // the same weekday would be the next one

export interface Door {
  readonly status: InboxStatus["status"];
  readonly opensAt: number | null;
  readonly replySeconds: number | null;
}

/** What it shows at this moment: from `until` on what was announced for then, also when no news can reach us. */
export function doorAt(told: InboxStatus | undefined, now: number): Door | undefined {
  if (!told) return undefined;
  const status = hasFlipped(told, now) ? told.then : told.status;
  const opensAt = status !== "open" && told.opens_at !== null && told.opens_at > now ? told.opens_at : null;
  return { status, opensAt, replySeconds: status === "open" ? told.reply_seconds : null };
}

/** The next moment (ms) at which it shows something else by itself, or nothing happens any more. */
export function nextFlip(told: InboxStatus | undefined, now: number): number | undefined {
  const moments = [told?.until, told?.opens_at].filter((at): at is number => typeof at === "number" && at > now);
  return moments.length > 0 ? Math.min(...moments) : undefined;
}

function hasFlipped(told: InboxStatus, now: number): boolean {
  return told.until !== null && now >= told.until;
}

/** A time to come, in the unit that people would say it in. `low` is 0 for "less than". */
export interface Wait {
  readonly unit: "minute" | "hour";
  readonly low: number;
  readonly high: number;
}

/** Rounded outwards, so that the words never promise more than the figures do. */
export function waitOf([low, high]: readonly [number, number]): Wait {
  const unit = high > LONG ? "hour" : "minute";
  const size = unit === "hour" ? HOUR : MINUTE;
  const step = unit === "minute" && high > COUNTED ? 5 : 1;
  const outwards = (seconds: number, round: (steps: number) => number) => round(seconds / size / step) * step;
  return { unit, low: outwards(low, Math.floor), high: Math.max(1, outwards(high, Math.ceil)) };
}

/** The place of a conversation that waits; nothing of one that doesn't, or where nobody said anything. */
export function placeOf(conversation: Conversation | undefined, places: ReadonlyMap<string, Queue>): Queue | undefined {
  return conversation?.state?.status === "queued" ? places.get(conversation.id) : undefined;
}

export type Nearness = "today" | "tomorrow" | "week" | "later";

/** How a day is called from here, by the clock of whoever reads it. */
export function nearness(at: number, now: number): Nearness {
  const days = Math.round((new Date(at).setHours(0, 0, 0, 0) - new Date(now).setHours(0, 0, 0, 0)) / 86_400_000);
  if (days <= 0) return "today";
  if (days === 1) return "tomorrow";
  return days <= FAR_DAYS ? "week" : "later";
}

/** As the service reads it: something, one @, something, and no spaces. */
export function isEmail(text: string): boolean {
  return text.length <= 254 && /^[^@\s]+@[^@\s]+$/.test(text);
}
