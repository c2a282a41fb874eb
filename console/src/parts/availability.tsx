/** Whether somebody takes conversations: the choice, its reason, and what becomes of open ones when the shift ends. */

import { useId, useState } from "preact/hooks";
import { refusalWords } from "../refusals.ts";
import { availabilityWords, ownReason } from "../state/standing.ts";
import type { AgentStatus, Availability } from "../types.ts";
import { t } from "../words.ts";
import { useConsole } from "./use.ts";
import "./availability.css";

const CHOICES = ["available", "busy", "away"] as const;
const REASON_LIMIT = 100; // characters, as the service counts them

interface Props {
  readonly status: AgentStatus;
  readonly name?: string; // of somebody else
  readonly done: () => void;
}

export function AvailabilityForm({ status, name, done }: Props) {
  const { setAvailability } = useConsole();
  const [choice, choose] = useState<Availability>(status.availability);
  const [reason, setReason] = useState(ownReason(status));
  const [finish, setFinish] = useState<boolean | undefined>(undefined);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const id = useId();

  const submit = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    const why = choice === "available" ? "" : reason.trim();
    const code = await setAvailability(status.agent, { availability: choice, reason: why, ...(finish !== undefined && { finish }) });
    setBusy(false);
    if (code === null) done();
    else setProblem(refusalWords(code));
  };

  return (
    <form class="availability" onSubmit={submit}>
      <fieldset>
        <legend>{name ? t("Availability of {name}", { name }) : t("Availability")}</legend>
        {CHOICES.map((one) => (
          <label key={one} class="availability-choice">
            <input type="radio" name={id} value={one} checked={choice === one} onChange={() => choose(one)} />
            <span>{availabilityWords(one)}</span>
            <span class="availability-hint">{hintWords(one)}</span>
          </label>
        ))}
      </fieldset>
      {choice !== "available" && (
        <input
          class="field"
          type="text"
          dir={reason ? "auto" : undefined}
          maxLength={REASON_LIMIT}
          aria-label={t("Reason")}
          placeholder={t("Reason, such as lunch")}
          value={reason}
          onInput={(event) => setReason(event.currentTarget.value)}
        />
      )}
      {!name && (
        <label class="availability-finish">
          <input
            type="checkbox"
            checked={finish ?? status.finishes ?? false}
            onChange={(event) => setFinish(event.currentTarget.checked)}
          />
          <span>{t("Finish what I have when my shift ends")}</span>
        </label>
      )}
      <p class="sheet-problem" role="alert">
        {problem}
      </p>
      <button class="button button-main" type="submit" disabled={isBusy}>
        {t("Set")}
      </button>
    </form>
  );
}

function hintWords(availability: Availability): string {
  switch (availability) {
    case "available":
      return t("gets conversations");
    case "busy":
      return t("at work, but for nothing new");
    case "away":
      return t("not at work");
  }
}
