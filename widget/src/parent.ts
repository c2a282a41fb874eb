/** The frame's side of the talk with the loader. Who may embed us is settled by frame-ancestors before we run. */

import type { ToFrame, ToLoader } from "./talk.ts";

export interface Parent {
  tell(message: ToLoader): void;
}

/** Answers go to the exact origin that greeted us, and nowhere before. Opened on its own, the page greets itself. */
export function parent(heard: (message: ToFrame) => void): Parent {
  let origin: string | undefined;
  if (window.parent === window) {
    queueMicrotask(() => heard({ shopbell: "hello", lang: "", colour: "", open: true, full: false }));
    return { tell: () => undefined };
  }
  const tell = (message: ToLoader): void => {
    if (origin !== undefined) window.parent.postMessage(message, origin);
  };
  addEventListener("message", (event) => {
    const message = event.data as ToFrame | null;
    if (event.source !== window.parent || typeof message?.shopbell !== "string") return;
    if (message.shopbell === "hello") origin = event.origin;
    if (event.origin !== origin) return;
    heard(message);
    if (message.shopbell === "hello") tell({ shopbell: "ready" });
  });
  return { tell };
}
