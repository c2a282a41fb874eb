import assert from "node:assert/strict";
import test from "node:test";
import { apply, forgetTyping, learn, nothingHeld, positions, resuming, watching, withPage } from "../../widget/src/conversations.ts";
import type { Conversations } from "../../widget/src/conversations.ts";
import type { Change, Entry, ServerFrame, State } from "../../widget/src/wire/frames.ts";
import { message, snapshot, state, welcome } from "./fakes.ts";

const agent = welcome({ kind: "agent", id: "agt_1" }) as ServerFrame;
const contact = welcome({ kind: "contact", id: "con_1" }) as ServerFrame;

function after(held: Conversations, ...frames: ServerFrame[]): Conversations {
  return frames.reduce((so, frame) => apply(so, frame, 0), held);
}

function borns(held: Conversations): number[] {
  return held.byId.get("cnv_1")?.entries.map((entry) => entry.born) ?? [];
}

/** A small generator with a seed, so that a failure can be repeated. */
function dice(seed: number): (sides: number) => number {
  let value = seed;
  return (sides) => {
    value = (value * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((value / 2_147_483_648) * sides);
  };
}

function shuffled<T>(list: readonly T[], roll: (sides: number) => number): T[] {
  const left = [...list];
  return list.map(() => left.splice(roll(left.length), 1)[0] as T);
}

/** What a server would do: a run of changes, edits and state changes among them, and the snapshot at every point. */
function history(length: number, roll: (sides: number) => number): { changes: Change[]; snapshots: ServerFrame[] } {
  const entries = new Map<string, Entry>();
  let whole: State = state({ seq: 0 });
  const changes: Change[] = [];
  const snapshots: ServerFrame[] = [];
  for (let seq = 1; seq <= length; seq += 1) {
    const isEdit = entries.size > 2 && roll(4) === 0;
    const target = isEdit ? [...entries.values()][roll(entries.size)] : undefined;
    const entry = target ? { ...target, seq, text: `edited at ${seq}` } : message(seq);
    const hasEntry = roll(5) > 0;
    if (hasEntry) entries.set(entry.id, entry);
    const hasState = !hasEntry || roll(2) === 0;
    whole = hasState ? { ...whole, seq, messages: seq } : { ...whole, seq };
    changes.push({ type: "change", conversation: "cnv_1", seq, entries: hasEntry ? [entry] : [], ...(hasState && { state: whole }) });
    const all = [...entries.values()].sort((a, b) => a.born - b.born);
    snapshots.push({ type: "snapshot", conversation: "cnv_1", state: whole, entries: all.slice(-10), more: all.length > 10 });
  }
  return { changes, snapshots };
}

function shown(held: Conversations, window?: number): unknown {
  const { state: whole, entries = [] } = held.byId.get("cnv_1") ?? {};
  return { state: whole, entries: window === undefined ? entries : entries.filter((entry) => entry.born >= window) };
}

test("old snapshot + changes = fresh snapshot, in any order, with repetitions", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const roll = dice(seed);
    const { changes, snapshots } = history(30, roll);
    const at = roll(30);
    const start = after(nothingHeld("contact"), contact, snapshots[at] as ServerFrame);
    const rest = shuffled(changes.slice(at + 1), roll);
    const again = [...rest, ...shuffled(changes, roll).slice(0, 10), snapshots[roll(30)] as ServerFrame];

    const followed = after(start, ...shuffled(again, roll));
    const fresh = after(nothingHeld("contact"), contact, snapshots[29] as ServerFrame);

    const window = fresh.byId.get("cnv_1")?.entries[0]?.born ?? 0;
    assert.deepEqual(shown(followed, window), shown(fresh), `seed ${seed}`);
  }
});

test("a change that came before its snapshot isn't lost", () => {
  const change = { type: "change", conversation: "cnv_1", seq: 6, entries: [message(6)] } as const;
  const start = after(nothingHeld("contact"), contact);

  assert.deepEqual(
    shown(after(start, change, snapshot(5, [4, 5], true))),
    shown(after(start, snapshot(5, [4, 5], true), change)),
  );
});

test("an older entry that changed makes no hole while the ones between are missing", () => {
  const start = after(nothingHeld("contact"), contact, snapshot(80, [79, 80], true));
  const edit = { ...message(3), seq: 81 };

  const held = after(start, { type: "change", conversation: "cnv_1", seq: 81, entries: [edit] });
  assert.deepEqual(borns(held), [79, 80]);

  const paged = withPage(held, "cnv_1", [edit, message(78)], false);
  assert.deepEqual(borns(paged), [3, 78, 79, 80]);
});

test("a fresh snapshot replaces what was held, since a hole may lie between", () => {
  const held = after(nothingHeld("contact"), contact, snapshot(5, [4, 5]), snapshot(90, [89, 90], true));

  assert.deepEqual(borns(held), [89, 90]);
});

