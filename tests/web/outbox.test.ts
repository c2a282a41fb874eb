import assert from "node:assert/strict";
import test from "node:test";
import type { Ask } from "../../widget/src/wire/frames.ts";
import { Outbox, conversationOf } from "../../widget/src/wire/outbox.ts";
import { memoryKeep, safeKeep } from "../../widget/src/wire/storage.ts";

const now = 1_000_000;

function message(id: string, conversation = "cnv_1"): Ask & { id: string } {
  return { type: "message.send", id, conversation, text: id };
}

function resolve(id: string): Ask & { id: string } {
  return { type: "conversation.resolve", id, conversation: "cnv_1" };
}

function sends(outbox: Outbox, at = now, room = 16): string[] {
  const due = outbox.due(at, room).map((item) => item.id);
  for (const id of due) outbox.sent(id);
  return due;
}

test("texts of one conversation leave in order, each naming the one before it", () => {
  const outbox = new Outbox(undefined, "", now);
  outbox.add(message("a"), now, "stored");
  outbox.add(message("b"), now, "stored");

  assert.deepEqual(outbox.due(now, 16).map((item) => item.body.after), ["stored", "a"]);
  assert.deepEqual(sends(outbox), ["a", "b"]);
  assert.deepEqual(sends(outbox), []);
});

test("no more leave than there is room for", () => {
  const outbox = new Outbox(undefined, "", now);
  for (const id of ["a", "b", "c"]) outbox.add(message(id), now, undefined);

  assert.deepEqual(sends(outbox, now, 2), ["a", "b"]);
});

test("a resolve waits until the texts before it are settled, and texts wait for it", () => {
  const outbox = new Outbox(undefined, "", now);
  outbox.add(message("a"), now, undefined);
  outbox.add(resolve("r"), now, undefined);
  outbox.add(message("b"), now, undefined);

  assert.deepEqual(sends(outbox), ["a"]);
  outbox.settle("a", undefined);
  assert.deepEqual(sends(outbox), ["r"]);
  outbox.settle("r", undefined);
  assert.deepEqual(sends(outbox), ["b"]);
});

test("a postponed text holds back what comes after it, but not other conversations", () => {
  const outbox = new Outbox(undefined, "", now);
  outbox.add(message("a"), now, undefined);
  sends(outbox);
  outbox.postpone("a", now + 500);
  outbox.add(message("b"), now, undefined);
  outbox.add(message("x", "cnv_2"), now, undefined);

  assert.deepEqual(sends(outbox), ["x"]);
  assert.equal(outbox.wakeAt(now), now + 500);
  assert.deepEqual(sends(outbox, now + 500), ["a", "b"]);
});

test("after a lost socket everything in doubt goes again, in the old order", () => {
  const outbox = new Outbox(undefined, "", now);
  for (const id of ["a", "b", "c"]) outbox.add(message(id), now, undefined);
  sends(outbox);
  outbox.settle("a", undefined);
  outbox.postpone("b", now + 9000);
  outbox.requeue();

  assert.deepEqual(sends(outbox), ["b", "c"]);
});

test("a refused text stays as failed, and the next one follows the one before it", () => {
  const outbox = new Outbox(undefined, "", now);
  for (const id of ["a", "b", "c"]) outbox.add(message(id), now, undefined);
  outbox.fail("b", "too_large");

  assert.equal(outbox.get("c")?.body.after, "a");
  assert.deepEqual(outbox.pending().map(({ id, state, code }) => [id, state, code]), [
    ["a", "sending", undefined],
    ["b", "failed", "too_large"],
    ["c", "sending", undefined],
  ]);
});

test("a refused claim leaves nothing behind", () => {
  const outbox = new Outbox(undefined, "", now);
  outbox.add(resolve("r"), now, undefined);
  outbox.fail("r", "forbidden");

  assert.equal(outbox.get("r"), undefined);
});

test("a retry keeps its id and goes to the end of the queue", () => {
  const outbox = new Outbox(undefined, "", now);
  outbox.add(message("a"), now, undefined);
  outbox.fail("a", "forbidden");
  outbox.add(message("b"), now, undefined);
  outbox.retry("a", now + 1, undefined);

  assert.deepEqual(sends(outbox), ["b", "a"]);
  assert.equal(outbox.get("a")?.body.after, "b");
});

test("messages to a conversation that is just being started wait for its name", () => {
  const outbox = new Outbox(undefined, "", now);
  outbox.add({ type: "conversation.start", id: "s", inbox: "inb_1", text: "Hi" }, now, undefined);
  outbox.add(message("a", conversationOf("s")), now, undefined);

  assert.deepEqual(sends(outbox), ["s"]);
  outbox.settle("s", "cnv_9");
  assert.deepEqual(outbox.due(now, 16).map((item) => item.body), [{ ...message("a", "cnv_9"), after: "s" }]);
});

test("typed text survives a reload, also the order; clicks don't", () => {
  const keep = memoryKeep();
  const before = new Outbox(keep, "box.", now);
  before.add(message("b"), now, undefined);
  before.add(message("a"), now + 1, undefined);
  before.add(resolve("r"), now + 2, undefined);
  sends(before);
  before.settle("nobody", undefined);

  const after = new Outbox(keep, "box.", now + 10);

  assert.deepEqual(sends(after), ["b", "a"]);
  after.settle("b", undefined);
  assert.deepEqual(new Outbox(keep, "box.", now).pending().map((item) => item.id), ["a"]);
});

test("what is older than a day is not sent by surprise", () => {
  const keep = memoryKeep();
  new Outbox(keep, "box.", now).add(message("a"), now, undefined);

  const after = new Outbox(keep, "box.", now + 25 * 3600 * 1000);

  assert.deepEqual(sends(after), []);
  assert.equal(after.pending()[0]?.code, "expired");
});

test("what another program left under our name is passed over", () => {
  const keep = memoryKeep();
  for (const junk of ["", "{", "null", "[]", '{"id":1}', '{"id":"x"}', '{"id":"x","body":{}}']) keep.set(`box.${junk}`, junk);

  assert.deepEqual(new Outbox(keep, "box.", now).pending(), []);
});

test("storage that throws is replaced by memory", () => {
  const keep = safeKeep(() => {
    throw new Error("denied");
  });
  new Outbox(keep, "box.", now).add(message("a"), now, undefined);

  assert.deepEqual(new Outbox(keep, "box.", now).pending().map((item) => item.id), ["a"]);
});

test("a start that was refused can go again with an address, under its old id, and what came after it follows", () => {
  const outbox = new Outbox(undefined, "box.", now);
  outbox.add({ type: "conversation.start", id: "a", inbox: "inb_1", text: "Hello?" }, now, undefined);
  outbox.add(message("b", conversationOf("a")), now, undefined);
  outbox.sent("a");
  outbox.fail("a", "queue_full");
  outbox.address("a", "dana@home.example");
  outbox.retry("a", now, undefined);

  const [again] = outbox.due(now, 16);
  assert.deepEqual(again?.body, { type: "conversation.start", id: "a", inbox: "inb_1", text: "Hello?", email: "dana@home.example" });
  outbox.settle("a", "cnv_1");
  assert.deepEqual(sends(outbox), ["b"]);
});

test("only a start can be addressed", () => {
  const outbox = new Outbox(undefined, "box.", now);
  outbox.add(message("a"), now, undefined);
  outbox.address("a", "dana@home.example");

  assert.equal("email" in (outbox.get("a")?.body ?? {}), false);
});
