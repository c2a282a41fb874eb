/** Who we talk with, the way to the other conversations, and the way out. */

import type { Shopper, View } from "../shopper.ts";
import { unread } from "../state/reach.ts";
import type { Door } from "../state/door.ts";
import type { Entry } from "../wire/frames.ts";
import { t } from "../words.ts";
import { Avatar, Mark } from "./avatar.tsx";
import { DoorLine } from "./door.tsx";
import { Icon } from "./icon.tsx";
import "./header.css";

interface Props {
  readonly shopper: Shopper;
  readonly view: View;
  readonly name: string;
  readonly door: Door | undefined;
  readonly now: number;
}

export function Header({ shopper, view, name, door, now }: Props) {
  const isList = view.screen === "list";
  const others = [...view.held.byId.values()].filter((one) => one !== view.conversation);
  const isElsewhere = others.some((one) => unread(one, view.me) > 0);
  const author = [...(view.conversation?.entries ?? [])].reverse().find(isAnswer)?.author;
  const person = view.conversation?.state?.people[author?.id ?? ""];
  return (
    <header class="header">
      {!isList && others.length > 0 && (
        <button type="button" class="header-button" title={t("Back to your conversations")} onClick={() => shopper.list()}>
          <span class="hidden">{t("Back to your conversations")}</span>
          <Icon name="back" />
          {isElsewhere && <span class="header-dot">{t("New messages")}</span>}
        </button>
      )}
      {person && !isList ? <Avatar id={author?.id ?? ""} name={person.name} picture={person.picture} isBot={author?.kind === "bot"} /> : <Mark />}
      <div class="header-names">
        <h1>
          <bdi>{isList ? t("Your conversations") : (person?.name ?? name)}</bdi>
        </h1>
        {(isList || person) && (
          <p>
            {author?.kind === "bot" && !isList && `${t("Bot")} · `}
            <bdi>{name}</bdi>
          </p>
        )}
        {door && (
          <p class="header-door">
            <DoorLine door={door} now={now} />
          </p>
        )}
      </div>
      <button type="button" class="header-button" aria-label={t("Close chat")} onClick={() => shopper.leave()}>
        <Icon name={view.isFull ? "close" : "down"} />
      </button>
    </header>
  );
}

function isAnswer(entry: Entry): boolean {
  return entry.kind === "message" && entry.author.kind !== "contact" && entry.author.kind !== "system";
}
