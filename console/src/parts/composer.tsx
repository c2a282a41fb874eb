/** Where the agent writes: a reply that the shopper reads, or a note that only the team does. */

import { useLayoutEffect, useRef } from "preact/hooks";
import type { Mode } from "../state/drafts.ts";
import { draftOf } from "../state/desk.ts";
import { contactName } from "../state/names.ts";
import { isResolved } from "../state/views.ts";
import type { State } from "../types.ts";
import { t } from "../words.ts";
import { Icon } from "./icon.tsx";
import { useConsole, useDesk } from "./use.ts";
import "./composer.css";

/** From here on the agent is told how much room is left. */
const TELL_AT = 500;

const modeWords = (mode: Mode): string => (mode === "reply" ? t("Reply") : t("Note"));

function Tabs({ mode, choose }: { mode: Mode; choose: (mode: Mode) => void }) {
  return (
    <div class="composer-tabs" role="tablist" aria-label={t("What to write")}>
      {(["reply", "note"] as const).map((one) => (
        <button
          key={one}
          class="composer-tab"
          type="button"
          role="tab"
          id={`tab-${one}`}
          aria-selected={mode === one}
          aria-controls="writing"
          tabIndex={mode === one ? 0 : -1}
          onClick={() => choose(one)}
          onKeyDown={(event) => {
            if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
            event.preventDefault();
            const other = one === "reply" ? "note" : "reply";
            choose(other);
            document.getElementById(`tab-${other}`)?.focus();
          }}
        >
          <Icon name={one} turns={one === "reply"} />
          {modeWords(one)}
        </button>
      ))}
    </div>
  );
}

export function Composer({ state }: { state: State }) {
  const { setDraft, send, note, sendAndResolve, textLimit } = useConsole();
  const draft = useDesk((desk) => draftOf(desk, state.id));
  const field = useRef<HTMLTextAreaElement>(null);
  const { mode } = draft;
  const text = draft[mode];
  const left = textLimit() - [...text].length;
  const canSend = text.trim() !== "" && left >= 0;

  // As high as its text, up to the limit that the style sets.
  useLayoutEffect(() => {
    const box = field.current;
    if (!box) return;
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight + 2}px`;
  }, [text, state.id]);

  const choose = (next: Mode) => setDraft(state.id, { ...draft, mode: next });

  const submit = (isLast: boolean) => {
    if (!canSend) return;
    if (mode === "note") note(state.id, text.trim());
    else if (isLast) sendAndResolve(state.id, text.trim());
    else send(state.id, text.trim());
    field.current?.focus();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    // An input method uses Enter to take a word; that isn't ours.
    if (event.isComposing || event.key !== "Enter" || event.shiftKey || event.altKey) return;
    event.preventDefault();
    submit(event.ctrlKey || event.metaKey);
  };

  const name = contactName(state);
  const sendWords = mode === "note" ? t("Add note") : t("Send");
  return (
    <form
      class={`composer composer-${mode}`}
      onSubmit={(event) => {
        event.preventDefault();
        submit(false);
      }}
    >
      <div class="composer-top">
        <Tabs mode={mode} choose={choose} />
        {mode === "note" && <p class="composer-hint">{t("Only your team sees this")}</p>}
        {mode === "reply" && isResolved(state) && <p class="composer-hint">{t("This conversation is resolved")}</p>}
      </div>
      <div id="writing" role="tabpanel" aria-labelledby={`tab-${mode}`}>
        <textarea
          ref={field}
          id="composer"
          class="composer-field"
          dir={text ? "auto" : undefined}
          rows={1}
          value={text}
          aria-label={mode === "note" ? t("Note for your team") : t("Reply to {name}", { name })}
          placeholder={mode === "note" ? t("Write a note for your team…") : t("Write a reply…")}
          onInput={(event) => setDraft(state.id, { ...draft, [mode]: event.currentTarget.value })}
          onKeyDown={onKeyDown}
        />
      </div>
      <div class="composer-foot">
        <p class={left < 0 ? "composer-left composer-over" : "composer-left"} role="status">
          {left < 0 && t("{n} characters too many", { n: -left })}
          {left >= 0 && left < TELL_AT && t("{n} characters left", { n: left })}
        </p>
        {mode === "reply" && !isResolved(state) && (
          <button
            class="button"
            type="button"
            disabled={!canSend}
            onClick={() => submit(true)}
            title={`${t("Send and resolve")} (Ctrl+Enter)`}
          >
            {t("Send and resolve")}
          </button>
        )}
        <button class="button button-main" type="submit" disabled={!canSend} title={`${sendWords} (Enter)`}>
          <Icon name={mode === "note" ? "note" : "send"} turns={mode === "reply"} />
          {sendWords}
        </button>
      </div>
    </form>
  );
}
