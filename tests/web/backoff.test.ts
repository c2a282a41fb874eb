import assert from "node:assert/strict";
import test from "node:test";
import { backoff, blip, within } from "../../widget/src/wire/backoff.ts";

test("the ceiling doubles with every failure and stops at 20 s", () => {
  const longest = [0, 1, 2, 3, 4, 5, 6, 7, 50].map((failures) => backoff(failures, () => 1));

  assert.deepEqual(longest, [750, 1250, 2250, 4250, 8250, 16250, 20250, 20250, 20250]);
});

test("the dice choose anywhere below the ceiling, but never nothing", () => {
  assert.equal(backoff(9, () => 0), 250);
  assert.equal(backoff(9, () => 0.5), 10250);
});

test("after a live connection the first attempt comes within a second", () => {
  assert.equal(blip(() => 0), 0);
  assert.equal(blip(() => 1), 1000);
});

test("a reconnect frame's span is kept, also when it is the wrong way round", () => {
  assert.equal(within([1000, 5000], () => 0.5), 3000);
  assert.equal(within([1000, 0], () => 1), 1000);
});
