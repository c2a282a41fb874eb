/** Launcher and panel in a shadow root of their own, and when the frame is loaded, opened and left. */

import { paint } from "../colour.ts";
import type { ToFrame, ToLoader } from "../talk.ts";
import css from "./chat.css";
import { element, icon, style } from "./dom.ts";
import { frame } from "./frame.ts";
import type { Frame } from "./frame.ts";
import { launcher } from "./launcher.ts";
import { memory } from "./memory.ts";
import { isRtl } from "./options.ts";
import type { Options } from "./options.ts";

const READY_MS = 12_000; // by then the app answers, or we say that it doesn't
const CROSS = "M6 6l12 12M18 6 6 18";

export function chat(options: Options): { open(): void; close(): void; identify(identity: string | null): void } {
  const { words } = options;
  const remembered = memory(options.inbox);
  const narrow = matchMedia("(max-width: 480px), (max-height: 480px)"); // as in chat.css
  let isOpen = false;
  let unread = 0;
  let app: Frame | undefined;
  let giveUp = 0;
  let who: string | null | undefined;

  const button = launcher(words, () => (isOpen ? close() : open()));
  const sorry = element("p", { role: "status" });
  const again = element("button", { type: "button", class: "again" }, words.again);
  const leave = element("button", { type: "button", class: "leave", "aria-label": words.close }, icon("", CROSS));
  const wait = element("div", { class: "wait" }, leave, element("i"), sorry, again);
  const panel = element("div", { class: "panel", role: "dialog", "aria-label": words.chat }, wait);
  const host = document.createElement("shopbell-chat");
  const root = host.attachShadow({ mode: "open" });
  style(root, css);
  root.append(panel, button.node);
  const look = paint(options.colour);
  host.style.setProperty("--colour", look.colour);
  host.style.setProperty("--ink", look.ink);
  host.dir = isRtl() ? "rtl" : "ltr";
  host.lang = options.lang;
  host.toggleAttribute("start", options.atStart);

  leave.addEventListener("click", () => close());
  again.addEventListener("click", () => {
    app?.remove();
    app = undefined;
    load();
  });
  root.addEventListener("keydown", (event) => {
    if ((event as KeyboardEvent).key === "Escape" && isOpen) close();
  });

  function load(): void {
    if (app) return;
    wait.classList.remove("failed");
    sorry.textContent = "";
    app = frame(options, hello, heard);
    panel.append(app.node);
    giveUp = window.setTimeout(() => {
      wait.classList.add("failed");
      sorry.textContent = words.failed;
    }, READY_MS);
  }

  function hello(): ToFrame {
    return { shopbell: "hello", lang: options.lang, colour: options.colour, open: isOpen, full: narrow.matches, identity: who };
  }

  function heard(message: ToLoader): void {
    if (message.shopbell === "ready") {
      clearTimeout(giveUp);
      panel.classList.add("ready");
      if (isOpen) app?.node.focus();
    } else if (message.shopbell === "close") {
      close();
    } else if (message.shopbell === "state") {
      unread = message.unread;
      remembered.active = message.active;
      show();
    }
  }

  function open(): void {
    isOpen = true;
    load();
    show();
    app?.tell({ shopbell: "open", full: narrow.matches });
    app?.node.focus();
  }

  function close(): void {
    const hadFocus = root.activeElement !== null;
    isOpen = false;
    show();
    app?.tell({ shopbell: "closed", full: narrow.matches });
    if (hadFocus) button.node.focus();
  }

  /** Costs nothing until the frame is there; but only the frame can forget who this browser was. */
  function identify(identity: string | null): void {
    who = identity;
    if (!identity) load();
    app?.tell({ shopbell: "identity", identity });
  }

  function show(): void {
    remembered.open = isOpen;
    host.toggleAttribute("open", isOpen);
    button.show(isOpen, unread);
  }

  // Beside <body>, not in it: page transitions that swap the body leave the conversation alone.
  const mount = (): void => {
    if (!host.isConnected) document.documentElement.append(host);
  };
  new MutationObserver(mount).observe(document.documentElement, { childList: true });
  mount();
  isOpen = remembered.open && !narrow.matches; // a full screen that opens by itself would be in the way
  show();
  if (isOpen || remembered.active) load();
  return { open, close, identify };
}
