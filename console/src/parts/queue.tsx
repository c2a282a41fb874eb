/** What waits, in the order in which it is served: place, since when, for which team. */

import { useEffect, useState } from "preact/hooks";
import { HttpProblem, getQueue } from "../http.ts";
import { refusalWords } from "../refusals.ts";
import { stateOf } from "../state/desk.ts";
import { contactName, inboxName, teamName, visitorName } from "../state/names.ts";
import { hashOf } from "../state/place.ts";
import { LATE_MS, spanWords } from "../state/time.ts";
import type { Queue as Answer, TeamQueue, Waiting } from "../types.ts";
import { t } from "../words.ts";
import { Sheet } from "./sheet.tsx";
import { useConsole, useDesk, useNow } from "./use.ts";
import "./queue.css";

const AGAIN_MS = 5000;
const TICK_MS = 1000;

export function Queue() {
  const [queue, setQueue] = useState<Answer | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const now = useNow(TICK_MS);
  useEffect(() => {
    let isGone = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      try {
        const answer = await getQueue();
        if (!isGone) setQueue(answer);
        if (!isGone) setProblem(null);
      } catch (error) {
        if (!isGone) setProblem(error instanceof HttpProblem ? error.code : "unknown");
      }
      if (!isGone) timer = setTimeout(look, AGAIN_MS);
    };
    void look();
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, []);
  return (
    <Sheet title={t("Queue")}>
      <p class="sheet-problem" role="alert">
        {problem && refusalWords(problem)}
      </p>
      {!queue && !problem && <p class="sheet-none">{t("Loading…")}</p>}
      {queue && <Teams teams={queue.teams} />}
      {queue && !queue.waiting.length && <p class="sheet-none">{t("Nobody is waiting")}</p>}
      {queue && queue.waiting.length > 0 && (
        <ol class="sheet-list">
          {queue.waiting.map((waiting) => (
            <Line key={waiting.conversation} waiting={waiting} now={now} />
          ))}
        </ol>
      )}
    </Sheet>
  );
}

/** Those alone that have something to say: how long their queue is, and whether it is full. */
function Teams({ teams }: { teams: readonly TeamQueue[] }) {
  const staff = useDesk((desk) => desk.staff);
  const told = teams.filter(({ length, full }) => length > 0 || full);
  if (!told.length) return null;
  return (
    <p class="sheet-hint">
      {told
        .map(({ team, length, limit, full }) => {
          const name = teamName(team, staff);
          if (full) return t("{team}: {n}, full", { team: name, n: length });
          return limit === null ? t("{team}: {n}", { team: name, n: length }) : t("{team}: {n} of {limit}", { team: name, n: length, limit });
        })
        .join(" · ")}
    </p>
  );
}

function Line({ waiting, now }: { waiting: Waiting; now: number }) {
  const { show } = useConsole();
  const [staff, place] = [useDesk((desk) => desk.staff), useDesk((desk) => desk.place)];
  const state = useDesk((desk) => stateOf(desk, waiting.conversation));
  const ms = Math.max(0, now - waiting.queued_at);
  const name = state ? contactName(state) : visitorName(waiting.contact);
  const [team] = waiting.teams;
  const facts = [team ? teamName(team, staff) : t("No team"), inboxName(waiting.inbox, staff), waiting.left && t("left a message")];
  return (
    <li>
      <span class="queue-place">
        {waiting.position ?? "–"}
        <span class="unseen"> {t("place in line")}</span>
      </span>
      <span class="sheet-what">
        <a
          class="sheet-name cut"
          dir="auto"
          href={hashOf({ ...place, conversation: waiting.conversation })}
          onClick={() => show(null)}
        >
          {name}
        </a>
        <span class="sheet-more">{facts.filter(Boolean).join(" · ")}</span>
      </span>
      <span class={ms >= LATE_MS && !waiting.left ? "sheet-figure queue-late" : "sheet-figure"}>
        {t("waiting {span}", { span: spanWords(ms) })}
      </span>
    </li>
  );
}
