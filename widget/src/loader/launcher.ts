/** The round button with its unread badge. */

import { element, icon } from "./dom.ts";
import type { Words } from "./words.ts";

const BUBBLE = "M12 3C6.8 3 2.5 6.6 2.5 11.1c0 2.5 1.3 4.7 3.4 6.2-.1 1-.5 2.2-1.5 3.3-.2.3 0 .7.4.6 2-.3 3.6-1.1 4.7-1.9.8.2 1.6.3 2.5.3 5.2 0 9.5-3.6 9.5-8.5S17.2 3 12 3z";
const DOWN = "M6 9.5l6 6 6-6";

export interface Launcher {
  readonly node: HTMLButtonElement;
  show(open: boolean, unread: number): void;
}

export function launcher(words: Words, clicked: () => void): Launcher {
  const badge = element("span", { class: "badge", "aria-hidden": "true" });
  const node = element("button", { type: "button", class: "launcher", "aria-expanded": "false" }, icon("bubble", BUBBLE), icon("down", DOWN), badge);
  node.addEventListener("click", clicked);
  return {
    node,
    show(open, unread) {
      const count = unread > 0 && !open ? `${unread}` : "";
      node.setAttribute("aria-expanded", `${open}`);
      node.setAttribute("aria-label", open ? words.close : words.open + (count && ` (${count} ${words.unread})`));
      badge.textContent = unread > 9 && count ? "9+" : count;
    },
  };
}
