/** One conversation in the list: who, since when they wait, the last words, what is unread, whose it is. */

import { contactName, staffName } from "../state/names.ts";
import type { Place } from "../state/place.ts";
import { hashOf } from "../state/place.ts";
import { LATE_MS, spanWords } from "../state/time.ts";
import { isResolved, unreadFor } from "../state/views.ts";
import type { Agent, Staff, State } from "../types.ts";
import { t } from "../words.ts";
import { Avatar } from "./avatar.tsx";
import { Icon } from "./icon.tsx";
import "./row.css";

export function statusWords(state: State): string {
  switch (state.status) {
    case "queued":
      return t("Queued");
    case "open":
      return t("Open|one conversation");
    case "snoozed":
      return t("Snoozed");
    case "resolved":
      return t("Resolved|one conversation");
  }
}

function Waiting({ since, now }: { since: number; now: number }) {
  const ms = Math.max(0, now - since);
  return (
    <span class={ms >= LATE_MS ? "row-wait row-late" : "row-wait"}>{t("waiting {span}", { span: spanWords(ms) })}</span>
  );
}

interface Props {
  readonly state: State;
  readonly place: Place;
  readonly me: Agent;
  readonly staff: Staff;
  readonly now: number;
  readonly isTyping: boolean;
  readonly hasDraft: boolean;
}

export function Row({ state, place, me, staff, now, isTyping, hasDraft }: Props) {
  const name = contactName(state);
  const unread = isResolved(state) ? 0 : unreadFor(state, me);
  const isHere = place.conversation === state.id;
  const isOthers = !!state.assignee && state.assignee !== me.id;
  const owner = state.assignee ? staffName(state.assignee, staff, state) : null;
  const classes = ["row", isHere && "row-here", unread > 0 && "row-unread", isOthers && "row-others"];
  return (
    <li>
      <a
        class={classes.filter(Boolean).join(" ")}
        href={hashOf({ ...place, conversation: state.id })}
        aria-current={isHere ? "true" : undefined}
        data-conversation={state.id}
      >
        <Avatar id={state.contact ?? state.id} name={name} picture={state.people[state.contact ?? ""]?.picture} />
        <span class="row-body">
          <span class="row-line">
            <span class="row-name cut" dir="auto" title={name}>
              {name}
            </span>
            {state.waiting_since && !isResolved(state) ? (
              <Waiting since={state.waiting_since} now={now} />
            ) : (
              <span class="row-wait">{statusWords(state)}</span>
            )}
          </span>
          <span class="row-line">
            <span class="row-preview cut" dir="auto">
              {isTyping ? <em class="row-typing">{t("typing…")}</em> : state.preview || (state.preview_of ? t("Message withdrawn") : t("No messages yet"))}
            </span>
            {hasDraft && (
              <span class="row-draft" title={t("You have a draft here")}>
                <Icon name="note" />
                <span class="unseen">{t("draft")}</span>
              </span>
            )}
            {unread > 0 && (
              <span class="row-count">
                {unread}
                <span class="unseen"> {t("unread")}</span>
              </span>
            )}
            {state.assignee && owner && (
              <span class="row-owner" title={t("Assigned to {name}", { name: owner })}>
                <Avatar id={state.assignee} name={owner} size="small" />
                <span class="unseen">{t("Assigned to {name}", { name: owner })}</span>
              </span>
            )}
          </span>
        </span>
      </a>
    </li>
  );
}
