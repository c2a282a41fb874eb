/** The routing log of one conversation: who got it, who didn't, and why. For supervisors. */

import { useEffect, useState } from "preact/hooks";
import { HttpProblem, getDecisions } from "../http.ts";
import { refusalWords } from "../refusals.ts";
import { stateOf } from "../state/desk.ts";
import { staffName } from "../state/names.ts";
import { clockWords, dayWords, momentWords } from "../state/time.ts";
import { slotWords } from "../state/standing.ts";
import { decisionTeam, decisionWords, verdictWords } from "../state/verdicts.ts";
import type { Decision, State } from "../types.ts";
import { t } from "../words.ts";
import { Sheet } from "./sheet.tsx";
import { useConsole, useDesk } from "./use.ts";
import "./routing.css";

export function RoutingLog({ conversation }: { conversation: string }) {
  const [decisions, setDecisions] = useState<readonly Decision[]>([]);
  const [hasMore, setMore] = useState(false);
  const [isLoading, setLoading] = useState(true);
  const [problem, setProblem] = useState<string | null>(null);
  const state = useDesk((desk) => stateOf(desk, conversation));

  const load = async (before?: number) => {
    setLoading(true);
    setProblem(null);
    try {
      const page = await getDecisions(conversation, before);
      setDecisions((known) => (before === undefined ? page.decisions : [...known, ...page.decisions]));
      setMore(page.more);
    } catch (error) {
      setProblem(error instanceof HttpProblem ? error.code : "unknown");
    }
    setLoading(false);
  };
  useEffect(() => void load(), [conversation]);

  return (
    <Sheet title={t("Routing log")}>
      <p class="sheet-problem" role="alert">
        {problem && refusalWords(problem)}
      </p>
      {!isLoading && !problem && !decisions.length && <p class="sheet-none">{t("Nothing was decided yet.")}</p>}
      <ol class="routing" aria-busy={isLoading}>
        {decisions.map((decision) => (
          <Line key={decision.position} decision={decision} state={state} />
        ))}
      </ol>
      {isLoading && <p class="sheet-none">{t("Loading…")}</p>}
      {hasMore && !isLoading && (
        <button class="button button-plain" type="button" onClick={() => void load(decisions[decisions.length - 1]?.position)}>
          {t("Show more")}
        </button>
      )}
    </Sheet>
  );
}

function Line({ decision, state }: { decision: Decision; state: State | undefined }) {
  const staff = useDesk((desk) => desk.staff);
  const { now } = useConsole();
  const team = decisionTeam(decision, staff);
  return (
    <li>
      <p class="routing-what">
        <bdi>{decisionWords(decision, staff, state)}</bdi>
        {team && <bdi class="routing-team">{team}</bdi>}
        <time dateTime={new Date(decision.at).toISOString()} title={momentWords(decision.at)}>
          {dayWords(decision.at, now())}, {clockWords(decision.at)}
        </time>
      </p>
      {decision.candidates.length > 0 && (
        <table class="routing-candidates">
          <thead class="unseen">
            <tr>
              <th scope="col">{t("Candidate")}</th>
              <th scope="col">{t("Why")}</th>
              <th scope="col">{t("Slots used")}</th>
            </tr>
          </thead>
          <tbody>
            {decision.candidates.map((one) => (
              <tr key={one.member} class={one.verdict === "chosen" ? "routing-chosen" : undefined}>
                <th scope="row" dir="auto">
                  {staffName(one.member, staff, state)}
                </th>
                <td>{verdictWords(one)}</td>
                <td class="routing-slots">{slotWords(one)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </li>
  );
}
