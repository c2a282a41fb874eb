/** A line about the conversation itself. What doesn't concern the shopper isn't shown. */

import type { Entry, Person } from "../wire/frames.ts";
import { t } from "../words.ts";
import "./activity.css";

interface Props {
  readonly entry: Entry;
  readonly people: Readonly<Record<string, Person>>;
}

export function Activity({ entry, people }: Props) {
  const words = sentence(entry, people);
  return words === "" ? null : <p class="activity">{words}</p>;
}

function sentence(entry: Entry, people: Props["people"]): string {
  switch (entry.activity) {
    case "claimed":
      return joined(people[entry.author.id ?? ""]);
    case "assigned":
      return entry.data?.assignee ? joined(people[entry.data.assignee]) : "";
    case "resolved":
      return t("This conversation is closed");
    case "transferred":
      return entry.data?.queued ? t("We’re looking for the right colleague for you") : t("We’ve passed your conversation to a colleague");
    case "reopened":
      return t("The conversation goes on");
    default:
      return ""; // of a later server
  }
}

function joined(person: Person | undefined): string {
  return person ? t("{name} joined the conversation", { name: person.name }) : t("A colleague joined the conversation");
}
