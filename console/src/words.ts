/** Every sentence on the screen goes through `t`: the English sentence is its own key. */

import { hebrew } from "./words/hebrew.ts";

type Values = Readonly<Record<string, string | number>>;
export type Dictionary = Readonly<Record<string, string>>;

const DICTIONARIES: Readonly<Record<string, Dictionary>> = { he: hebrew };
const FROM_RIGHT = new Set(["he", "ar", "fa", "ur"]);

let spoken = "en";
let words: Dictionary = {};

/** Takes the first language that there are words for, and says which it is. */
export function speak(wanted: readonly string[]): string {
  const codes = wanted.map((tag) => tag.toLowerCase().split("-")[0] ?? "");
  spoken = codes.find((code) => code === "en" || DICTIONARIES[code]) ?? "en";
  words = DICTIONARIES[spoken] ?? {};
  return spoken;
}

export const language = (): string => spoken;

export const direction = (): "rtl" | "ltr" => (FROM_RIGHT.has(spoken) ? "rtl" : "ltr");

/** `t("waiting {span}", { span })`. A sentence without a translation is shown in English. */
export function t(sentence: string, values: Values = {}): string {
  const said = words[sentence] ?? sentence;
  return said.replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}
