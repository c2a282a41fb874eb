/** The end of a shift: what is still open before it, what was handed over at it, and what came from a colleague by it. */

import { type Desk, ownStatus } from "../state/desk.ts";
import { givenBy, isEnding, takenBy } from "../state/handover.ts";
import { contactName, staffName } from "../state/names.ts";
import { hashOf } from "../state/place.ts";
import { isOver } from "../state/standing.ts";
import { clockWords } from "../state/time.ts";
import type { State } from "../types.ts";
import { t } from "../words.ts";
import { statusWords } from "./row.tsx";
import { Sheet } from "./sheet.tsx";
import { useConsole, useDesk, useNow } from "./use.ts";
import "./handover.css";

/** The end of a shift comes nearer without anybody saying so. */
const TICK_MS = 30_000;

/** Above the list of conversations, when there is something to say. */
export function HandoverNotice() {
  const { show, finishMine } = useConsole();
  const [known, me] = [useDesk((desk) => desk.held.byId), useDesk((desk) => desk.me?.agent.id ?? "")];
  const [status, handovers] = [useDesk(ownStatus), useDesk((desk) => desk.handovers)];
  const open = status?.used ?? 0;
  const given = givenBy(handovers.given, known, me, status).length;
  const taken = takenBy(handovers.taken, known, me).length;
  const now = useNow(TICK_MS);
  return (
    <div class="handover-place" role="status">
      {isEnding(status, now) && open > 0 && (
        <p class="handover">
          <span>{endingWords(status?.shift_ends_at, open)}</span>
          {status?.finishes ? (
            <span class="handover-done">{t("You finish what you have.")}</span>
          ) : (
            <button class="handover-button" type="button" onClick={() => void finishMine()}>
              {t("Finish what I have")}
            </button>
          )}
        </p>
      )}
      {isOver(status) && open > 0 && (
        <p class="handover">{t("Your shift is over. You still have {n} open.", { n: open })}</p>
      )}
      {given > 0 && (
        <p class="handover">
          <span>{t("Your shift is over. Handed over: {n}.", { n: given })}</span>
          <button class="handover-button" type="button" onClick={() => show({ kind: "given" })}>
            {t("Show what you handed over")}
          </button>
        </p>
      )}
      {taken > 0 && (
        <p class="handover">
          <span>{t("Taken over from colleagues whose shift ended: {n}.", { n: taken })}</span>
          <button class="handover-button" type="button" onClick={() => show({ kind: "taken" })}>
            {t("Show what you took over")}
          </button>
        </p>
      )}
    </div>
  );
}

function endingWords(until: number | undefined, n: number): string {
  if (until === undefined) return t("Your shift ends soon. Still open: {n}.", { n });
  return t("Your shift ends at {time}. Still open: {n}.", { time: clockWords(until), n });
}

export function HandoverSheet({ kind }: { kind: "given" | "taken" }) {
  const [known, me] = [useDesk((desk) => desk.held.byId), useDesk((desk) => desk.me?.agent.id ?? "")];
  const [status, staff, handovers] = [useDesk(ownStatus), useDesk((desk) => desk.staff), useDesk((desk) => desk.handovers)];
  const lines =
    kind === "given"
      ? givenBy(handovers.given, known, me, status).map((state) => ({ state, words: nowWords(state, staff) }))
      : takenBy(handovers.taken, known, me).map(({ state, from }) => ({ state, words: t("from {name}", { name: staffName(from, staff, state) }) }));
  return (
    <Sheet title={kind === "given" ? t("What you handed over") : t("What you took over")}>
      {!lines.length && <p class="sheet-none">{t("Nothing any more.")}</p>}
      <ul class="sheet-list">
        {lines.map(({ state, words }) => (
          <Line key={state.id} state={state} words={words} />
        ))}
      </ul>
    </Sheet>
  );
}

function nowWords(state: State, staff: Desk["staff"]): string {
  return state.assignee ? t("now with {name}", { name: staffName(state.assignee, staff, state) }) : statusWords(state);
}

function Line({ state, words }: { state: State; words: string }) {
  const { show } = useConsole();
  const place = useDesk((desk) => desk.place);
  return (
    <li>
      <span class="sheet-what">
        <a
          class="sheet-name cut"
          dir="auto"
          href={hashOf({ ...place, conversation: state.id })}
          onClick={() => show(null)}
        >
          {contactName(state)}
        </a>
        <span class="sheet-more cut" dir="auto">
          {state.preview || t("No messages yet")}
        </span>
      </span>
      <span class="sheet-figure">
        <bdi>{words}</bdi>
      </span>
    </li>
  );
}
