/** What changes hands at the end of a shift: what is still open, what was handed over, what was taken over. Pure. */

import type { Conversation, Conversations } from "../../../widget/src/conversations.ts";
import type { AgentStatus, Entry, State } from "../types.ts";
import { isOver } from "./standing.ts";

/** The service sees that a shift is over some time before it has written down what follows. */
const WRITTEN_MS = 60_000;

/** Whoever is away or busy is told so long before the end of the shift. */
const SOON_MS = 15 * 60_000;

type Known = Conversations["byId"];

/**
 * Whether this shift ends soon. Of who is away or busy, `until` is its end; of who accepts it may be the beginning of its
 * last minutes, which are told when they have come.
 */
export function isEnding(status: AgentStatus | undefined, now: number): boolean {
  if (!status) return false;
  if (status.reason === "winding_down") return true;
  const isChosen = status.reason === "away" || status.reason === "busy";
  return isChosen && status.until !== null && status.until - now < SOON_MS;
}

/** Still in these hands: what will be handed over. */
export function openWith(known: Known, me: string): State[] {
  return statesOf(known).filter((state) => state.status === "open" && state.assignee === me);
}

/** What went to others when this shift ended; empty while it goes on. Only what this page has heard of itself. */
export function givenBy(known: Known, me: string, status: AgentStatus | undefined): State[] {
  if (!status || !isOver(status)) return [];
  const isGiven = ({ entries }: Conversation): boolean =>
    entries.some((entry) => isHandover(entry) && entry.data?.assignee === me && entry.at >= status.since - WRITTEN_MS);
  return [...known.values()].flatMap((one) => (one.state && one.state.assignee !== me && isGiven(one) ? [one.state] : []));
}

export interface Taken {
  readonly state: State;
  readonly from: string;
}

/** What came from a colleague whose shift has ended, until this agent has said something there. */
export function takenBy(known: Known, me: string): Taken[] {
  return [...known.values()].flatMap(({ state, entries }) => {
    if (state?.status !== "open" || state.assignee !== me) return [];
    const last = entries.filter(isHandover).pop();
    const from = last?.data?.assignee;
    if (!last || !from || from === me) return [];
    const hasSpoken = entries.some(({ kind, author, born }) => kind === "message" && author.id === me && born > last.born);
    return hasSpoken ? [] : [{ state, from }];
  });
}

const isHandover = (entry: Entry): boolean => entry.kind === "activity" && entry.activity === "handed_over";

const statesOf = (known: Known): State[] => [...known.values()].flatMap(({ state }) => (state ? [state] : []));
