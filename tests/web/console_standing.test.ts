import assert from "node:assert/strict";
import test from "node:test";
import type { Conversation } from "../../widget/src/conversations.ts";
import { givenBy, haveMoved, isEnding, takenBy } from "../../console/src/state/handover.ts";
import { byStanding, isOver, ownReason, reasonWords, slotWords, standingWords, whyWords } from "../../console/src/state/standing.ts";
import { rowsOf } from "../../console/src/state/timeline.ts";
import { decisionWords, verdictWords } from "../../console/src/state/verdicts.ts";
import { NO_STAFF } from "../../console/src/types.ts";
import type { AgentStatus, Candidate, Decision, Entry, Handover, State } from "../../console/src/types.ts";
import { SERVICE } from "../../widget/src/wire/frames.ts";
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

  assert.equal(standingWords(full, noon), "Full");
  assert.equal(slotWords(full), "4 of 4");
});

test("what the service has set is said in words, and what this console hasn't learnt as it is named", () => {
  const set = (availability_reason: string, set_by?: string) => status({ availability: "away", availability_reason, ...(set_by && { set_by }) });

  assert.equal(whyWords(set("idle", SERVICE)), "nothing done for a while");
  assert.equal(whyWords(set("bounced", SERVICE)), "chats weren't answered");
  assert.equal(whyWords(set("Lunch", "agt_som")), "Lunch");
  assert.deepEqual([ownReason(set("idle", SERVICE)), ownReason(set("idle")), whyWords(set("idle"))], ["", "idle", "idle"]);
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

function handover(id: string, from: string, part: Partial<State> = {}): Handover {
  return { at: noon, from, state: { ...state({ seq: 8, ...part }), id } };
}

test("that a shift ends is told in its last minutes, and soon enough to who has none or takes nothing", () => {
  const end = noon + HOUR;
  const away = status({ status: "not_accepting_chats", reason: "away", shift_ends_at: end });

  assert.equal(isEnding(status({ status: "not_accepting_chats", reason: "winding_down", shift_ends_at: end }), noon), true);
  for (const one of [away, status({ shift_ends_at: end })]) {
    assert.equal(isEnding(one, noon), false);
    assert.equal(isEnding(one, end - 60_000), true);
  }
  assert.equal(isEnding(status({ until: noon + 60_000 }), noon), false); // something else changes then
  assert.equal(isEnding({ ...offShift, shift_ends_at: end }, end), false);
  assert.equal(isEnding(undefined, noon), false);
});

test("what was handed over is told as it is now, once the shift is over", () => {
  const given = [handover("waits", "agt_noa", { status: "queued", assignee: null }), handover("taken", "agt_noa"), handover("back", "agt_noa")];
  const all = known(conversation("taken", { assignee: "agt_som" }), conversation("back", { assignee: "agt_noa" }));

  assert.deepEqual(givenBy(given, all, "agt_noa", offShift).map(({ id, assignee }) => [id, assignee]), [["waits", null], ["taken", "agt_som"]]);
  assert.deepEqual(givenBy(given, all, "agt_noa", status()), []);
  assert.deepEqual(givenBy(given, all, "agt_noa", undefined), []);
});

test("what was taken over is told until it was answered, or is in other hands", () => {
  const mine = { status: "open", assignee: "agt_noa", routing: { unanswered: true } } as const;
  const names = ["new", "not held here", "answered", "resolved", "passed on"];
  const all = known(
    conversation("new", mine),
    conversation("answered", { ...mine, routing: {} }),
    conversation("resolved", { ...mine, status: "resolved" }),
    conversation("passed on", { ...mine, assignee: "agt_som" }),
  );

  const taken = takenBy(names.map((id) => handover(id, "agt_som", mine)), all, "agt_noa");

  assert.deepEqual(taken.map(({ state: { id }, from }) => [id, from]), [["new", "agt_som"], ["not held here", "agt_som"]]);
});

test("that something came into these hands or left them is noticed, and nothing else", () => {
  const [mine, other] = [known(conversation("a", { assignee: "agt_noa" })), known(conversation("a", { assignee: "agt_som" }))];
  const [quiet, third] = [known(conversation("a", { assignee: "agt_noa", priority: 2 })), known(conversation("a", { assignee: "agt_x" }))];

  for (const [before, after] of [[mine, other], [other, mine], [known(), mine]] as const) assert.ok(haveMoved(before, after, "agt_noa"));
  for (const [before, after] of [[mine, mine], [mine, quiet], [other, third], [known(), other]] as const)
    assert.equal(haveMoved(before, after, "agt_noa"), false);
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
