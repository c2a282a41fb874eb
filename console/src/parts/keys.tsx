/** The keyboard: which key does what, and the page that says so. */

import { useLayoutEffect } from "preact/hooks";
import type { Console } from "../console.ts";
import { draftOf, stateOf } from "../state/desk.ts";
import { hashOf } from "../state/place.ts";
import { isResolved, listOf } from "../state/views.ts";
import { t } from "../words.ts";
import { Sheet } from "./sheet.tsx";
import { useConsole } from "./use.ts";
import "./keys.css";

const keyWords = (): readonly (readonly [string, string])[] => [
  ["j / ↓", t("Next conversation")],
  ["k / ↑", t("Previous conversation")],
  ["r", t("Write a reply")],
  ["n", t("Write a note")],
  ["Enter", t("Send")],
  ["Shift Enter", t("New line")],
  ["Ctrl Enter", t("Send and resolve")],
  ["c", t("Claim")],
  ["a", t("Assign")],
  ["t", t("Transfer")],
  ["s", t("Your status")],
  ["e", t("Resolve")],
  ["o", t("Reopen")],
  ["/", t("Filter this list")],
  ["Esc", t("Leave a field, close what is open")],
  ["?", t("Show these keys")],
];

function step(console: Console, by: 1 | -1): void {
  const { held, place, filter, me } = console.desk.get();
  if (!me) return;
  const rows = listOf(held.byId, place.view, place.status, filter, me.agent);
  const at = rows.findIndex(({ id }) => id === place.conversation);
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by];
  if (!next) return;
  location.hash = hashOf({ ...place, conversation: next.id });
  // Whoever moves with the keys inside the list stays in it.
  if (document.activeElement?.closest(".list-rows")) {
    document.querySelector<HTMLElement>(`[data-conversation="${next.id}"]`)?.focus();
  }
}

function write(console: Console, mode: "reply" | "note"): void {
  const { conversation } = console.desk.get().place;
  if (!conversation) return;
  console.setDraft(conversation, { ...draftOf(console.desk.get(), conversation), mode });
  document.getElementById("composer")?.focus();
}

function act(console: Console, key: string, isInList: boolean): boolean {
  const state = stateOf(console.desk.get(), console.desk.get().place.conversation);
  if (key === "j" || (key === "ArrowDown" && isInList)) step(console, 1);
  else if (key === "k" || (key === "ArrowUp" && isInList)) step(console, -1);
  else if (key === "/") document.getElementById("filter")?.focus();
  else if (key === "?") console.show({ kind: "keys" });
  else if (key === "r") write(console, "reply");
  else if (key === "n") write(console, "note");
  else if (key === "a") document.getElementById("assign")?.click();
  else if (key === "t") document.getElementById("transfer")?.click();
  else if (key === "s") document.getElementById("standing")?.click();
  else if (key === "c" && state && !isResolved(state)) console.claim(state.id);
  else if (key === "e" && state && !isResolved(state)) console.resolve(state.id);
  else if (key === "o" && state && isResolved(state)) console.reopen(state.id);
  else return false;
  return true;
}

/** The letter on the key, also where the layout is Hebrew or Thai. */
function letterOf(event: KeyboardEvent): string {
  const isForeign = event.key.length === 1 && event.key.charCodeAt(0) > 127;
  return isForeign && event.code.startsWith("Key") ? event.code.slice(3).toLowerCase() : event.key;
}

const isField = (target: Element): boolean => target.matches("input, textarea, select, [contenteditable]");

export function useKeys(): void {
  const console = useConsole();
  useLayoutEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const target = event.target instanceof Element ? event.target : document.body;
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      if (event.key === "Escape" && isField(target)) return (target as HTMLElement).blur();
      if (isField(target) || target.closest('[role="dialog"], dialog, [role="tablist"]')) return;
      const isInList = target === document.body || !!target.closest(".list");
      if (act(console, letterOf(event), isInList)) event.preventDefault();
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, [console]);
}

export function Keys() {
  return (
    <Sheet title={t("Keyboard shortcuts")}>
      <dl class="keys-list">
        {keyWords().map(([key, words]) => (
          <div key={key}>
            <dt>{words}</dt>
            <dd>
              <kbd dir="ltr">{key}</kbd>
            </dd>
          </div>
        ))}
      </dl>
    </Sheet>
  );
}
