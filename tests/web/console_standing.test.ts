import assert from "node:assert/strict";
import test from "node:test";
import { nothingHeld } from "../../widget/src/conversations.ts";
import type { Conversation } from "../../widget/src/conversations.ts";
import { NEW_DESK, withHeld } from "../../console/src/state/desk.ts";
import { givenBy, isEnding, openWith, takenBy } from "../../console/src/state/handover.ts";
import { byStanding, isOver, ownReasonWords, reasonWords, slotWords, standingWords } from "../../console/src/state/standing.ts";
import { rowsOf } from "../../console/src/state/timeline.ts";
import { decisionWords, verdictWords } from "../../console/src/state/verdicts.ts";
import { NO_STAFF } from "../../console/src/types.ts";
import type { AgentStatus, Candidate, Decision, Entry, Me, State } from "../../console/src/types.ts";
import { message, state } from "./fakes.ts";

const HOUR = 3_600_000;
const noon = new Date(2026, 10, 21, 12).getTime();
const agent = { kind: "agent", id: "agt_noa" } as const;

function status(part: Partial<AgentStatus> = {}): AgentStatus {
  return {
    agent: "agt_noa", status: "accepting_chats", reason: "free", until: null, slots: 4, used: 1,
    availability: "available", availability_reason: "", since: noon, ...part,
  };
}

const offShift = status({ status: "offline", reason: "off_shift" });

test("a status is told with its reason and its end", () => {
  const lunch = status({ status: "not_accepting_chats", reason: "away", availability: "away", availability_reason: "Lunch", until: noon + HOUR });

  assert.match(standingWords(lunch, noon), /^Away · Lunch · until \d/);
  assert.equal(standingWords(lunch, noon + HOUR), "Away · Lunch"); // what is over isn't told as a time to come
  assert.equal(standingWords(status(), noon), "Available");
  assert.match(standingWords({ ...offShift, until: noon + 21 * HOUR }, noon), /^Off shift · until Sunday/);
});

test("the own words stand only beside what was chosen", () => {
  const full = status({ status: "not_accepting_chats", reason: "full", availability_reason: "left over", used: 4 });

  assert.equal(standingWords(full, noon), "All slots taken");
  assert.equal(slotWords(full), "4 of 4");
});

test("what the service has set is said in words, and what this console hasn't learnt as it is named", () => {
  assert.equal(ownReasonWords("idle"), "nothing done for a while");
  assert.equal(ownReasonWords("bounced"), "chats weren't answered");
  assert.equal(ownReasonWords("Lunch"), "Lunch");
  assert.equal(reasonWords("on_the_moon"), "on_the_moon");
});

test("whoever can take something stands first, of those the one with most room", () => {
  const fullest = status({ agent: "a", used: 3 });
  const freest = status({ agent: "b", used: 0 });
  const busy = status({ agent: "c", status: "not_accepting_chats", reason: "busy" });
  const sorted = [offShift, busy, fullest, freest].sort(byStanding);

  assert.deepEqual(sorted.map((one) => one.agent), ["b", "a", "c", "agt_noa"]);
  assert.ok(byStanding(undefined, offShift) > 0); // nobody has said anything of that one
  assert.ok(byStanding(offShift, undefined) < 0);
});

test("only the end of a shift and time off are the end of work", () => {
  assert.equal(isOver(offShift), true);
  assert.equal(isOver(status({ status: "offline", reason: "time_off" })), true);
  assert.equal(isOver(status({ status: "offline", reason: "not_present" })), false);
  assert.equal(isOver(undefined), false);
});

// ---- handovers

function conversation(id: string, part: Partial<State>, entries: readonly Entry[] = []): Conversation {
  return { id, state: { ...state({ seq: 9, ...part }), id }, seq: 9, stated: 9, entries, more: false, held: true };
}

const known = (...conversations: Conversation[]) => new Map(conversations.map((one) => [one.id, one]));
const ids = (states: readonly State[]) => states.map(({ id }) => id);

function handedOver(born: number, from: string, at = noon): Entry {
  const author = { kind: "system" } as const;
  return { id: `h${born}`, seq: born, born, kind: "activity", author, at, activity: "handed_over", data: { assignee: from } };
}

test("what is open in these hands will be handed over", () => {
  const all = known(
    conversation("mine", { assignee: "agt_noa" }),
    conversation("done", { assignee: "agt_noa", status: "resolved" }),
    conversation("aside", { assignee: "agt_noa", status: "snoozed" }),
    conversation("other's", { assignee: "agt_som" }),
  );

  assert.deepEqual(ids(openWith(all, "agt_noa")), ["mine"]);
});

test("that a shift ends is told in its last minutes, and soon enough to who is away or busy", () => {
  const away = status({ status: "not_accepting_chats", reason: "away", until: noon + HOUR });

  assert.equal(isEnding(status({ status: "not_accepting_chats", reason: "winding_down", until: noon + HOUR }), noon), true);
  assert.equal(isEnding(away, noon), false);
  assert.equal(isEnding(away, noon + HOUR - 60_000), true);
  assert.equal(isEnding({ ...away, until: null }, noon), false);
  assert.equal(isEnding(status({ until: noon + 60_000 }), noon), false); // perhaps only the last minutes begin then
  assert.equal(isEnding(undefined, noon), false);
});

