/** Whether I get conversations and why not, and the switch for it. */

import { useEffect, useRef, useState } from "preact/hooks";
import { ownStatus } from "../state/desk.ts";
import { staffName } from "../state/names.ts";
import { isOver, isSetByService, reasonWords, slotWords, standingWords, whyWords } from "../state/standing.ts";
import type { AgentStatus } from "../types.ts";
import { t } from "../words.ts";
import { AvailabilityForm } from "./availability.tsx";
import { useConsole, useDesk, useNow } from "./use.ts";
import "./standing.css";

/** `until` passes without anybody saying so. */
const TICK_MS = 5000;

export function Standing() {
  const status = useDesk(ownStatus);
  const isLive = useDesk((desk) => desk.isLive);
  const { now: clock } = useConsole();
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  useNow(TICK_MS);
  if (!status) return null;
  const words = standingWords(status, clock());
  const close = (isDone: boolean) => {
    setOpen(false);
    // Who clicked elsewhere wants to be there.
    if (isDone) button.current?.focus();
  };
  return (
    <div class="standing">
      <button
        ref={button}
        id="standing"
        class="standing-button"
        type="button"
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        aria-label={t("Your status: {status}, change", { status: words })}
        title={words}
        onClick={() => setOpen(!isOpen)}
      >
        <span class={`standing-dot standing-${isLive ? status.status : "offline"}`} aria-hidden="true" />
        <span class="standing-words">
          <span class="cut">{reasonWords(status.reason)}</span>
          <span class="standing-more cut">{moreWords(status, words)}</span>
        </span>
        <span class="standing-slots">{slotWords(status)}</span>
      </button>
      {/* Said to whoever can't see the dot, also when the service has changed it. */}
      <p class="unseen" role="status">
        {words}
      </p>
      {isOpen && <Switch status={status} close={close} />}
    </div>
  );
}

/** What stands beside the first words. */
function moreWords(status: AgentStatus, words: string): string {
  return words.slice(reasonWords(status.reason).length).replace(/^ · /, "");
}

function Switch({ status, close }: { status: AgentStatus; close: (isDone: boolean) => void }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    box.current?.querySelector<HTMLInputElement>("input:checked")?.focus();
    const look = ({ target }: Event) => {
      if (target instanceof Element && !target.closest(".standing")) close(false);
    };
    document.addEventListener("pointerdown", look);
    document.addEventListener("focusin", look);
    return () => {
      document.removeEventListener("pointerdown", look);
      document.removeEventListener("focusin", look);
    };
  }, []);
  const staff = useDesk((desk) => desk.staff);
  return (
    <div
      class="standing-switch"
      role="dialog"
      aria-label={t("Your status")}
      ref={box}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        event.stopPropagation();
        close(true);
      }}
    >
      {status.set_by !== undefined && status.availability !== "available" && (
        <p class="sheet-hint">
          {isSetByService(status)
            ? t("You were set away: {why}", { why: whyWords(status) })
            : t("Set by {name}", { name: staffName(status.set_by, staff) })}
        </p>
      )}
      {isOver(status) && <p class="sheet-hint">{t("Your shift is over, so you get nothing new whatever you choose.")}</p>}
      <AvailabilityForm status={status} done={() => close(true)} />
    </div>
  );
}
