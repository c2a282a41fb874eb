/** The iframe with the app, and the talk with it: exact origins both ways, and only with our own frame. */

import type { ToFrame, ToLoader } from "../talk.ts";
import { element } from "./dom.ts";
import type { Options } from "./options.ts";

export interface Frame {
  readonly node: HTMLIFrameElement;
  tell(message: ToFrame): void;
  remove(): void;
}

/** `hello` is asked for when the document has loaded; `heard` gets what the app says. */
export function frame(options: Options, hello: () => ToFrame, heard: (message: ToLoader) => void): Frame {
  const src = `${options.origin}/widget/${encodeURIComponent(options.inbox)}`;
  const node = element("iframe", { src, title: options.words.chat });
  let isLoaded = false; // before that the window is the host's own empty page
  const tell = (message: ToFrame): void => {
    if (isLoaded) node.contentWindow?.postMessage(message, options.origin);
  };
  const listen = (event: MessageEvent): void => {
    if (event.origin === options.origin && event.source === node.contentWindow) heard(event.data as ToLoader);
  };
  addEventListener("message", listen);
  node.addEventListener("load", () => {
    isLoaded = true;
    tell(hello());
  });
  return {
    node,
    tell,
    remove() {
      removeEventListener("message", listen);
      node.remove();
    },
  };
}
