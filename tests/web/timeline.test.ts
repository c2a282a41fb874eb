import assert from "node:assert/strict";
import test from "node:test";
import type { Conversation } from "../../widget/src/conversations.ts";
import { latest, newestFromOthers, reach, unread } from "../../widget/src/state/reach.ts";
import { rows, wordsOf } from "../../widget/src/state/timeline.ts";
import type { Group, Row } from "../../widget/src/state/timeline.ts";
import type { Entry, State } from "../../widget/src/wire/frames.ts";
import type { Pending } from "../../widget/src/wire/outbox.ts";
import { message, state } from "./fakes.ts";

const noon = new Date(2026, 10, 21, 12).getTime();
const agent = { kind: "agent", id: "agt_1" } as const;

function conversation(entries: Entry[], more: Partial<State> = {}): Conversation {
  return { id: "cnv_1", seq: 9, stated: 9, state: state({ seq: 9, ...more }), entries, more: false, held: true };
}

function line(born: number, minutes: number, more: Partial<Entry> = {}): Entry {
  return message(born, { at: noon + minutes * 60_000, ...more });
}

function pending(id: string, more: Partial<Pending> = {}): Pending {
  return { id, conversation: "cnv_1", kind: "message", text: id, at: noon, state: "sending", code: undefined, ...more };
}

function groups(made: Row[]): Group[] {
  return made.filter((row) => row.kind === "group");
}

test("what one person writes in one go is one group", () => {
  const made = rows(conversation([line(1, 0), line(2, 4), line(3, 5, { author: agent }), line(4, 6), line(5, 12)]), [], "con_1");

  assert.deepEqual(groups(made).map((group) => [group.mine, group.lines.length]), [[true, 2], [false, 1], [true, 1], [true, 1]]);
});

test("each day has its line", () => {
  const made = rows(conversation([line(1, -24 * 60), line(2, 0), line(3, 1)]), [], "con_1");

  assert.deepEqual(made.map((row) => row.kind), ["day", "group", "day", "group"]);
});

test("how far it got stands under the newest message, if that is an own one", () => {
  const read = { positions: { agt_1: { read: 2, delivered: 3 } } };
  const status = (entries: Entry[]) => groups(rows(conversation(entries, read), [], "con_1")).map((group) => group.status);

  assert.deepEqual(status([line(1, 0), line(2, 9)]), [undefined, "read"]);
  assert.deepEqual(status([line(3, 0)]), ["delivered"]);
  assert.deepEqual(status([line(4, 0)]), ["sent"]);
  assert.deepEqual(status([line(1, 0), line(2, 1, { author: agent })]), [undefined, undefined]);
});

test("what isn't stored yet comes last, and once only", () => {
  const made = rows(conversation([line(1, 0, { id: "a" })]), [pending("a"), pending("b")], "con_1");

  assert.deepEqual(groups(made).flatMap((group) => group.lines.map((one) => one.id)), ["a", "b"]);
  assert.equal(groups(made).at(-1)?.status, "sending");
});

test("what failed stands alone with its reason", () => {
  const failed = (id: string) => pending(id, { state: "failed", code: "too_large" });
  const made = groups(rows(undefined, [failed("a"), failed("b"), pending("c")], "con_1"));

  assert.deepEqual(made.map((group) => [group.status, group.lines[0]?.failed]), [
    ["failed", "too_large"], ["failed", "too_large"], ["sending", undefined],
  ]);
});

test("who has spoken doesn't join afterwards", () => {
  const claimed = line(2, 0, { kind: "activity", activity: "claimed", author: agent });

  assert.equal(rows(conversation([line(1, 0), claimed]), [], "con_1").at(-1)?.kind, "activity");
  assert.equal(rows(conversation([line(1, 0, { author: agent }), claimed]), [], "con_1").at(-1)?.kind, "group");
});

test("unread are the messages of others after the one read last", () => {
  const entries = [line(1, 0), line(2, 1, { author: agent }), line(3, 2, { author: agent, kind: "activity" }), line(4, 3, { author: agent, seq: 9 })];

  assert.equal(unread(conversation(entries), "con_1"), 2);
  assert.equal(unread(conversation(entries, { positions: { con_1: { read: 2 } } }), "con_1"), 1);
  assert.equal(unread(conversation(entries, { positions: { con_1: { read: 4 } } }), "con_1"), 0);
  assert.equal(newestFromOthers(conversation(entries), "con_1"), 4);
  assert.equal(newestFromOthers(conversation([line(1, 0)]), "con_1"), 0);
});

test("my own reading doesn't make my message read", () => {
  assert.equal(reach(state({ seq: 9, positions: { con_1: { read: 9 } } }), 3, "con_1"), "sent");
});

test("the conversation that moved last is the one to look at", () => {
  const old = { ...conversation([line(1, 0)]), id: "old" };
  const moved = { ...conversation([line(1, 5)]), id: "moved" };

  assert.equal(latest([old, moved])?.id, "moved");
  assert.equal(latest([]), undefined);
});

test("what was edited or withdrawn is marked, and nothing else changes its line", () => {
  const lines = (entry: Entry) => groups(rows(conversation([entry]), [], "con_1"))[0]?.lines;
  const plain = { id: line(1, 0).id, text: line(1, 0).text, at: noon, failed: undefined };

  assert.deepEqual(lines(line(1, 0)), [plain]);
  assert.deepEqual(lines(line(1, 0, { edited_at: noon })), [{ ...plain, mark: "edited" }]);
  assert.deepEqual(lines(line(1, 0, { text: "", withdrawn: true })), [{ ...plain, text: "", mark: "withdrawn" }]);
});

test("of blocks the text is shown, of files alone their names", () => {
  const file = { id: "upl_1", name: "cat.png", type: "image/png", size: 9 };

  assert.equal(wordsOf(line(1, 0, { text: "Yes or no?", blocks: [{ kind: "carousel" }] })), "Yes or no?");
  assert.equal(wordsOf(line(1, 0, { text: "Look", attachments: [file] })), "Look");
  assert.equal(wordsOf(line(1, 0, { text: "", attachments: [file, { ...file, name: "dog.png" }] })), "📎 cat.png\n📎 dog.png");
});
