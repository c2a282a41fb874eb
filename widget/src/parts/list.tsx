/** All conversations of this shopper, the one that moved last first. */

import type { Conversation } from "../conversations.ts";
import type { Shopper, View } from "../shopper.ts";
import { byLatest, movedAt, unread } from "../state/reach.ts";
import { wordsOf } from "../state/timeline.ts";
import { day, t, time } from "../words.ts";
import { Avatar, Mark } from "./avatar.tsx";
import "./list.css";

export function List({ shopper, view }: { readonly shopper: Shopper; readonly view: View }) {
  return (
    <div class="list">
      <ul>
        {byLatest(view.held.byId.values()).map((one) => (
          <li key={one.id}>
            <Item conversation={one} me={view.me} look={() => shopper.look(one.id)} />
          </li>
        ))}
      </ul>
      <button type="button" class="list-new" onClick={() => shopper.startNew()}>
        {t("Start a new conversation")}
      </button>
    </div>
  );
}

function Item({ conversation, me, look }: { readonly conversation: Conversation; readonly me: string; readonly look: () => void }) {
  const { state, entries } = conversation;
  const last = [...entries].reverse().find((entry) => entry.kind === "message");
  const answer = [...entries].reverse().find((entry) => entry.kind === "message" && entry.author.id !== me)?.author;
  const person = state?.people[answer?.id ?? ""];
  const count = unread(conversation, me);
  const at = movedAt(conversation);
  const isToday = day(at) === t("Today");
  const words = last?.withdrawn ? t("Message withdrawn") : last ? wordsOf(last) : "";
  return (
    <button type="button" class={`list-item ${count > 0 ? "list-unread" : ""}`} onClick={look}>
      {person ? <Avatar id={answer?.id ?? ""} name={person.name} picture={person.picture} isBot={answer?.kind === "bot"} /> : <Mark />}
      <span class="list-words">
        <span class="list-top">
          <bdi class="list-name">{person?.name ?? t("Support")}</bdi>
          <span class="list-at">{isToday ? time(at) : day(at)}</span>
        </span>
        <span class="list-last">
          <bdi>{last?.author.id === me && !last.withdrawn ? t("You: {text}", { text: words }) : words}</bdi>
        </span>
      </span>
      {count > 0 ? <span class="list-count">{count}</span> : state?.status === "resolved" && <span class="list-at">{t("Closed")}</span>}
    </button>
  );
}
