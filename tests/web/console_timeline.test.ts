import assert from "node:assert/strict";
import test from "node:test";
import { nothingHeld } from "../../widget/src/conversations.ts";
import { NEW_DESK, linesOf } from "../../console/src/state/desk.ts";
import { markedIn, progressOf, rowsOf } from "../../console/src/state/timeline.ts";
import type { Entry, State } from "../../console/src/types.ts";

const NOON = new Date(2026, 10, 21, 12).getTime();
const MINUTE = 60_000;

function entry(born: number, part: Partial<Entry> = {}): Entry {
  const author = { kind: "contact", id: "con_1" } as const;
  return { id: `e${born}`, seq: born, born, kind: "message", author, at: NOON + born * 1000, text: "Hi", ...part };
}

const agent = { kind: "agent", id: "agt_noa" } as const;
const kinds = (entries: Entry[], readUpTo: number | null = null) =>
  rowsOf(entries.map((one) => ({ entry: one })), readUpTo).map((row) => (row.kind === "group" ? row.lines.length : row.kind));

test("what one author says in a row stands together, until somebody else speaks or time passes", () => {
  const later = { at: NOON + 10 * MINUTE };

  assert.deepEqual(kinds([entry(1), entry(2), entry(3, { author: agent }), entry(4), entry(5, later)]), ["day", 2, 1, 1, 1]);
});

test("a note never joins the messages beside it", () => {
  assert.deepEqual(kinds([entry(1, { author: agent }), entry(2, { author: agent, kind: "note" })]), ["day", 1, 1]);
});

test("every day has its line, and activities stand alone", () => {
  const yesterday = entry(1, { at: NOON - 24 * 60 * MINUTE });

  assert.deepEqual(kinds([yesterday, entry(2, { kind: "activity", activity: "claimed" }), entry(3)]), ["day", 1, "day", "activity", 1]);
});

test("the new line stands before the first unread message of the contact", () => {
  assert.deepEqual(kinds([entry(1), entry(2, { author: agent }), entry(3), entry(4)], 2), ["day", 1, 1, "new", 2]);
  assert.deepEqual(kinds([entry(1)], null), ["day", 1]);
});

const state = (positions: State["positions"]) => ({ contact: "con_1", positions }) as unknown as State;

test("a message of ours is sent, delivered, then read", () => {
  const ours = entry(5, { author: agent });

  assert.equal(progressOf(ours, state({})), "sent");
  assert.equal(progressOf(ours, state({ con_1: { delivered: 5 } })), "delivered");
  assert.equal(progressOf(ours, state({ con_1: { delivered: 5, read: 6 } })), "read");
});

test("progress is told at our last message and at the last one that was read", () => {
  const lines = [1, 2, 3].map((born) => ({ entry: entry(born, { author: agent }) }));

  assert.deepEqual([...markedIn(lines, state({ con_1: { read: 2 } }))], ["e3", "e2"]);
  assert.deepEqual([...markedIn(lines, state({ con_1: { read: 9 } }))], ["e3"]);
});

test("what is on its way stands last, and once", () => {
  const pending = { id: "p1", conversation: "c", kind: "message", text: "On my way", at: NOON, state: "sending", code: undefined } as const;
  const known = { id: "c", state: undefined, seq: 2, stated: 0, entries: [entry(1), entry(2, { id: "p2" })], more: false, held: true };
  const held = { ...nothingHeld("staff"), byId: new Map([["c", known]]), pending: [pending, { ...pending, id: "p2" }] };

  const lines = linesOf({ ...NEW_DESK, held }, "c");

  assert.deepEqual(lines.map((line) => [line.entry.id, line.sending]), [["e1", undefined], ["p2", undefined], ["p1", "sending"]]);
});