test("reset drops everything but what waits to be sent and who we are", () => {
  const pending = [{ id: "a", conversation: "cnv_1", kind: "message", text: "a", at: 0, state: "sending", code: undefined }] as const;
  const held = { ...after(nothingHeld("contact"), contact, snapshot(5, [5])), pending };

  const reset = after(held, { type: "reset", reason: "epoch" });

  assert.equal(reset.byId.size, 0);
  assert.equal(reset.cursor, 0);
  assert.deepEqual(reset.pending, pending);
  assert.equal(reset.me?.id, "con_1");
});

test("gone takes the conversation away", () => {
  const held = after(nothingHeld("contact"), contact, snapshot(5, [5]), { type: "gone", conversation: "cnv_1" });

  assert.equal(held.byId.has("cnv_1"), false);
});

test("a contact resumes with the greatest seq of each conversation it holds", () => {
  const held = after(nothingHeld("contact"), contact, snapshot(5, [5]), { type: "change", conversation: "cnv_1", seq: 8, entries: [] });

  assert.deepEqual(positions(held), { epoch: "epoch-1", conversations: { cnv_1: 8 } });
});

test("a contact with very many conversations names the newest, as a hello has 4 KiB", () => {
  const ids = Array.from({ length: 80 }, (_, n) => `cnv_${n}`);
  const held = after(
    nothingHeld("contact"),
    contact,
    ...ids.map((id) => ({ ...snapshot(5, [5]), conversation: id, state: state({ id, seq: 5 }) })),
  );

  assert.deepEqual(Object.keys(positions(held)?.conversations ?? {}), ids.slice(-50));
});

test("before the first welcome there is nothing to resume", () => {
  assert.equal(positions(nothingHeld("staff")), undefined);
});

test("staff's cursor follows heads, snapshot and synced, not changes and not lists over HTTP", () => {
  const start = watching(after(nothingHeld("staff"), agent), ["cnv_1"]);
  const held = after(
    start,
    { ...snapshot(5, [5]), cursor: 20 },
    { type: "heads", cursor: 25, heads: [state({ id: "cnv_2", seq: 3, cursor: 25 })] },
    { type: "change", conversation: "cnv_1", seq: 6, cursor: 30, entries: [message(6)] },
    { type: "synced", cursor: 24 },
  );

  assert.deepEqual(positions(learn(held, [state({ seq: 9, cursor: 99 })])), { epoch: "epoch-1", cursor: 25, watch: ["cnv_1"] });
});

test("what staff doesn't watch any more isn't held, unless it is assigned to them", () => {
  const mine = { ...snapshot(5, [5]), conversation: "cnv_2", state: state({ id: "cnv_2", seq: 5, assignee: "agt_1" }) };
  const start = watching(after(nothingHeld("staff"), agent), ["cnv_1", "cnv_2"]);
  const held = watching(after(start, snapshot(5, [5]), mine), []);

  assert.equal(held.byId.get("cnv_1")?.held, false);
  assert.deepEqual(positions(held)?.watch, ["cnv_2"]);

  const lost = after(held, { type: "heads", cursor: 30, heads: [state({ id: "cnv_2", seq: 6, assignee: "agt_2" })] });
  assert.deepEqual(positions(lost)?.watch, []);
});

test("a resume names at most 50, and the others are fetched anew", () => {
  const ids = Array.from({ length: 60 }, (_, n) => `cnv_${n}`);
  const snapshots = ids.map((id) => ({ ...snapshot(5, [5]), conversation: id, state: state({ id, seq: 5 }) }));
  const held = after(watching(after(nothingHeld("staff"), agent), ids), ...snapshots);
  const resume = positions(held);

  assert.equal(resume?.watch?.length, 50);
  assert.equal([...resuming(held, resume).byId.values()].filter((conversation) => conversation.held).length, 50);
});

test("heads move states on, the greatest seq wins", () => {
  const heads = (seq: number, preview: string): ServerFrame => ({ type: "heads", cursor: seq, heads: [state({ seq, preview })] });
  const start = after(nothingHeld("staff"), agent);

  assert.equal(after(start, heads(5, "five"), heads(4, "four")).byId.get("cnv_1")?.state?.preview, "five");
});

test("who types without a name, and then answers under one, types no more", () => {
  const typing: ServerFrame = { type: "signal", name: "typing", conversation: "cnv_1", by: { kind: "agent" }, on: true };
  const held = after(nothingHeld("contact"), contact, snapshot(1, [1]), typing);
  assert.equal(held.typing.get("cnv_1")?.length, 1);

  const answer: Entry = { ...message(2), author: { kind: "agent", id: "agt_1" } };
  const answered = after(held, { type: "change", conversation: "cnv_1", seq: 2, entries: [answer] });
  assert.equal(answered.typing.get("cnv_1")?.length, 0);
  const stopped = after(held, { ...typing, by: { kind: "agent", id: "agt_1" }, on: false });
  assert.equal(stopped.typing.get("cnv_1")?.length, 0);
  const ownWords: Entry = { ...message(2), author: { kind: "contact", id: "con_1" } };
  const asked = after(held, { type: "change", conversation: "cnv_1", seq: 2, entries: [ownWords] });
  assert.equal(asked.typing.get("cnv_1")?.length, 1, "the shopper's own words end nobody else's");
});

