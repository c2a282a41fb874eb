/** Everybody who works here: who can take a conversation, who can't and why, until when, and how much each has. */

import { useMemo, useRef, useState } from "preact/hooks";
import { byStanding, reasonWords, slotWords, standingWords } from "../state/standing.ts";
import type { AgentStatus, Colleague } from "../types.ts";
import { t } from "../words.ts";
import { AvailabilityForm } from "./availability.tsx";
import { Avatar } from "./avatar.tsx";
import { Sheet } from "./sheet.tsx";
import { useDesk, useNow } from "./use.ts";

/** `until` passes without anybody saying so. */
const TICK_MS = 5000;

export function Colleagues() {
  const [staff, me, statuses] = [
    useDesk((desk) => desk.staff),
    useDesk((desk) => desk.me)!.agent,
    useDesk((desk) => desk.held.statuses),
  ];
  const [changing, change] = useState<string | null>(null);
  const isLive = useDesk((desk) => desk.isLive);
  const now = useNow(TICK_MS);
  const everybody = useMemo(
    () => [...staff.agents, ...staff.bots].sort((one, other) => byStanding(statuses.get(one.id), statuses.get(other.id))),
    [staff, statuses],
  );
  const mayChange = me.role !== "agent";
  return (
    <Sheet title={t("Colleagues")}>
      {!isLive && <p class="sheet-hint">{t("There is no connection: this is how it was last.")}</p>}
      <ul class="sheet-list">
        {everybody.map((one) => (
          <Line
            key={one.id}
            one={one}
            isMe={one.id === me.id}
            status={statuses.get(one.id)}
            now={now}
            isChanging={changing === one.id}
            change={mayChange ? () => change(changing === one.id ? null : one.id) : undefined}
          />
        ))}
      </ul>
    </Sheet>
  );
}

interface LineProps {
  readonly one: Colleague;
  readonly isMe: boolean;
  readonly status: AgentStatus | undefined;
  readonly now: number;
  readonly isChanging: boolean;
  readonly change: (() => void) | undefined;
}

function Line({ one, isMe, status, now, isChanging, change }: LineProps) {
  const button = useRef<HTMLButtonElement>(null);
  const done = () => {
    change?.();
    button.current?.focus();
  };
  const isPresent = !!status && status.reason !== "not_present" && status.reason !== "unknown";
  return (
    <li data-agent={one.id}>
      <Avatar id={one.id} name={one.name} picture={one.picture} isPresent={isPresent} />
      <span class="sheet-what">
        <span class="sheet-name cut" dir="auto">
          {isMe ? t("{name} (you)", { name: one.name }) : one.name}
        </span>
        <span class="sheet-more">{status ? standingWords(status, now) : reasonWords("unknown")}</span>
      </span>
      {status && (
        <span class="sheet-figure" title={t("Slots used")}>
          <span class="unseen">{t("Slots used")} </span>
          {slotWords(status)}
        </span>
      )}
      {status && change && (
        <button
          ref={button}
          class="button"
          type="button"
          aria-expanded={isChanging}
          aria-label={t("Change the availability of {name}", { name: one.name })}
          onClick={change}
        >
          {t("Change")}
        </button>
      )}
      {status && change && isChanging && <AvailabilityForm status={status} name={one.name} done={done} />}
    </li>
  );
}
