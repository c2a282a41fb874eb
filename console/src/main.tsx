/** Puts the console together and on the page: the only file that knows its state, its wire and its parts. */

import "./look.css"; // first, so that every part may differ from it
import { render } from "preact";
import { Console } from "./console.ts";
import { App } from "./parts/app.tsx";
import { ConsoleContext } from "./parts/use.ts";
import { placeFrom } from "./state/place.ts";
import { direction, speak } from "./words.ts";

function shelf(): Storage | null {
  try {
    return sessionStorage;
  } catch {
    return null; // forbidden by the browser's settings
  }
}

function socketUrl(): string {
  const url = new URL("/v1/socket", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

document.documentElement.lang = speak([new URLSearchParams(location.search).get("lang") ?? "", ...navigator.languages]);
document.documentElement.dir = direction();

const console = new Console(placeFrom(location.hash), shelf(), socketUrl());
addEventListener("hashchange", () => console.go(placeFrom(location.hash)));
document.addEventListener("visibilitychange", () => console.reader.setVisible(document.visibilityState === "visible"));
console.reader.setVisible(document.visibilityState === "visible");
void console.start();

render(
  <ConsoleContext.Provider value={console}>
    <App />
  </ConsoleContext.Provider>,
  document.getElementById("console")!,
);
