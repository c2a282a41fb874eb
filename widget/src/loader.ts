/**
 * /widget.js, the one line that a storefront embeds. A guest: one global, nothing loaded before the shopper wants it,
 * and no error of ours reaches the page.
 */

import { chat } from "./loader/chat.ts";
import { optionsOf } from "./loader/options.ts";

interface Shopbell {
  open(): void;
  close(): void;
  /** Who the shopper is, as a JWT that the shop's backend signed: docs/identity.md. */
  identify(jwt: string): void;
  /** The shopper has logged out of the shop. */
  logout(): void;
}

declare global {
  interface Window {
    Shopbell?: Shopbell;
  }
}

function load(script: HTMLScriptElement): void {
  const options = optionsOf(script);
  let started: ReturnType<typeof chat> | undefined;
  const shopbell: Shopbell = {
    open: () => start().open(),
    close: () => started?.close(),
    identify: (jwt) => start().identify(jwt),
    logout: () => start().identify(null),
  };
  const start = (): ReturnType<typeof chat> => (started ??= chat(options));
  window.Shopbell = shopbell;
  // After the page has loaded: we take no part in its first paint, and frameworks have hydrated by then.
  const soon = (): void => void setTimeout(() => quietly(start), 0);
  if (document.readyState === "complete") soon();
  else addEventListener("load", soon, { once: true });
}

function quietly(act: () => void): void {
  try {
    act();
  } catch (error) {
    console.warn("Shopbell:", error);
  }
}

quietly(() => {
  const script = document.currentScript ?? document.querySelector("script[data-inbox][src*='/widget.js']");
  if (window.Shopbell || !(script instanceof HTMLScriptElement)) return; // embedded twice: once is enough
  load(script);
});