test("what was handed over is what went away when this shift ended, to whomever", () => {
  const all = known(
    conversation("waits", { status: "queued", assignee: null }, [handedOver(2, "agt_noa")]),
    conversation("taken", { assignee: "agt_som" }, [handedOver(2, "agt_noa", noon - 1000)]),
    conversation("long ago", { assignee: "agt_som" }, [handedOver(2, "agt_noa", noon - 9 * HOUR)]),
    conversation("other's", { assignee: "agt_noa" }, [handedOver(2, "agt_som")]),
    conversation("back again", { assignee: "agt_noa" }, [handedOver(2, "agt_noa")]),
  );

  assert.deepEqual(ids(givenBy(all, "agt_noa", offShift)), ["waits", "taken"]);
  assert.deepEqual(givenBy(all, "agt_noa", status()), []);
  assert.deepEqual(givenBy(all, "agt_noa", undefined), []);
});

test("what was taken over is told until it was answered", () => {
  const mine = { assignee: "agt_noa" };
  const all = known(
    conversation("new", mine, [message(1), handedOver(2, "agt_som")]),
    conversation("answered", mine, [handedOver(2, "agt_som"), message(3, { author: agent })]),
    conversation("answered before", mine, [message(1, { author: agent }), handedOver(2, "agt_som")]),
    conversation("noted", mine, [handedOver(2, "agt_som"), message(3, { author: agent, kind: "note" })]),
    conversation("own", mine, [handedOver(2, "agt_noa")]),
    conversation("other's", { assignee: "agt_som" }, [handedOver(2, "agt_noa")]),
  );

  assert.deepEqual(
    takenBy(all, "agt_noa").map(({ state: { id }, from }) => [id, from]),
    [["new", "agt_som"], ["answered before", "agt_som"], ["noted", "agt_som"]],
  );
});

test("what was chosen for the end of a shift ends with it", () => {
  const me = { agent: { id: "agt_noa", teams: [] } } as unknown as Me;
  const held = (one: AgentStatus) => ({ ...nothingHeld("staff"), statuses: new Map([[one.agent, one]]) });
  const desk = { ...NEW_DESK, me, finishes: true, held: held(status()) };

  const over = withHeld(desk, held(offShift)).desk;
  assert.equal(over.finishes, true);
  assert.equal(withHeld(over, held(status({ status: "offline", reason: "not_present" }))).desk.finishes, true);
  assert.equal(withHeld(over, held(status())).desk.finishes, null);
});

// ---- the timeline and the log

test("a transfer is one line: staff's says more than the contact's", () => {
  const line = (part: Partial<Entry> & { id: string }): Entry => ({ ...message(2), kind: "activity", author: agent, ...part });
  const both = [line({ id: "t1", activity: "transferred" }), line({ id: "t1-assigned", activity: "assigned", data: { to: "agt_som" } })];
  const shown = (entries: readonly Entry[]) =>
    rowsOf(entries.map((entry) => ({ entry })), null).flatMap((row) => (row.kind === "activity" ? [row.entry.id] : []));

  assert.deepEqual(shown(both), ["t1-assigned"]);
  assert.deepEqual(shown(both.slice(0, 1)), ["t1"]);
});

function decision(part: Partial<Decision>): Decision {
  return { position: 1, at: noon, kind: "routed", chosen: null, team: null, by: "sys", candidates: [], ...part };
}

const candidate = (verdict: string): Candidate => ({
  member: "agt_noa", status: "accepting_chats", reason: "free", used: 1, slots: 4, verdict,
});
const staff = { ...NO_STAFF, agents: [{ id: "agt_noa", name: "Noa" }, { id: "agt_som", name: "Somchai" }] };

test("every kind of decision has its words", () => {
  const words = (part: Partial<Decision>) => decisionWords(decision(part), staff);

  assert.equal(words({ chosen: "agt_noa" }), "Given to Noa");
  assert.equal(words({ kind: "claimed", chosen: "agt_noa" }), "Noa took it");
  assert.equal(words({ kind: "transferred", by: "agt_noa", chosen: "agt_som" }), "Noa transferred it to Somchai");
  assert.equal(words({ kind: "transferred", by: "agt_noa" }), "Noa transferred it, and it waits");
  assert.equal(words({ kind: "bounced", candidates: [candidate("bounced")] }), "Noa didn't answer in time");
  assert.equal(words({ kind: "returned", candidates: [candidate("returned")] }), "Noa was gone, so it went back to the queue");
  assert.equal(words({ kind: "handed_over", candidates: [candidate("handed_over")] }), "The shift of Noa ended");
  assert.equal(words({ kind: "handed_over" }), "The shift of A colleague ended");
  assert.equal(words({ kind: "kept_waiting" }), "Nobody could take it");
  assert.equal(words({ kind: "of_tomorrow" }), "of_tomorrow");
});

test("every verdict that routing gives has words of its own", () => {
  const verdicts = [
    "chosen", "busier", "later_turn", "passed", "overflow", "skill", "not_known", "people_first", "bots_first", "inactive", "bounced",
    "returned", "handed_over", "full", "away", "busy", "winding_down", "off_shift", "time_off", "not_present", "unknown",
  ];
  const words = verdicts.map((verdict) => verdictWords(candidate(verdict)));

  assert.equal(new Set(words).size, verdicts.length);
  assert.ok(words.every((one) => !verdicts.includes(one)));
});
