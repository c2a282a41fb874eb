/** The widget's app in its frame: puts session, shopper and panel together. The only file that knows them all. */

import { render } from "preact";
import { paint } from "./colour.ts";
import { drafts } from "./drafts.ts";
import { parent } from "./parent.ts";
import { Panel } from "./parts/panel.tsx";
import { Session } from "./session.ts";
import { Shopper } from "./shopper.ts";
import type { ToFrame } from "./talk.ts";
import { safeKeep } from "./wire/storage.ts";
import { speak } from "./words.ts";

const root = document.getElementById("app");
if (!root) throw new Error("the page has no #app");
const { inbox = "", inboxName = "" } = root.dataset;
const keep = safeKeep(() => localStorage);
const shopper = new Shopper(new Session(inbox, keep), keep, (message) => loader.tell(message));
const loader = parent(heard);

function heard(message: ToFrame): void {
  if (message.shopbell === "identity") return shopper.identify(message.identity);
  if (message.shopbell !== "hello") return shopper.opened(message.shopbell === "open", message.full);
  if (message.identity !== undefined) shopper.identify(message.identity);
  speak(message.lang, navigator.language);
  const look = paint(message.colour);
  document.documentElement.style.setProperty("--colour", look.colour);
  document.documentElement.style.setProperty("--ink", look.ink);
  shopper.opened(message.open, message.full);
  if (root) render(<Panel shopper={shopper} name={inboxName} drafts={drafts(inbox, keep)} />, root);
}
