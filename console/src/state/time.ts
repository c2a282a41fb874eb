/** Moments in words: how long somebody waits, what day it was, what the clock said. */

import { locale, t } from "../words.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A shopper who waits longer than this is shown in red. */
export const LATE_MS = 5 * MINUTE;

export function spanWords(ms: number): string {
  if (ms < MINUTE) return t("{n} s", { n: Math.max(0, Math.floor(ms / 1000)) });
  if (ms < HOUR) return t("{n} min", { n: Math.floor(ms / MINUTE) });
  if (ms < DAY) return t("{n} h", { n: Math.floor(ms / HOUR) });
  return t("{n} d", { n: Math.floor(ms / DAY) });
}

export function clockWords(at: number): string {
  return new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit" }).format(at);
}

export function momentWords(at: number): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: "full", timeStyle: "short" }).format(at);
}

function daysApart(at: number, now: number): number {
  const midnight = (moment: number) => new Date(moment).setHours(0, 0, 0, 0);
  return Math.round((midnight(now) - midnight(at)) / DAY);
}

export function dayWords(at: number, now: number): string {
  const days = daysApart(at, now);
  if (days === 0) return t("Today");
  if (days === 1) return t("Yesterday");
  const isThisYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  const year = isThisYear ? undefined : "numeric";
  return new Intl.DateTimeFormat(locale(), { weekday: "long", day: "numeric", month: "long", year }).format(at);
}
