import assert from "node:assert/strict";
import test from "node:test";
import { newId } from "../../widget/src/wire/ids.ts";

test("ids are UUIDv7 in lower case", () => {
  assert.match(newId(), /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("ids sort by the order in which they were made, in one millisecond and when the clock goes back", () => {
  const moment = Date.now() + 60_000;
  const ids = Array.from({ length: 10_000 }, (_, n) => newId(moment - (n % 3)));

  assert.deepEqual(ids, [...ids].sort());
  assert.equal(new Set(ids).size, ids.length);
});

test("an id begins with its time", () => {
  const moment = Date.now() + 3_600_000;

  assert.equal(parseInt(newId(moment).replaceAll("-", "").slice(0, 12), 16), moment);
});
