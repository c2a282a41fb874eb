/** One line that says who did what with the conversation. */

import { staffName, teamName } from "../state/names.ts";
import { clockWords, momentWords } from "../state/time.ts";
import type { Entry, Staff, State } from "../types.ts";
import { t } from "../words.ts";
import "./activity.css";

/** To whom it was meant to go, and where it is. */
function transferredWords(who: string, entry: Entry, state: State, staff: Staff): string {
  const { to = "", assignee } = entry.data ?? {};
  const isTeam = to.startsWith("tem_");
  const target = isTeam ? teamName(to, staff) : staffName(to, staff, state);
  if (!assignee) return t("{who} transferred this to {to}: it waits in the queue", { who, to: target });
  if (!isTeam) return t("{who} transferred this to {to}", { who, to: target });
  return t("{who} transferred this to team {team}: {to} has it", { who, team: target, to: staffName(assignee, staff, state) });
}

function assignedWords(who: string, entry: Entry, state: State, staff: Staff): string {
  const { assignee, team } = entry.data ?? {};
  const to = assignee ? staffName(assignee, staff, state) : null;
  const group = team ? teamName(team, staff) : null;
  if (to && group) return t("{who} assigned this to {to}, team {team}", { who, to, team: group });
  if (to && assignee === entry.author.id) return t("{who} took this", { who });
  if (to) return t("{who} assigned this to {to}", { who, to });
  if (group) return t("{who} gave this to team {team}", { who, team: group });
  return t("{who} unassigned this", { who });
}

function activityWords(entry: Entry, state: State, staff: Staff): string {
  const { author } = entry;
  if (author.kind === "contact" && entry.activity === "reopened") return t("Reopened by a new message");
  const who = author.kind !== "system" && author.id ? staffName(author.id, staff, state) : t("Shopbell");
  const holder = staffName(entry.data?.assignee ?? "", staff, state);
  switch (entry.activity) {
    case "claimed":
      return t("{who} claimed this", { who });
    case "transferred": // the line for staff isn't here
      return t("{who} transferred this", { who });
    case "bounced":
      return t("{who} didn't answer in time. Back in the queue.", { who: holder });
    case "returned":
      return t("{who} was gone. Back in the queue.", { who: holder });
    case "handed_over":
      return t("The shift of {who} ended. Back in the queue, in its old place.", { who: holder });
    case "assigned":
      if (entry.data?.to) return transferredWords(who, entry, state, staff);
      return assignedWords(who, entry, state, staff);
    case "resolved":
      return t("{who} resolved this", { who });
    case "reopened":
      return t("{who} reopened this", { who });
    default: // an activity that this console hasn't learnt yet
      return t("{who} changed something", { who });
  }
}

export function Activity({ entry, state, staff }: { entry: Entry; state: State; staff: Staff }) {
  return (
    <p class="activity">
      <bdi>{activityWords(entry, state, staff)}</bdi>
      <time dateTime={new Date(entry.at).toISOString()} title={momentWords(entry.at)}>
        {clockWords(entry.at)}
      </time>
    </p>
  );
}
