/**
 * What the stream has told so far, as one immutable value. No DOM, no socket, no clock.
 *
 * The law: old snapshot + changes = fresh snapshot. Values come whole and the greatest seq wins, so frames may come
 * twice or in another order and the result is the same.
 */

import type { AgentStatus, Author, Change, Entry, InboxStatus, Kind, Me, Queue, Resume, ServerFrame, Snapshot, State, Statuses } from "./wire/frames.ts";
import type { Pending } from "./wire/outbox.ts";

export const TYPING_MS = 6000;
const RESUME_WATCH = 50; // the server takes no more

export interface Conversation {
  readonly id: string;
  readonly state: State | undefined;
  readonly seq: number; // the greatest heard of, also before the first state
  readonly stated: number; // the seq with which the server wrote `state`; state.seq itself runs on with every change
  readonly entries: readonly Entry[]; // in the order of born, without holes
  readonly rewritten?: number; // as the last snapshot said: what is older isn't worth anything
  readonly more: boolean; // older ones exist, over HTTP
  readonly held: boolean; // a snapshot came and every change since; false: only its head is known
}

export interface Typist {
  readonly by: Author;
  readonly until: number;
}

export interface Conversations {
  readonly kind: Kind;
  readonly me: Me | undefined;
  readonly epoch: string | undefined;
  readonly cursor: number;
  readonly byId: ReadonlyMap<string, Conversation>;
  readonly watched: ReadonlySet<string>;
  readonly present: ReadonlySet<string>;
  readonly statuses: ReadonlyMap<string, AgentStatus>; // staff: of everybody who works here
  readonly door: InboxStatus | undefined; // contacts: what their inbox shows
  readonly places: ReadonlyMap<string, Queue>; // contacts: of their conversations, while they wait
  readonly typing: ReadonlyMap<string, readonly Typist[]>;
  readonly pending: readonly Pending[];
}

export function nothingHeld(kind: Kind): Conversations {
  return {
    kind,
    me: undefined,
    epoch: undefined,
    cursor: 0,
    byId: new Map(),
    watched: new Set(),
    present: new Set(),
    statuses: new Map(),
    door: undefined,
    places: new Map(),
    typing: new Map(),
    pending: [],
  };
}

/** The value after this frame. Frames that say nothing about conversations leave it as it is. */
export function apply(held: Conversations, frame: ServerFrame, now: number): Conversations {
  switch (frame.type) {
    case "welcome":
      return { ...held, me: frame.me, epoch: frame.epoch };
    case "reset":
      return {
        ...nothingHeld(held.kind), me: held.me, epoch: held.epoch, watched: held.watched, pending: held.pending,
        statuses: held.statuses, door: held.door, // they are no history
      };
    case "snapshot":
      return moved(put(held, withSnapshot(held, frame)), frame.cursor);
    case "change":
      return withoutTypists(put(held, withChange(held, frame)), frame);
    case "heads":
      return moved(learn(held, frame.heads), frame.cursor);
    case "synced":
      return moved(held, frame.cursor);
    case "gone":
      return without(held, frame.conversation);
    case "presence":
      return { ...held, present: new Set(frame.present) };
    case "statuses":
      return { ...held, statuses: withStatuses(held, frame) };
    case "inbox.status":
      return { ...held, door: frame };
    case "queue":
      return { ...held, places: new Map(held.places).set(frame.conversation, frame) };
    case "signal":
      if (frame.name !== "typing") return held;
      return withTypist(held, frame.conversation, frame.by, frame.on ? now + TYPING_MS : 0);
    default:
      return held;
  }
}

/** States from a list that HTTP answered. They don't move the cursor: the list says nothing about watched entries. */
export function learn(held: Conversations, states: readonly State[]): Conversations {
  const byId = new Map(held.byId);
  for (const state of states) {
    const known = byId.get(state.id) ?? unknown(state.id);
    byId.set(state.id, heard(held, withState(known, state, state.seq, state.cursor)));
  }
  return { ...held, byId };
}

/** Older entries that HTTP answered for `before` = the oldest born held. */
export function withPage(held: Conversations, id: string, entries: readonly Entry[], more: boolean): Conversations {
  const known = held.byId.get(id);
  if (!known) return held;
  return put(held, { ...known, entries: merged(known.entries, entries), more });
}

/** The conversations that this client wants to hear whole. What is neither among them nor its own isn't held any longer. */
export function watching(held: Conversations, ids: readonly string[]): Conversations {
  const next = { ...held, watched: new Set(ids) };
  const byId = new Map([...held.byId].map(([id, known]) => [id, heard(next, known)]));
  return { ...next, byId };
}

/** What `hello` says about how far the stream took us. */
export function positions(held: Conversations): Resume | undefined {
  if (held.epoch === undefined) return undefined;
  const known = [...held.byId.values()].filter((conversation) => conversation.held);
  if (held.kind === "contact") {
    const conversations = Object.fromEntries(known.slice(-RESUME_WATCH).map(({ id, seq }) => [id, seq]));
    return { epoch: held.epoch, conversations };
  }
  return { epoch: held.epoch, cursor: held.cursor, watch: known.slice(0, RESUME_WATCH).map(({ id }) => id) };
}

/** To call when its socket is the one in use: those that found no room in it will come as fresh snapshots. */
export function resuming(held: Conversations, resume: Resume | undefined): Conversations {
  if (!resume?.watch) return held;
  const named = new Set(resume.watch);
  const byId = new Map(
    [...held.byId].map(([id, known]) => [id, known.held && !named.has(id) ? { ...known, held: false } : known]),
  );
  return { ...held, byId };
}

