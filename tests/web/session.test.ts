import assert from "node:assert/strict";
import test, { beforeEach } from "node:test";
import { Session } from "../../widget/src/session.ts";
import { SessionEnded } from "../../widget/src/wire/refused.ts";
import { memoryKeep } from "../../widget/src/wire/storage.ts";

let posted: Record<string, unknown>[] = [];
let answers: { session?: string; status?: number; contact?: string; expires_in?: number; merged?: string }[] = [];

Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });

beforeEach(() => {
  posted = [];
  answers = [];
  globalThis.fetch = async (_, init) => {
    posted.push(JSON.parse(String(init?.body)) as Record<string, unknown>);
    const { status = 200, contact = "con_1", session = `secret of ${contact}`, expires_in = 600, merged = null } = answers.shift() ?? {};
    const body = { session, token: `token ${posted.length}`, expires_in, inbox: { id: "inb_1", name: "" }, contact: { id: contact }, merged };
    return new Response(JSON.stringify(body), { status });
  };
});

test("a stranger has no secret, and is known from then on", async () => {
  const keep = memoryKeep();
  const session = new Session("demo", keep);
  assert.equal(session.isKnown, false);
  await session.begin();

  assert.deepEqual(posted, [{ inbox: "demo" }]);
  const next = new Session("demo", keep);
  assert.equal(next.isKnown, true);
  await next.begin();
  assert.deepEqual(posted[1], { inbox: "demo", session: "secret of con_1" });
});

test("two inboxes on one service don't share their shopper", async () => {
  const keep = memoryKeep();
  await new Session("demo", keep).begin();

  assert.equal(new Session("other", keep).isKnown, false);
});

test("the token that came with the session is used while it lives, and not when it was turned down", async () => {
  const session = new Session("demo", memoryKeep());
  await session.begin();

  assert.equal(await session.token(false), "token 1");
  assert.equal(await session.token(true), "token 2");
  assert.equal(posted.length, 2);
});

test("a token about to expire isn't used", async () => {
  answers = [{ expires_in: 20 }];
  const session = new Session("demo", memoryKeep());
  await session.begin();

  assert.equal(await session.token(false), "token 2");
});

test("when the server makes another contact of us, the old one has ended", async () => {
  answers = [{}, { contact: "con_2" }];
  const session = new Session("demo", memoryKeep());
  await session.begin();

  await assert.rejects(session.token(true), (error) => error instanceof SessionEnded && error.message === "actor_changed");
  assert.equal((await session.begin()).contact.id, "con_2");
});

test("only what a contact that was merged had typed goes along, and the server says which that is", async () => {
  answers = [{}, { contact: "con_2", merged: "con_1" }, { contact: "con_3" }];
  const session = new Session("demo", memoryKeep());
  await session.begin();

  await assert.rejects(session.token(true), SessionEnded);
  assert.equal(session.formerly, "con_1");
  await assert.rejects(session.token(true), SessionEnded);
  assert.equal(session.formerly, undefined);
  assert.deepEqual(posted.map(({ was }) => was), [undefined, "con_1", "con_2"]);
});

test("what the shop says is told once, as it may have ended when we come back", async () => {
  answers = [{}, { contact: "con_2", session: "new" }];
  const session = new Session("demo", memoryKeep());
  await session.begin();

  assert.equal(session.identify("jwt"), true);
  assert.equal((await session.begin()).contact.id, "con_2");
  assert.equal(session.secret, "new");
  assert.equal(session.identify("jwt"), false);
  await session.token(true).catch(() => undefined);
  assert.deepEqual(posted.map(({ identity }) => identity), [undefined, "jwt", undefined]);
});

test("the same customer signed anew is no news, another one is", async () => {
  const signed = (sub: string, exp: number): string => `head.${btoa(JSON.stringify({ sub, exp }))}.signature`;
  const session = new Session("demo", memoryKeep());

  assert.equal(session.identify(signed("dana", 1)), true);
  assert.equal(session.identify(signed("dana", 2)), true); // the first was never told
  await session.begin();
  assert.equal(session.identify(signed("dana", 3)), false);
  assert.equal(session.identify(signed("eli", 3)), true);
});

test("after logging out the secret is gone, here and there, and whoever comes next is a stranger", async () => {
  const session = new Session("demo", memoryKeep());
  await session.begin();

  assert.equal(session.identify(null), true);
  assert.equal(session.isKnown, false);
  await session.begin();
  assert.deepEqual(posted.slice(1), [{ session: "secret of con_1" }, { inbox: "demo" }]);
});

test("what was asked for somebody else comes too late", async () => {
  answers = [{}, { contact: "con_dana" }, {}];
  const session = new Session("demo", memoryKeep());
  await session.begin();
  session.identify("jwt");
  const asked = session.begin();
  session.identify(null);
  await asked;

  assert.equal(session.isKnown, false);
});

test("what nobody's key has signed ends the chat, instead of going on as whoever was here before", async () => {
  answers = [{}, { status: 401 }];
  const session = new Session("demo", memoryKeep());
  await session.begin();
  session.identify("forged");

  await assert.rejects(session.begin(), SessionEnded);
});

test("no such inbox is final; trouble and too many requests pass", async () => {
  for (const status of [404, 403, 422]) {
    answers = [{ status }];
    await assert.rejects(new Session("demo", memoryKeep()).begin(), SessionEnded);
  }
  for (const status of [408, 429, 500, 503]) {
    answers = [{ status }];
    await assert.rejects(new Session("demo", memoryKeep()).begin(), (error) => !(error instanceof SessionEnded));
  }
});
