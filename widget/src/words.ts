/** Sentences, dates and direction in the shopper's language. */

import type { Dictionary, Sentence } from "./words/en.ts";
import { he } from "./words/he.ts";
import { th } from "./words/th.ts";
import { tr } from "./words/tr.ts";

const dictionaries: Readonly<Record<string, Dictionary>> = { th, he, tr };
let language = "en";
let locale = "en"; // for dates: also the region, where the browser says one

/** The first of these that we speak: the page's, the browser's; else English. */
export function speak(...wanted: readonly string[]): void {
  const known = wanted.map((lang) => lang.slice(0, 2).toLowerCase()).map((lang) => (lang === "iw" ? "he" : lang));
  language = known.find((lang) => lang === "en" || lang in dictionaries) ?? "en";
  locale = wanted.find((lang) => lang.length > 2 && lang.startsWith(language)) ?? language;
  document.documentElement.lang = language;
  document.documentElement.dir = language === "he" ? "rtl" : "ltr";
}

export function t(sentence: Sentence, parts: Readonly<Record<string, string | number>> = {}): string {
  const words = dictionaries[language]?.[sentence] || sentence;
  return words.replace(/\{(\w+)\}/g, (_, name: string) => String(parts[name] ?? ""));
}

export function time(at: number): string {
  return new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" }).format(at);
}

/** "5 minutes", with the number's own plural. */
export function span(count: number, unit: "minute" | "hour"): string {
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(count);
}

/** A number alone, as `span` would write it. */
export function number(count: number): string {
  return new Intl.NumberFormat(locale).format(count);
}

/** "Monday" in the coming days, "Monday, 7 December" after them. */
export function weekday(at: number, isNear: boolean): string {
  return new Intl.DateTimeFormat(locale, { weekday: "long", ...(!isNear && { day: "numeric", month: "long" }) }).format(at);
}

export function day(at: number, now: number = Date.now()): string {
  const days = Math.round((midnight(now) - midnight(at)) / 86_400_000); // rounded: some days have 23 hours
  if (days === 0) return t("Today");
  if (days === 1) return t("Yesterday");
  const isNear = days < 300 && new Date(at).getFullYear() === new Date(now).getFullYear();
  return new Intl.DateTimeFormat(locale, {
    weekday: "long", day: "numeric", month: "long", ...(!isNear && { year: "numeric" }),
  }).format(at);
}

function midnight(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}
