/** Who we talk with, the way to the other conversations, and the way out. */

import type { Shopper, View } from "../shopper.ts";
import type { Entry } from "../wire/frames.ts";
import { t } from "../words.ts";
import { Avatar, Mark } from "./avatar.tsx";
import { Icon } from "./icon.tsx";
import "./header.css";

interface Props {
  readonly shopper: Shopper;
  readonly view: View;
  readonly name: string;
}

export function Header({ shopper, view, name }: Props) {
  const isList = view.screen === "list";
  const others = view.held.byId.size > (view.conversation ? 1 : 0);
  const author = [...(view.conversation?.entries ?? [])].reverse().find(isAnswer)?.author;
  const person = view.conversation?.state?.people[author?.id ?? ""];
  return (
    <header class="header">
      {!isList && others && (
        <button type="button" class="header-button" aria-label={t("Back to your conversations")} onClick={() => shopper.list()}>
          <Icon name="back" />
        </button>
      )}
      {person ? <Avatar id={author?.id ?? ""} name={person.name} picture={person.picture} isBot={author?.kind === "bot"} /> : <Mark />}
      <div class="header-names">
        <h1 dir="auto">{isList ? t("Your conversations") : (person?.name ?? name)}</h1>
        {(isList || person) && <p dir="auto">{author?.kind === "bot" ? `${t("Bot")} · ${name}` : name}</p>}
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
