/** The routing log in words: what was decided, and why each candidate got the conversation or didn't. */

import type { Candidate, Decision, Staff, State } from "../types.ts";
import { t } from "../words.ts";
import { staffName, teamName } from "./names.ts";
import { reasonWords } from "./standing.ts";

export function decisionWords(decision: Decision, staff: Staff, state?: State): string {
  const name = decision.chosen ? staffName(decision.chosen, staff, state) : null;
  const from = decision.candidates[0] ? staffName(decision.candidates[0].member, staff, state) : t("A colleague");
  switch (decision.kind) {
    case "routed":
      return name ? t("Given to {name}", { name }) : t("Nobody could take it");
    case "claimed":
      return t("{name} took it", { name: name ?? t("A colleague") });
    case "transferred": {
      const who = staffName(decision.by, staff, state);
      return name ? t("{who} transferred it to {name}", { who, name }) : t("{who} transferred it, and it waits", { who });
    }
    case "bounced":
      return t("{name} didn't answer in time", { name: from });
    case "returned":
      return t("{name} was gone, so it went back to the queue", { name: from });
    case "handed_over":
      return t("The shift of {name} ended", { name: from });
    case "kept_waiting":
      return t("Nobody could take it");
    default: // of a later service
      return decision.kind;
  }
}

export function decisionTeam(decision: Decision, staff: Staff): string | null {
  return decision.team && teamName(decision.team, staff);
}

/** Verdicts that aren't a status's reason. */
export function verdictWords({ verdict }: Candidate): string {
  switch (verdict) {
    case "chosen":
      return t("Chosen");
    case "busier":
      return t("Had more to do");
    case "later_turn":
      return t("Was not next in turn");
    case "passed":
      return t("Had it before and didn't answer");
    case "overflow":
      return t("Is of a team that only helps out");
    case "skill":
      return t("Lacks a skill that was wanted");
    case "not_known":
      return t("Somebody else knows this visitor");
    case "people_first":
      return t("People come first");
    case "bots_first":
      return t("Bots come first");
    case "inactive":
      return t("Doesn't work here any more");
    case "bounced":
      return t("Didn't answer in time");
    case "returned":
      return t("Was gone");
    case "handed_over":
      return t("Shift ended");
    default:
      return reasonWords(verdict);
  }
}
