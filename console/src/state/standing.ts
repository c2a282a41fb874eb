/** Who can take a conversation and why not, in words. What the service says isn't judged anew here. */

import { SERVICE } from "../../../widget/src/wire/frames.ts";
import type { AgentStatus, Availability } from "../types.ts";
import { t } from "../words.ts";
import { clockWords, dayWords } from "./time.ts";

/** Set by the service, not chosen. */
const IDLE = "idle";
const BOUNCED = "bounced";

export function availabilityWords(availability: Availability): string {
  switch (availability) {
    case "available":
      return t("Available");
    case "busy":
      return t("Busy");
    case "away":
      return t("Away");
  }
}

/** The first reason that holds; one that this console hasn't learnt yet is told as it is named. */
export function reasonWords(reason: string): string {
  switch (reason) {
    case "free":
      return t("Available");
    case "full":
      return t("Full");
    case "busy":
      return t("Busy");
    case "away":
      return t("Away");
    case "winding_down":
      return t("Shift ends soon");
    case "off_shift":
      return t("Off shift");
    case "time_off":
      return t("Time off");
    case "not_present":
      return t("Not connected");
    case "unknown":
      return t("Not known at the moment");
    default:
      return reason;
  }
}

export const isSetByService = ({ set_by }: AgentStatus): boolean => set_by === SERVICE;

/** What people have said of it themselves; nothing where the service has set it. */
export const ownReason = (status: AgentStatus): string => (isSetByService(status) ? "" : status.availability_reason);

/** Why somebody is busy or away, in their own words, or why the service has set it. */
export function whyWords(status: AgentStatus): string {
  if (!isSetByService(status)) return status.availability_reason;
  if (status.availability_reason === IDLE) return t("nothing done for a while");
  return status.availability_reason === BOUNCED ? t("chats weren't answered") : status.availability_reason;
}

export function untilWords(until: number, now: number): string {
  const isToday = new Date(until).toDateString() === new Date(now).toDateString();
  if (isToday) return t("until {time}", { time: clockWords(until) });
  return t("until {day}, {time}", { day: dayWords(until, now), time: clockWords(until) });
}

/** "Away · Lunch · until 14:00". What is over already isn't told as a time to come. */
export function standingWords(status: AgentStatus, now: number): string {
  const isChosen = status.reason === "busy" || status.reason === "away";
  const parts = [
    reasonWords(status.reason),
    isChosen ? whyWords(status) : "",
    status.until !== null && status.until > now ? untilWords(status.until, now) : "",
  ];
  return parts.filter(Boolean).join(" · ");
}

export const slotWords = ({ used, slots }: Pick<AgentStatus, "used" | "slots">): string => t("{used} of {slots}", { used, slots });

const RANK: Readonly<Record<AgentStatus["status"], number>> = { accepting_chats: 0, not_accepting_chats: 1, offline: 2 };

/** Whoever can take something first, of those the one with most room; then those who are here, then the others. */
export function byStanding(one: AgentStatus | undefined, other: AgentStatus | undefined): number {
  if (!one || !other) return Number(!one) - Number(!other);
  return RANK[one.status] - RANK[other.status] || other.slots - other.used - (one.slots - one.used);
}

export const isOver = (status: AgentStatus | undefined): boolean =>
  status?.reason === "off_shift" || status?.reason === "time_off";
