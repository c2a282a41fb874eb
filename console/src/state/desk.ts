/** Everything the console knows, as one immutable value. No DOM, no socket, no clock. */

import { type Conversations, nothingHeld } from "../../../widget/src/conversations.ts";
import type { AgentStatus, Entry, HandedOver, Me, Staff, State } from "../types.ts";
import { NO_HANDOVERS, NO_STAFF } from "../types.ts";
import type { Draft, Drafts } from "./drafts.ts";
import { EMPTY_DRAFT } from "./drafts.ts";
import type { Place } from "./place.ts";
import { HOME } from "./place.ts";
import type { Line } from "./timeline.ts";
import { type Counts, NO_COUNTS, counted } from "./views.ts";

/**
 * starting: who is it? · out: nobody is signed in · in · unreachable: the service didn't say · stale: the page is older
 * than the service
 */
export type Stage = "starting" | "out" | "in" | "unreachable" | "stale";

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly isProblem: boolean;
}

/** How much of one list was read over HTTP. */
export interface Loaded {
  readonly limit: number;
  readonly hasMore: boolean;
  readonly isLoading: boolean;
}

/** What is laid over the panes. */
export type Sheet =
  | { readonly kind: "colleagues" | "keys" | "queue" | "given" | "taken" }
  | { readonly kind: "transfer" | "routing"; readonly conversation: string };

export interface Desk {
  readonly stage: Stage;
  /** The session ended under the agent's hands: the login page says so. */
  readonly hasEnded: boolean;
  readonly me: Me | null;
  readonly staff: Staff;
  readonly place: Place;
  readonly filter: string;
  readonly held: Conversations;
  readonly counts: Counts;
  /** A conversation made after this moment isn't in the counts that the service told. */
  readonly countedAt: number;
  /** The greatest cursor heard of. The stream's own position stays behind it: changes don't move that one. */
  readonly cursor: number;
  readonly lists: Readonly<Record<string, Loaded>>;
  readonly isLive: boolean;
  readonly drafts: Drafts;
  readonly toasts: readonly Toast[];
  /** What this agent had read of the open conversation when they came; null: nothing was new; undefined: not known yet. */
  readonly readUpTo: number | null | undefined;
  /** The last conversation that turned out not to be there, or not for this agent. */
  readonly missing: string | null;
  readonly isLoadingOlder: boolean;
  readonly sheet: Sheet | null;
  readonly handovers: HandedOver;
}

export const NEW_DESK: Desk = {
  stage: "starting",
  hasEnded: false,
  me: null,
  staff: NO_STAFF,
  place: HOME,
  filter: "",
  held: nothingHeld("staff"),
  counts: NO_COUNTS,
  countedAt: Infinity,
  cursor: 0,
  lists: {},
  isLive: false,
  drafts: {},
  toasts: [],
  readUpTo: undefined,
  missing: null,
  isLoadingOlder: false,
  sheet: null,
  handovers: NO_HANDOVERS,
};

export const listKey = (place: Place): string => `${place.view}/${place.status}`;

export const stateOf = (desk: Desk, conversation: string | null): State | undefined =>
  conversation === null ? undefined : desk.held.byId.get(conversation)?.state;

export const ownStatus = (desk: Desk): AgentStatus | undefined => desk.held.statuses.get(desk.me?.agent.id ?? "");

export const draftOf = (desk: Desk, conversation: string): Draft => desk.drafts[conversation] ?? EMPTY_DRAFT;

export const firstName = (name: string): string => name.trim().split(/\s+/)[0] ?? name;

/**
 * The desk with what the stream or a list said, and the counts moved by it. `isSure` is false when the counts can't be
 * known from here: something moved that we had never heard of, so the service has to be asked.
 */
export function withHeld(desk: Desk, held: Conversations): { readonly desk: Desk; readonly isSure: boolean } {
  if (held === desk.held) return { desk, isSure: true };
  let { counts, cursor } = desk;
  let isSure = [...desk.held.byId.keys()].every((id) => held.byId.has(id));
  if (held.byId !== desk.held.byId && desk.me) {
    for (const [id, { state }] of held.byId) {
      const before = desk.held.byId.get(id)?.state;
      if (!state || state === before) continue;
      cursor = Math.max(cursor, state.cursor ?? 0);
      if (!before && state.created_at < desk.countedAt) isSure = false;
      else counts = counted(counts, before, state, desk.me.agent);
    }
  }
  return { desk: { ...desk, held, counts, cursor }, isSure };
}

/** What a timeline shows: what is stored, and after it what is on its way. */
export function linesOf(desk: Desk, conversation: string): readonly Line[] {
  const known = desk.held.byId.get(conversation);
  const stored: Line[] = (known?.entries ?? []).map((entry) => ({ entry }));
  const ids = new Set(known?.entries.map(({ id }) => id));
  for (const pending of desk.held.pending) {
    if (pending.conversation !== conversation || ids.has(pending.id)) continue;
    const entry: Entry = {
      id: pending.id,
      seq: 0,
      born: Number.MAX_SAFE_INTEGER,
      kind: pending.kind,
      author: { kind: "agent", id: desk.me?.agent.id ?? "" },
      at: pending.at,
      text: pending.text,
    };
    stored.push({ entry, sending: pending.state, ...(pending.code !== undefined && { why: pending.code }) });
  }
  return stored;
}
