/** Above the timeline: who it is, how it stands, whose it is, and the verbs. */

import { useRef, useState } from "preact/hooks";
import { contactName, inboxName, staffName, teamName } from "../state/names.ts";
import { hashOf } from "../state/place.ts";
import { isResolved } from "../state/views.ts";
import type { State } from "../types.ts";
import { t } from "../words.ts";
import { Avatar } from "./avatar.tsx";
import { Icon } from "./icon.tsx";
import { Picker } from "./picker.tsx";
import { statusWords } from "./row.tsx";
import { useConsole, useDesk } from "./use.ts";
import "./header.css";

function Assignee({ state }: { state: State }) {
  const staff = useDesk((desk) => desk.staff);
  const present = useDesk((desk) => desk.held.present);
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const name = state.assignee ? staffName(state.assignee, staff, state) : null;
  const close = (isDone: boolean) => {
    setOpen(false);
    // Who clicked elsewhere wants to be there.
    if (isDone) button.current?.focus();
  };
  return (
    <div class="assignee">
      <button
        ref={button}
        id="assign"
        class="button assignee-button"
        type="button"
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        aria-label={name ? t("Assigned to {name}, change", { name }) : t("Assign")}
        onMouseDown={(event) => isOpen && event.preventDefault()}
        onClick={() => setOpen(!isOpen)}
      >
        {state.assignee && name ? (
          <>
            <Avatar id={state.assignee} name={name} size="small" isPresent={present.has(state.assignee)} />
            <span class="cut" dir="auto">
              {name}
            </span>
          </>
        ) : (
          <>
            <Icon name="person" />
            <span>{t("Assign")}</span>
          </>
        )}
      </button>
      {isOpen && <Picker state={state} close={close} />}
    </div>
  );
}

function Verbs({ state }: { state: State }) {
  const { claim, resolve, reopen, show } = useConsole();
  const isSupervisor = useDesk((desk) => desk.me?.agent.role !== "agent");
  return (
    <>
      {isSupervisor && (
        <button
          class="button button-icon head-routing"
          type="button"
          onClick={() => show({ kind: "routing", conversation: state.id })}
          aria-label={t("Routing log")}
          title={t("Routing log")}
        >
          <Icon name="route" turns />
        </button>
      )}
      {!isResolved(state) && (
        <button
          id="transfer"
          class="button button-icon"
          type="button"
          onClick={() => show({ kind: "transfer", conversation: state.id })}
          aria-label={t("Transfer")}
          title={`${t("Transfer")} (t)`}
        >
          <Icon name="transfer" turns />
        </button>
      )}
      {!state.assignee && !isResolved(state) && (
        <button class="button" type="button" onClick={() => claim(state.id)} title={`${t("Claim")} (c)`}>
          <Icon name="hand" />
          <span>{t("Claim")}</span>
        </button>
      )}
      {isResolved(state) ? (
        <button class="button" type="button" onClick={() => reopen(state.id)} title={`${t("Reopen")} (o)`}>
          <Icon name="reopen" />
          <span>{t("Reopen")}</span>
        </button>
      ) : (
        <button
          class="button button-main"
          type="button"
          onClick={() => resolve(state.id)}
          title={`${t("Resolve")} (e)`}
        >
          <Icon name="check" />
          <span>{t("Resolve")}</span>
        </button>
      )}
    </>
  );
}

export function Header({ state }: { state: State }) {
  const [staff, place] = [useDesk((desk) => desk.staff), useDesk((desk) => desk.place)];
  const name = contactName(state);
  const facts = [inboxName(state.inbox, staff), state.team && teamName(state.team, staff), state.subject];
  return (
    <header class="head">
      <a class="button button-plain button-icon head-back" href={hashOf({ ...place, conversation: null })}>
        <Icon name="back" turns />
        <span class="unseen">{t("Back to the list")}</span>
      </a>
      <Avatar id={state.contact ?? state.id} name={name} picture={state.people[state.contact ?? ""]?.picture} />
      <div class="head-who">
        <h2 class="head-name cut" dir="auto" title={name}>
          {name}
        </h2>
        <p class="head-facts cut">
          <span class={`head-status head-${state.status}`}>{statusWords(state)}</span>
          {facts.filter(Boolean).map((fact) => (
            <span key={fact} class="head-fact">
              <bdi>{fact}</bdi>
            </span>
          ))}
        </p>
      </div>
      <div class="head-verbs">
        <Assignee state={state} />
        <Verbs state={state} />
      </div>
    </header>
  );
}