/** Forget those whose typing wasn't said again. */
export function forgetTyping(held: Conversations, now: number): Conversations {
  const typing = new Map<string, readonly Typist[]>();
  for (const [id, typists] of held.typing) {
    const left = typists.filter((typist) => typist.until > now);
    if (left.length > 0) typing.set(id, left);
  }
  return { ...held, typing };
}

function withSnapshot(held: Conversations, frame: Snapshot): Conversation {
  const known = held.byId.get(frame.conversation) ?? unknown(frame.conversation);
  const stated = withState(known, frame.state, frame.state.seq);
  const { rewritten = 0 } = frame.state;
  const isNewer = known.state !== undefined && known.state.seq > frame.state.seq;
  const isLate = known.held && isNewer && rewritten <= (known.rewritten ?? 0);
  // A fresh one replaces the entries: what we hold may be stale, and a hole may lie between the two.
  const kept = isLate ? known.entries : known.entries.filter((entry) => entry.seq > frame.state.seq);
  const more = isLate ? known.more : frame.more;
  const entries = isLate ? within(kept, frame.entries, more) : within(frame.entries, kept, more);
  return { ...stated, rewritten, entries, more, held: true };
}

function withChange(held: Conversations, frame: Change): Conversation {
  const before = held.byId.get(frame.conversation);
  const known = before ?? unknown(frame.conversation);
  const next = withState(known, frame.state, frame.seq, frame.cursor);
  const entries = within(known.entries, frame.entries, known.more);
  // A contact hears a new conversation from its first entry on: that is as good as a snapshot.
  if (held.kind === "contact" && !before && entries[0]?.born === 1) return { ...next, entries, held: true };
  return heard(held, { ...next, entries });
}

/** The newest state known, its seq and cursor moved on to what this frame says. */
function withState(known: Conversation, state: State | undefined, seq: number, cursor = 0): Conversation {
  const isNewer = state !== undefined && (known.state === undefined || state.seq > known.stated);
  const newest = isNewer ? state : known.state;
  const latest = Math.max(newest?.seq ?? 0, known.seq, seq);
  if (!newest) return { ...known, seq: latest };
  const stated = isNewer ? state.seq : known.stated;
  const place = Math.max(newest.cursor ?? 0, known.state?.cursor ?? 0, cursor);
  return { ...known, seq: latest, stated, state: { ...newest, seq: latest, ...(place > 0 && { cursor: place }) } };
}

/** Entries by id, the greatest seq wins, without what lies before the oldest one held while older ones are missing. */
function within(entries: readonly Entry[], others: readonly Entry[], more: boolean): readonly Entry[] {
  const oldest = entries[0]?.born ?? 0;
  return merged(entries, more ? others.filter((entry) => entry.born >= oldest) : others);
}

function merged(entries: readonly Entry[], others: readonly Entry[]): readonly Entry[] {
  if (others.length === 0) return entries;
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  for (const entry of others) {
    const known = byId.get(entry.id);
    if (!known || entry.seq > known.seq) byId.set(entry.id, entry);
  }
  return [...byId.values()].sort((a, b) => a.born - b.born || (a.id < b.id ? -1 : 1)); // what one ask wrote is born together
}

/** Staff hears whole what it watches and what is assigned to it; of all else only heads come, so entries go stale. */
function heard(held: Conversations, known: Conversation): Conversation {
  if (!known.held || held.kind === "contact") return known;
  const { assignee, followers = [] } = known.state ?? {};
  const isMine = held.me !== undefined && (assignee === held.me.id || followers.includes(held.me.id));
  return isMine || held.watched.has(known.id) ? known : { ...known, held: false };
}

function unknown(id: string): Conversation {
  return { id, state: undefined, seq: 0, stated: 0, entries: [], more: false, held: false };
}

function put(held: Conversations, conversation: Conversation): Conversations {
  return { ...held, byId: new Map(held.byId).set(conversation.id, conversation) };
}

function moved(held: Conversations, cursor: number | undefined): Conversations {
  return cursor !== undefined && cursor > held.cursor ? { ...held, cursor } : held;
}

function without(held: Conversations, id: string): Conversations {
  const byId = new Map(held.byId);
  byId.delete(id);
  const typing = new Map(held.typing);
  typing.delete(id);
  const places = new Map(held.places);
  places.delete(id);
  return { ...held, byId, typing, places };
}

/** Of several frames that tell everything the first one says so: what was known before ends with it. */
function withStatuses(held: Conversations, frame: Statuses): Conversations["statuses"] {
  const statuses = new Map<string, AgentStatus>(frame.whole ? [] : held.statuses);
  for (const status of frame.statuses) statuses.set(status.agent, status);
  return statuses;
}

function withTypist(held: Conversations, id: string, by: Author, until: number): Conversations {
  const others = (held.typing.get(id) ?? []).filter((typist) => !areOne(typist.by, by));
  const typists = until > 0 ? [...others, { by, until }] : others;
  return { ...held, typing: new Map(held.typing).set(id, typists) };
}

/** Whoever has just sent is not typing any more. */
function withoutTypists(held: Conversations, frame: Change): Conversations {
  const typists = held.typing.get(frame.conversation) ?? [];
  const wrote = frame.entries.filter((entry) => entry.kind !== "activity").map((entry) => entry.author);
  const left = typists.filter((typist) => !wrote.some((author) => areOne(typist.by, author)));
  if (left.length === typists.length) return held;
  return { ...held, typing: new Map(held.typing).set(frame.conversation, left) };
}

/** Staff has no name for a shopper before its first answer, so one without may be any of its kind. */
function areOne(one: Author, other: Author): boolean {
  if (one.id !== undefined && other.id !== undefined) return one.id === other.id;
  return one.kind === other.kind;
}
