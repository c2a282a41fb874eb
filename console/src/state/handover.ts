/** What changes hands at the end of a shift: what went to others, and what came from whom. Pure. */

import type { Conversations } from "../../../widget/src/conversations.ts";
import type { AgentStatus, Handover, State } from "../types.ts";
import { isOver } from "./standing.ts";

/** So long before its end a shift is told to end soon. */
const SOON_MS = 15 * 60_000;

type Known = Conversations["byId"];

/** Whether this shift ends soon: in its last minutes, or as soon as they would begin for somebody who has none. */
export function isEnding(status: AgentStatus | undefined, now: number): boolean {
  if (!status || isOver(status)) return false;
  const end = status.shift_ends_at ?? null;
  return status.reason === "winding_down" || (end !== null && end - now < SOON_MS);
}

/** What went to others when this shift ended, as it is now; nothing while one goes on. */
export function givenBy(given: readonly Handover[], known: Known, me: string, status: AgentStatus | undefined): State[] {
  if (!isOver(status)) return [];
  return given.map(({ state }) => newest(state, known)).filter(({ assignee }) => assignee !== me);
}

export interface Taken {
  readonly state: State;
  readonly from: string;
}

/** What came from a colleague whose shift has ended, until this agent has said something there. */
export function takenBy(taken: readonly Handover[], known: Known, me: string): Taken[] {
  const mine = ({ status, assignee, routing }: State) => status === "open" && assignee === me && routing?.unanswered === true;
  return taken.map(({ state, from }) => ({ state: newest(state, known), from })).filter(({ state }) => mine(state));
}

/** Whether something has come into these hands, or left them. */
export function haveMoved(before: Known, after: Known, me: string): boolean {
  if (before === after) return false;
  for (const [id, { state }] of after) {
    const was = before.get(id)?.state;
    if (state !== was && (state?.assignee === me) !== (was?.assignee === me)) return true;
  }
  return false;
}

const newest = (state: State, known: Known): State => known.get(state.id)?.state ?? state;
