/** Every sentence on the screen goes through `t`: the English sentence is its own key. */

import { hebrew } from "./words/hebrew.ts";

type Values = Readonly<Record<string, string | number>>;
export type Dictionary = Readonly<Record<string, string>>;

const DICTIONARIES: Readonly<Record<string, Dictionary>> = { he: hebrew };
const FROM_RIGHT = new Set(["he", "ar", "fa", "ur"]);

let spoken = "en";
let region = "en";
let words: Dictionary = {};

const codeOf = (tag: string): string => tag.toLowerCase().split("-")[0] ?? "";

/** Takes the first language that there are words for, and says which it is. */
export function speak(wanted: readonly string[]): string {
  region = wanted.find((tag) => codeOf(tag) === "en" || DICTIONARIES[codeOf(tag)]) ?? "en";
  spoken = codeOf(region);
  words = DICTIONARIES[spoken] ?? {};
  return spoken;
}

/** For clocks and calendars: the language with its country, such as en-GB. */
export const locale = (): string => region;

export const direction = (): "rtl" | "ltr" => (FROM_RIGHT.has(spoken) ? "rtl" : "ltr");

/**
 * `t("waiting {span}", { span })`. A sentence without a translation is shown in English. What follows a `|` only tells
 * the translator which of two meanings it is, and is never shown.
 */
export function t(sentence: string, values: Values = {}): string {
  const said = words[sentence] ?? sentence.replace(/\|.*/, "");
  return said.replace(/\{(\w+)\}/g, (place, name: string) => apart(values[name] ?? place));
}

/** Names from the left don't turn around what stands beside them in a sentence from the right. */
function apart(value: string | number): string {
  return typeof value === "string" && direction() === "rtl" ? `\u2068${value}\u2069` : String(value);
}
