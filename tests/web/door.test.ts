import assert from "node:assert/strict";
import test from "node:test";
import { doorAt, isEmail, nearness, nextFlip, placeOf, waitOf } from "../../widget/src/state/door.ts";
import type { InboxStatus, Queue, State } from "../../widget/src/wire/frames.ts";
import { number, span, speak, t, weekday } from "../../widget/src/words.ts";
import { state } from "./fakes.ts";

const HOUR = 3_600_000;
const noon = new Date(2026, 10, 21, 12).getTime();

function told(part: Partial<InboxStatus> = {}): InboxStatus {
  return { type: "inbox.status", inbox: "inb_1", status: "open", opens_at: null, until: null, then: "open", reply_seconds: 90, ...part };
}

test("nothing is shown before something was told", () => {
  assert.equal(doorAt(undefined, noon), undefined);
  assert.equal(nextFlip(undefined, noon), undefined);
});

test("at `until` it turns by itself to what was announced, and says when somebody is back", () => {
  const closes = told({ until: noon + HOUR, then: "away", opens_at: noon + 20 * HOUR });

  assert.deepEqual(doorAt(closes, noon + HOUR - 1), { status: "open", opensAt: null, replySeconds: 90 });
  assert.deepEqual(doorAt(closes, noon + HOUR), { status: "away", opensAt: noon + 20 * HOUR, replySeconds: null });
  assert.equal(nextFlip(closes, noon), noon + HOUR);
  assert.equal(nextFlip(closes, noon + HOUR), noon + 20 * HOUR);
});

test("a moment that is over isn't told as the time of coming back", () => {
  const away = told({ status: "away", opens_at: noon + HOUR, until: noon + HOUR, then: "open" });

  assert.equal(doorAt(away, noon)?.opensAt, noon + HOUR);
  assert.deepEqual(doorAt(away, noon + HOUR), { status: "open", opensAt: null, replySeconds: 90 });
  assert.equal(doorAt(told({ status: "away", opens_at: noon - 1, then: "away" }), noon)?.opensAt, null);
  assert.equal(nextFlip(away, noon + HOUR), undefined);
});

test("who is away or busy promises no answer within the usual time", () => {
  assert.equal(doorAt(told({ status: "busy" }), noon)?.replySeconds, null);
  assert.equal(doorAt(told({ status: "away" }), noon)?.replySeconds, null);
});

test("a wait is rounded outwards, in the unit that people would say it in", () => {
  assert.deepEqual(waitOf([120, 300]), { unit: "minute", low: 2, high: 5 });
  assert.deepEqual(waitOf([130, 250]), { unit: "minute", low: 2, high: 5 });
  assert.deepEqual(waitOf([0, 20]), { unit: "minute", low: 0, high: 1 });
  assert.deepEqual(waitOf([0, 0]), { unit: "minute", low: 0, high: 1 });
  assert.deepEqual(waitOf([3600, 7200]), { unit: "minute", low: 60, high: 120 });
  assert.deepEqual(waitOf([3600, 7210]), { unit: "hour", low: 1, high: 3 });
  assert.deepEqual(waitOf([29 * 60, 53 * 60]), { unit: "minute", low: 25, high: 55 }); // nobody believes the 29
  assert.deepEqual(waitOf([60, 16 * 60]), { unit: "minute", low: 0, high: 20 });
});

test("a number is written with its unit, in one or many", () => {
  assert.equal(span(1, "minute"), "1 minute");
  assert.equal(span(5, "minute"), "5 minutes");
  assert.equal(span(2, "hour"), "2 hours");
  assert.equal(number(1200), "1,200");
});

test("only what waits has a place", () => {
  const place: Queue = { type: "queue", conversation: "cnv_1", position: 2, eta: [120, 300], opens_at: null };
  const places = new Map([["cnv_1", place]]);
  const conversation = (part: Partial<State>) =>
    ({ id: "cnv_1", state: state({ seq: 1, ...part }), seq: 1, stated: 1, entries: [], more: false, held: true }) as const;

  assert.equal(placeOf(conversation({ status: "queued" }), places), place);
  assert.equal(placeOf(conversation({ status: "open" }), places), undefined);
  assert.equal(placeOf(conversation({ status: "queued" }), new Map()), undefined);
  assert.equal(placeOf(undefined, places), undefined);
});

test("days are called by the clock of whoever reads them, not by hours in between", () => {
  const late = new Date(2026, 10, 21, 23, 30).getTime();

  assert.equal(nearness(late + HOUR / 4, late), "today");
  assert.equal(nearness(late + HOUR, late), "tomorrow");
  assert.equal(nearness(new Date(2026, 10, 27, 9).getTime(), late), "week");
  assert.equal(nearness(new Date(2026, 10, 28, 9).getTime(), late), "later");
});

test("an address is what the service takes for one", () => {
  for (const right of ["a@b", "dana@home.example", "ä@ö.example"]) assert.ok(isEmail(right), right);
  for (const wrong of ["", "dana", "@home", "dana@", "a@b@c", "a b@c", `${"a".repeat(250)}@home`]) assert.ok(!isEmail(wrong), wrong);
});

test("place and time are said in every language that the widget speaks", () => {
  const documentElement = { lang: "", dir: "" };
  Object.defineProperty(globalThis, "document", { value: { documentElement }, configurable: true });
  for (const language of ["en", "he", "th", "tr"]) {
    speak(language);
    assert.match(t("You’re number {n} in line", { n: 3 }), /3/);
    assert.ok(weekday(noon, false).length > weekday(noon, true).length);
    assert.match(span(5, "minute"), /5/);
  }
  assert.equal(documentElement.lang, "tr");
  speak("en");
  Reflect.deleteProperty(globalThis, "document");
});
