/** Which conversations a view shows, in which order, and how many of them wait to be read. */

import type { Conversations } from "../../../widget/src/conversations.ts";
import { contactName } from "./names.ts";
import type { ListStatus, View } from "./place.ts";
import { VIEWS } from "./place.ts";
import type { Agent, State } from "../types.ts";

export interface Count {
  readonly total: number;
  readonly unread: number;
}
export type Counts = Readonly<Record<View, Count>>;

const NOTHING: Count = { total: 0, unread: 0 };
export const NO_COUNTS: Counts = { mine: NOTHING, unassigned: NOTHING, team: NOTHING, all: NOTHING };

export const isResolved = (state: State): boolean => state.status === "resolved";

export function isIn(view: View, state: State, me: Agent): boolean {
  switch (view) {
    case "mine":
      return state.assignee === me.id;
    case "unassigned":
      return !state.assignee;
    case "team":
      return !!state.team && me.teams.includes(state.team);
    case "all":
      return true;
  }
}

/** Messages of the contact that this agent hasn't seen. */
export function unreadFor(state: State, me: Agent): number {
  return Math.max(0, (state.messages ?? 0) - (state.positions[me.id]?.seen ?? 0));
}

/** Longest waiting first; those who wait for nothing after them, the latest moved first. */
export function byWaiting(one: State, other: State): number {
  const since = one.waiting_since ?? Infinity;
  const otherSince = other.waiting_since ?? Infinity;
  if (since !== otherSince) return since - otherSince;
  return (other.cursor ?? 0) - (one.cursor ?? 0) || (one.id < other.id ? -1 : 1);
}

/** Resolved conversations wait for nobody: the latest moved first. */
const byMoved = (one: State, other: State): number => (other.cursor ?? 0) - (one.cursor ?? 0);

export function matches(state: State, filter: string): boolean {
  const wanted = filter.trim().toLocaleLowerCase();
  if (!wanted) return true;
  const words = [contactName(state), state.preview, state.subject, state.id];
  return words.some((word) => word?.toLocaleLowerCase().includes(wanted));
}

/** The rows of a list, out of every conversation that this client has heard of. */
export function listOf(
  known: Conversations["byId"],
  view: View,
  status: ListStatus,
  filter: string,
  me: Agent,
): State[] {
  const states = [...known.values()].flatMap(({ state }) => (state ? [state] : []));
  const wanted = states.filter(
    (state) => isResolved(state) === (status === "resolved") && isIn(view, state, me) && matches(state, filter),
  );
  return wanted.sort(status === "resolved" ? byMoved : byWaiting);
}

function share(view: View, state: State | undefined, me: Agent): Count {
  if (!state || isResolved(state) || !isIn(view, state, me)) return NOTHING;
  return { total: 1, unread: unreadFor(state, me) > 0 ? 1 : 0 };
}

/** The counts after one conversation went from `before` to `after`. */
export function counted(counts: Counts, before: State | undefined, after: State, me: Agent): Counts {
  const next: Record<View, Count> = { ...counts };
  for (const view of VIEWS) {
    const left = share(view, before, me);
    const came = share(view, after, me);
    if (left.total === came.total && left.unread === came.unread) continue;
    next[view] = {
      total: Math.max(0, counts[view].total - left.total + came.total),
      unread: Math.max(0, counts[view].unread - left.unread + came.unread),
    };
  }
  return next;
}
