import assert from "node:assert/strict";
import test from "node:test";
import { learn, nothingHeld } from "../../widget/src/conversations.ts";
import { NEW_DESK, withHeld } from "../../console/src/state/desk.ts";
import { counted, listOf, matches, unreadFor } from "../../console/src/state/views.ts";
import type { Agent, State } from "../../console/src/types.ts";

const noa: Agent = { id: "agt_noa", name: "Noa", email: "noa@demo.shop", role: "agent", teams: ["tem_help"] };
const none = { total: 0, unread: 0 };
const nothing = { mine: none, unassigned: none, team: none, all: none };

function conversation(id: string, part: Partial<State> = {}): State {
  return {
    id,
    inbox: "inb_1",
    status: "open",
    handler: "agent",
    subject: null,
    seq: 1,
    people: { con_3f2a: { name: "" } },
    positions: {},
    messages: 1,
    created_at: 0,
    contact: "con_3f2a",
    assignee: null,
    team: null,
    waiting_since: null,
    preview: "Hello",
    cursor: 1,
    ...part,
  };
}

const known = (...states: State[]) => learn(nothingHeld("staff"), states).byId;
const ids = (states: readonly State[]) => states.map(({ id }) => id);

test("who waits longest stands on top, and who doesn't wait comes after them, the latest moved first", () => {
  const all = known(
    conversation("old", { cursor: 3 }),
    conversation("late", { waiting_since: 20 }),
    conversation("new", { cursor: 9 }),
    conversation("longest", { waiting_since: 10 }),
  );

  assert.deepEqual(ids(listOf(all, "all", "open", "", noa)), ["longest", "late", "new", "old"]);
});

test("each view shows its own", () => {
  const all = known(
    conversation("mine", { assignee: "agt_noa" }),
    conversation("nobody's"),
    conversation("team's", { assignee: "agt_other", team: "tem_help" }),
    conversation("foreign", { assignee: "agt_other", team: "tem_other" }),
    conversation("done", { assignee: "agt_noa", status: "resolved" }),
  );

  assert.deepEqual(ids(listOf(all, "mine", "open", "", noa)), ["mine"]);
  assert.deepEqual(ids(listOf(all, "unassigned", "open", "", noa)), ["nobody's"]);
  assert.deepEqual(ids(listOf(all, "team", "open", "", noa)), ["team's"]);
  assert.equal(listOf(all, "all", "open", "", noa).length, 4);
  assert.deepEqual(ids(listOf(all, "mine", "resolved", "", noa)), ["done"]);
});

test("unread is what the contact wrote and this agent hasn't seen", () => {
  const messages = 5;

  assert.equal(unreadFor(conversation("a", { messages }), noa), 5);
  assert.equal(unreadFor(conversation("a", { messages, positions: { agt_noa: { seen: 3 } } }), noa), 2);
  assert.equal(unreadFor(conversation("a", { messages, positions: { agt_other: { seen: 5 } } }), noa), 5);
});

test("a filter finds names, visitors without one and words, in any case", () => {
  const dana = conversation("a", { people: { con_3f2a: { name: "Dana" } }, preview: "Where is my PARCEL" });

  assert.ok(matches(dana, " dana"));
  assert.ok(matches(dana, "parcel"));
  assert.ok(matches(conversation("b"), "visitor 3f2a"));
  assert.ok(!matches(dana, "tom"));
});

test("claiming moves a conversation from one count to the other", () => {
  const before = conversation("a");
  const counts = counted(nothing, undefined, before, noa);

  const after = counted(counts, before, conversation("a", { assignee: "agt_noa", positions: { agt_noa: { seen: 1 } } }), noa);

  assert.deepEqual(counts.unassigned, { total: 1, unread: 1 });
  assert.deepEqual(after, { ...nothing, mine: { total: 1, unread: 0 }, all: { total: 1, unread: 0 } });
});

test("resolving takes a conversation out of every count", () => {
  const before = conversation("a", { assignee: "agt_noa", team: "tem_help" });
  const counts = counted(nothing, undefined, before, noa);

  assert.deepEqual(counted(counts, before, { ...before, status: "resolved" }, noa), nothing);
});

test("counts follow the stream, and say when they can't know", () => {
  const me = { agent: noa, account: { id: "acc_1", name: "Luma" } };
  const first = learn(nothingHeld("staff"), [conversation("a")]);
  const start = { ...NEW_DESK, me, held: first, counts: counted(nothing, undefined, conversation("a"), noa) };

  const heard = withHeld(start, learn(first, [conversation("a", { seq: 2, status: "resolved" })]));
  const stranger = withHeld(start, learn(first, [conversation("b")]));
  const gone = withHeld(start, nothingHeld("staff"));

  assert.deepEqual([heard.isSure, heard.desk.counts], [true, nothing]);
  assert.equal(stranger.isSure, false);
  assert.equal(gone.isSure, false);
});

test("a conversation made after the counts were told is counted from here", () => {
  const me = { agent: noa, account: { id: "acc_1", name: "Luma" } };
  const start = { ...NEW_DESK, me, countedAt: 1000 };

  const heard = withHeld(start, learn(start.held, [conversation("a", { created_at: 1001 })]));

  assert.deepEqual([heard.isSure, heard.desk.counts.unassigned], [true, { total: 1, unread: 1 }]);
});

test("the desk knows how far the stream is, so that an older answer's counts aren't believed for long", () => {
  const me = { agent: noa, account: { id: "acc_1", name: "Luma" } };

  const heard = withHeld({ ...NEW_DESK, me }, learn(NEW_DESK.held, [conversation("a", { cursor: 41 }), conversation("b")]));

  assert.equal(heard.desk.cursor, 41);
});
