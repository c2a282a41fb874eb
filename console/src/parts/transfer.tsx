/** Hands a conversation on to an agent, a bot or a team, and says what came of it. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Outcome } from "../console.ts";
import { refusalWords } from "../refusals.ts";
import { stateOf } from "../state/desk.ts";
import { staffName, teamName } from "../state/names.ts";
import { byStanding, slotWords, standingWords } from "../state/standing.ts";
import type { AgentStatus, Colleague, Staff, State } from "../types.ts";
import { t } from "../words.ts";
import { Sheet } from "./sheet.tsx";
import { useConsole, useDesk } from "./use.ts";
import "./transfer.css";

const TEAM = "tem_";

export function Transfer({ conversation }: { conversation: string }) {
  const state = useDesk((desk) => stateOf(desk, conversation));
  return <Sheet title={t("Transfer")}>{state && <Form state={state} />}</Sheet>;
}

function Form({ state }: { state: State }) {
  const { transfer, show, toast, textLimit } = useConsole();
  const staff = useDesk((desk) => desk.staff);
  const [to, setTo] = useState("");
  const [note, setNote] = useState("");
  const [follows, setFollows] = useState(false);
  const [whenFull, setWhenFull] = useState<"queue" | "refuse">("queue");
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const isHere = useRef(true);
  useEffect(() => () => void (isHere.current = false), []);

  const submit = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    if (!to) return setProblem(t("Choose who is to get it."));
    setBusy(true);
    setProblem(null);
    const words = note.trim();
    const outcome = await transfer({
      conversation: state.id,
      to,
      when_full: whenFull,
      ...(words && { note: words }),
      ...(follows && { keep_following: true }),
    });
    const said = outcomeWords(outcome, to, staff);
    if (!isHere.current) return toast(said, typeof outcome !== "string");
    setBusy(false);
    if (typeof outcome !== "string") return setProblem(said);
    toast(said, false);
    show(null);
  };

  return (
    <form class="transfer" onSubmit={submit}>
      <label class="transfer-label">
        {t("To")}
        <Targets state={state} to={to} choose={setTo} />
      </label>
      <label class="transfer-label">
        {t("Note for your team")}
        <textarea
          class="field transfer-note"
          dir={note ? "auto" : undefined}
          rows={3}
          maxLength={textLimit()}
          value={note}
          onInput={(event) => setNote(event.currentTarget.value)}
        />
      </label>
      <label class="transfer-choice">
        <input type="checkbox" checked={follows} onChange={(event) => setFollows(event.currentTarget.checked)} />
        <span>{t("Keep following it")}</span>
      </label>
      <fieldset>
        <legend>{t("When nobody there can take it now")}</legend>
        {(["queue", "refuse"] as const).map((one) => (
          <label key={one} class="transfer-choice">
            <input
              type="radio"
              name="when-full"
              value={one}
              checked={whenFull === one}
              onChange={() => setWhenFull(one)}
            />
            <span>{one === "queue" ? t("It waits in the queue") : t("It stays where it is")}</span>
          </label>
        ))}
      </fieldset>
      <p class="sheet-problem" role="alert">
        {problem}
      </p>
      <div class="sheet-foot">
        <button class="button" type="button" onClick={() => show(null)}>
          {t("Cancel")}
        </button>
        <button class="button button-main" type="submit" disabled={isBusy}>
          {isBusy ? t("Transferring…") : t("Transfer")}
        </button>
      </div>
    </form>
  );
}

/** Whoever can take it stands first; the others may be chosen too, and it waits for them. */
function Targets({ state, to, choose }: { state: State; to: string; choose: (to: string) => void }) {
  const { now } = useConsole();
  const [staff, statuses] = [useDesk((desk) => desk.staff), useDesk((desk) => desk.held.statuses)];
  const option = (one: Colleague) => (
    <option key={one.id} value={one.id}>
      {targetWords(one, statuses.get(one.id), now())}
    </option>
  );
  const others = (all: readonly Colleague[]) =>
    all
      .filter(({ id }) => id !== state.assignee)
      .sort((one, other) => byStanding(statuses.get(one.id), statuses.get(other.id)));
  return (
    <select class="field" value={to} onChange={(event) => choose(event.currentTarget.value)}>
      <option value="">{t("Choose…")}</option>
      <optgroup label={t("Agents")}>{others(staff.agents).map(option)}</optgroup>
      {staff.bots.length > 0 && <optgroup label={t("Bots")}>{others(staff.bots).map(option)}</optgroup>}
      <optgroup label={t("Teams")}>
        {staff.teams.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </optgroup>
    </select>
  );
}

function targetWords({ name }: Colleague, status: AgentStatus | undefined, now: number): string {
  return status ? `${name} (${standingWords(status, now)}, ${slotWords(status)})` : name;
}

function outcomeWords(outcome: Outcome, to: string, staff: Staff): string {
  const isTeam = to.startsWith(TEAM);
  const name = isTeam ? teamName(to, staff) : staffName(to, staff);
  if (outcome === "queued") return t("Nobody there can take it now. It waits in the queue for {name}.", { name });
  if (outcome === "assigned") return isTeam ? t("Somebody of {name} has it now", { name }) : t("{name} has it now", { name });
  if (outcome.why === "full") return t("Nobody there can take it now, so it stays where it is.");
  return refusalWords(outcome.why);
}
