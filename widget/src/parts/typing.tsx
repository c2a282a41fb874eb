/** Somebody is writing an answer. */

import type { Typist } from "../conversations.ts";
import type { Person } from "../wire/frames.ts";
import { t } from "../words.ts";
import { Avatar } from "./avatar.tsx";
import "./typing.css";

interface Props {
  readonly typists: readonly Typist[];
  readonly people: Readonly<Record<string, Person>>;
}

export function Typing({ typists, people }: Props) {
  const [typist] = typists;
  if (!typist) return null;
  const person = people[typist.by.id ?? ""];
  const name = person?.name ?? t("Support");
  return (
    <div class="typing">
      <Avatar id={typist.by.id ?? ""} name={name} picture={person?.picture} isBot={typist.by.kind === "bot"} />
      <div class="typing-dots">
        <i />
        <i />
        <i />
        <span class="hidden">{t("{name} is typing", { name })}</span>
      </div>
    </div>
  );
}