test("typing is forgotten after 6 s, and when the message is there", () => {
  const by = { kind: "contact", id: "con_1" } as const;
  const typing: ServerFrame = { type: "signal", name: "typing", conversation: "cnv_1", by, on: true };
  const held = after(nothingHeld("staff"), agent, typing, typing);

  assert.equal(held.typing.get("cnv_1")?.length, 1);
  assert.equal(forgetTyping(held, 5999).typing.get("cnv_1")?.length, 1);
  assert.equal(forgetTyping(held, 6000).typing.size, 0);
  assert.equal(after(held, { ...typing, on: false }).typing.get("cnv_1")?.length, 0);
  const wrote = after(held, { type: "change", conversation: "cnv_1", seq: 6, entries: [message(6)] });
  assert.equal(wrote.typing.get("cnv_1")?.length, 0);
});

test("a conversation that a contact's other tab has started is held from its first entry on", () => {
  const held = after(nothingHeld("contact"), contact, {
    type: "change", conversation: "cnv_1", seq: 1, entries: [message(1)], state: state({ seq: 1 }),
  });

  assert.deepEqual(positions(held)?.conversations, { cnv_1: 1 });
});

test("frames of a later server change nothing", () => {
  const held = after(nothingHeld("contact"), contact, snapshot(5, [5]));

  assert.equal(apply(held, { type: "fireworks" } as unknown as ServerFrame, 0), held);
});

test("a snapshot of the same seq is as the server has it now: entries may have changed in place", () => {
  const erased = { ...snapshot(5, [4, 5]), entries: [{ ...message(4), text: "" }, message(5)] };

  const held = after(nothingHeld("contact"), contact, snapshot(5, [4, 5]), erased);

  assert.deepEqual(held.byId.get("cnv_1")?.entries.map((entry) => entry.text), ["", "text 5"]);
});

test("a snapshot of what was rewritten replaces the entries, though a newer state is known already", () => {
  const rewritten = { ...snapshot(8, []), state: state({ seq: 8, rewritten: 7 }), entries: [{ ...message(4), text: "" }] };
  const later = message(9);

  const held = after(
    nothingHeld("contact"),
    contact,
    snapshot(5, [4, 5]),
    { type: "change", conversation: "cnv_1", seq: 9, entries: [later] },
    rewritten,
  );

  assert.deepEqual(held.byId.get("cnv_1")?.entries.map((entry) => entry.text), ["", "text 9"]);
  assert.equal(held.byId.get("cnv_1")?.seq, 9);
});

test("staff holds what it follows", () => {
  const agent = { type: "welcome", me: { kind: "agent", id: "agt_1", name: "" }, epoch: "e" } as ServerFrame;
  const followed = { ...snapshot(5, [5]), state: state({ seq: 5, assignee: null, followers: ["agt_1"] }) };
  const held = after(nothingHeld("staff"), agent, followed);
  const change = { type: "change", conversation: "cnv_1", seq: 6, entries: [], state: state({ seq: 6, assignee: null, followers: [] }) } as const;

  assert.equal(after(held, { ...change, state: state({ seq: 6, assignee: null, followers: ["agt_1"] }) }).byId.get("cnv_1")?.held, true);
  assert.equal(after(held, change).byId.get("cnv_1")?.held, false);
});

const standing = (id: string, used = 0) =>
  ({
    agent: id, status: "accepting_chats", reason: "free", until: null, slots: 4, used,
    availability: "available", availability_reason: "", since: 0,
  }) as const;

test("statuses come whole in several frames, and then as they change", () => {
  const told = after(
    nothingHeld("staff"),
    { type: "statuses", whole: true, statuses: [standing("agt_gone")] },
    { type: "statuses", whole: true, statuses: [standing("agt_1")] },
    { type: "statuses", whole: false, statuses: [standing("agt_2")] },
    { type: "statuses", whole: false, statuses: [standing("agt_1", 3)] },
  );

  assert.deepEqual([...told.statuses.values()].map(({ agent: id, used }) => [id, used]), [["agt_1", 3], ["agt_2", 0]]);
});

test("what the inbox shows and the places in line are as they were told last", () => {
  const door = { type: "inbox.status", inbox: "inb_1", status: "open", opens_at: null, until: null, then: "open", reply_seconds: null } as const;
  const place = { type: "queue", conversation: "cnv_1", position: 3, eta: null, opens_at: null } as const;
  const told = after(nothingHeld("contact"), contact, door, place, { ...door, status: "busy" }, { ...place, position: 2 });

  assert.equal(told.door?.status, "busy");
  assert.equal(told.places.get("cnv_1")?.position, 2);
  assert.equal(after(told, { type: "gone", conversation: "cnv_1" }).places.size, 0);
});

test("another history takes the places in line away, not what the inbox shows", () => {
  const door = { type: "inbox.status", inbox: "inb_1", status: "open", opens_at: null, until: null, then: "open", reply_seconds: null } as const;
  const place = { type: "queue", conversation: "cnv_1", position: 3, eta: null, opens_at: null } as const;
  const told = after(nothingHeld("contact"), contact, door, place, { type: "reset", reason: "epoch" });

  assert.equal(told.door, door);
  assert.equal(told.places.size, 0);
});
