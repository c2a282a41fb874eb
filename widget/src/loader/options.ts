/** What the embed line's data- attributes say. */

import { words } from "./words.ts";
import type { Words } from "./words.ts";

export interface Options {
  readonly origin: string; // where the script came from, the only origin we talk with
  readonly inbox: string;
  readonly atStart: boolean;
  readonly colour: string;
  readonly lang: string;
  readonly words: Words;
}

export function optionsOf(script: HTMLScriptElement): Options {
  const { inbox, position = "", colour = "", lang = "" } = script.dataset;
  if (!inbox) throw new Error("the script tag needs data-inbox");
  const language = lang || document.documentElement.lang || navigator.language;
  return {
    origin: new URL(script.src).origin,
    inbox,
    atStart: position === "start" || position === (isRtl() ? "right" : "left"),
    colour,
    lang: language,
    words: words(language, navigator.language),
  };
}

export function isRtl(): boolean {
  return getComputedStyle(document.body).direction === "rtl";
}
