import assert from "node:assert/strict";
import test from "node:test";
import { Refused, SessionEnded, conversationOf } from "../../widget/src/wire/client.ts";
import type { WireClient } from "../../widget/src/wire/client.ts";
import { CLOSE_CODES, closeClass } from "../../widget/src/wire/frames.ts";
import { memoryKeep } from "../../widget/src/wire/storage.ts";
import { GREETING_MS } from "../../widget/src/wire/successor.ts";
import { FakeServer, message, settled, snapshot, state, welcome } from "./fakes.ts";
import type { FakeSocket } from "./fakes.ts";

const say = (text: string, conversation = "cnv_1") => ({ type: "message.send", conversation, text }) as const;

test("the first frame is hello, with the token and without a resume", async () => {
  const server = new FakeServer();
  server.client().start();
  const socket = await server.accepts();

  assert.deepEqual(socket.heard, [{ type: "hello", protocol: 1, token: "token-1", client: "test/1.0", batch: true }]);
});

test("it is live once synced came", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  await settled();

  assert.equal(client.status, "connecting");
  await server.accepts();
  assert.equal(client.status, "live");
});

test("a ping is answered from the message handler", async () => {
  const server = new FakeServer();
  server.client().start();
  const socket = await server.accepts();
  socket.says({ type: "ping", n: 7 });

  assert.deepEqual(socket.heard.at(-1), { type: "pong", n: 7 });
});

test("an ask resolves with its ok", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const socket = await server.accepts([snapshot(5, [5])]);
  const answer = client.ask(say("Hello"));
  const sent = socket.hears("message.send")[0];

  assert.deepEqual(sent, { type: "message.send", conversation: "cnv_1", text: "Hello", id: sent?.id, after: "entry-5", ref: 1 });
  assert.equal(client.conversations.pending[0]?.state, "sending");
  socket.says({ type: "ok", ref: 1, conversation: "cnv_1", seq: 6 });
  assert.equal((await answer).seq, 6);
  assert.equal(client.conversations.pending.length, 0);
});

test("asks without an ok go again after a reconnect: same ids, same order, new refs", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const first = await server.accepts([snapshot(5, [5])]);
  for (const text of ["a", "b", "c"]) void client.ask(say(text));
  first.says({ type: "ok", ref: 1, conversation: "cnv_1", seq: 6 });
  first.closes(1006);
  void client.ask(say("d"));
  await server.clock.pass(2000);
  const second = await server.accepts();

  const texts = (frames: { id: string }[]) => frames.map((frame) => [frame.id, (frame as unknown as { text: string }).text]);
  const again = second.hears("message.send");
  assert.deepEqual(texts(again).slice(0, 2), texts(first.hears("message.send")).slice(1));
  assert.deepEqual(again.map((frame) => frame.text), ["b", "c", "d"]);
  assert.equal(new Set(again.map((frame) => frame.ref)).size, 3);
  assert.equal(again[2]?.after, again[1]?.id);
});

test("a message typed before the conversation has a name follows its start", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const socket = await server.accepts();
  void client.ask({ type: "conversation.start", id: "s", inbox: "inb_1", text: "Hi" });
  void client.ask(say("And also", conversationOf("s")));

  assert.equal(socket.hears("message.send").length, 0);
  socket.says({ type: "ok", ref: 1, conversation: "cnv_9", seq: 1 });
  assert.deepEqual(socket.hears("message.send").map(({ conversation, after }) => [conversation, after]), [["cnv_9", "s"]]);
});

test("a refusal for good rejects, and the text can be sent again with its id", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const socket = await server.accepts();
  const answer = client.ask(say("Hello"));
  socket.says({ type: "refused", ref: 1, code: "forbidden", retry: false, message: "No." });

  await assert.rejects(answer, (error) => error instanceof Refused && error.code === "forbidden");
  const [failed] = client.conversations.pending;
  assert.equal(failed?.state, "failed");
  const again = client.retry(failed?.id ?? "");
  const frames = socket.hears("message.send");
  assert.equal(frames[1]?.id, frames[0]?.id);
  socket.says({ type: "ok", ref: 2, conversation: "cnv_1", seq: 6 });
  await again;
});

test("a refusal for now is tried again when the server said, and order stays", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const socket = await server.accepts();
  void client.ask(say("a"));
  void client.ask(say("b"));
  socket.says({ type: "refused", ref: 1, code: "rate_limited", retry: true, message: "", after_ms: 1200 });
  socket.says({ type: "refused", ref: 2, code: "behind", retry: true, message: "" });

  await server.clock.pass(1100);
  assert.equal(socket.hears("message.send").length, 2);
  await server.clock.pass(200);
  assert.deepEqual(socket.hears("message.send").map((frame) => frame.text), ["a", "b", "a", "b"]);
});

test("`behind` something that no longer exists doesn't block for ever", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const socket = await server.accepts([snapshot(5, [5])]);
  void client.ask(say("a"));
  for (let ref = 1; ref <= 4; ref += 1) {
    socket.says({ type: "refused", ref, code: "behind", retry: true, message: "" });
    await server.clock.pass(9000);
    socket.says({ type: "ping", n: ref });
  }

  assert.deepEqual(socket.hears("message.send").map((frame) => frame.after), [...Array<string>(4).fill("entry-5"), undefined]);
});

test("no more asks fly than the server allows", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const socket = await server.accepts();
  for (let n = 0; n < 20; n += 1) void client.ask(say(`${n}`));

  assert.equal(socket.hears("message.send").length, 16);
  socket.says({ type: "ok", ref: 1 });
  assert.equal(socket.hears("message.send").length, 17);
});

test("a contact resumes where the stream took it", async () => {
  const server = new FakeServer();
  server.client().start();
  const first = await server.accepts([snapshot(5, [5])]);
  first.says({ type: "change", conversation: "cnv_1", seq: 7, entries: [message(7)] });
  first.closes(1006);
  await server.clock.pass(2000);
  const second = await server.accepts();

  assert.deepEqual(second.hears("hello")[0]?.resume, { epoch: "epoch-1", conversations: { cnv_1: 7 } });
});

test("staff resumes with cursor and watch, and says the whole set again", async () => {
  const server = new FakeServer();
  const agent = { kind: "agent", id: "agt_1" };
  const client = server.client({ kind: "staff" });
  client.watch(["cnv_1"]);
  client.start();
  const first = await server.accepts([], agent);
  assert.deepEqual(first.hears("watch")[0]?.conversations, ["cnv_1"]);
  first.says({ type: "ok", ref: 1 }, { ...snapshot(5, [5]), cursor: 12 });
  first.closes(4200);
  await server.clock.pass(2000);
  const second = await server.accepts([], agent);

  assert.deepEqual(second.hears("hello")[0]?.resume, { epoch: "epoch-1", cursor: 12, watch: ["cnv_1"] });
  assert.deepEqual(second.hears("watch")[0]?.conversations, ["cnv_1"]);
});

test("a reset drops what was held, and the snapshots that follow are the truth", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const first = await server.accepts([snapshot(50, [49, 50])]);
  first.closes(1006);
  await server.clock.pass(2000);
  await server.accepts([{ type: "reset", reason: "epoch" }, snapshot(3, [3])]);

  assert.deepEqual(client.conversations.byId.get("cnv_1")?.entries.map((entry) => entry.born), [3]);
});

test("close codes fall into their classes", () => {
  const classes = Object.fromEntries(Object.entries(CLOSE_CODES).map(([name, code]) => [name, closeClass(code)]));

  assert.deepEqual(classes, {
    protocol_version: "stop", malformed: "stop", hello_expected: "stop", unauthorized: "renew", revoked: "stop",
    origin_refused: "stop", too_many_errors: "stop", internal: "backoff", unavailable: "backoff", overloaded: "backoff",
    no_pong: "backoff", resync_failed: "backoff", slow_consumer: "backoff", rate_abuse: "backoff", drain: "prompt",
    changed: "prompt", restored: "prompt",
  });
  assert.deepEqual([1000, 1001, 1006, 1007, 1009, 1011, 1012, 4050, 4150, 4250].map(closeClass), [
    "backoff", "prompt", "backoff", "backoff", "backoff", "backoff", "prompt", "stop", "backoff", "prompt",
  ]);
});

test("a code that says stay away stops it for good", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  (await server.accepts()).closes(4010);
  await server.clock.pass(600_000);

  assert.equal(client.status, "stopped");
  assert.equal(client.reason, 4010);
  assert.equal(server.sockets.length, 1);
});

test("an expired token is renewed once; a second refusal ends it", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  await settled();
  server.socket.closes(4005);
  await settled();
  assert.deepEqual(server.tokens, [false, true]);
  assert.equal(server.sockets.length, 2);
  server.socket.closes(4005);
  await server.clock.pass(60_000);

  assert.equal(client.status, "stopped");
  assert.equal(server.sockets.length, 2);
});

test("a session that ended stops it, a failing token service doesn't", async () => {
  const server = new FakeServer();
  let error = new Error("503");
  const client = server.client({ token: () => Promise.reject(error) });
  client.start();
  await settled();
  assert.equal(client.status, "waiting");
  error = new SessionEnded("session_ended");
  await server.clock.pass(2000);

  assert.equal(client.status, "stopped");
  assert.equal(client.reason, "session_ended");
});

test("waits grow while the server is away and start again after 10 s of quiet", async () => {
  const server = new FakeServer();
  server.clock.chance = 1;
  server.client().start();
  const waits: number[] = [];
  await settled();
  for (let round = 0; round < 4; round += 1) {
    server.socket.closes(1006);
    const { time } = server.clock;
    const known = server.sockets.length;
    while (server.sockets.length === known) await server.clock.pass(250);
    waits.push(server.clock.time - time);
  }
  const socket = await server.accepts();
  await server.clock.pass(11_000);
  socket.closes(1006);
  await server.clock.pass(1000);

  assert.deepEqual(waits, [750, 1250, 2250, 4250]);
  assert.equal(server.sockets.length, 6);
});

test("silence beyond ping + 15 s brings a new socket", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const socket = await server.accepts();
  await server.clock.pass(39_000);
  assert.equal(client.status, "live");
  socket.says({ type: "ping", n: 1 });
  await server.clock.pass(39_000);
  assert.equal(client.status, "live");
  await server.clock.pass(1500);

  assert.equal(server.sockets.length, 2);
  assert.equal(socket.closed, true);
});

test("an ask that nothing follows for 10 s shows that the line is dead", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  await server.accepts();
  void client.ask(say("Hello"));
  await server.clock.pass(11_000);

  assert.equal(server.sockets.length, 2);
});

test("a laptop that wakes up knows at once that its socket is dead", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  await server.accepts();
  server.clock.time += 3_600_000; // no timer ran meanwhile
  server.wakes();
  assert.equal(client.status, "waiting");
  server.wakes();
  await settled();

  assert.equal(client.status, "connecting");
  assert.equal(server.sockets.length, 2);
  await server.clock.pass(1000);
  assert.equal(server.sockets.length, 2);
});

/** Live on a first socket, and the second one, asked for by the server, is open. */
async function moving(server: FakeServer, client = server.client()): Promise<[WireClient, FakeSocket, FakeSocket]> {
  client.start();
  const first = await server.accepts([snapshot(5, [5])]);
  first.says({ type: "reconnect", after: [1000, 5000], reason: "deploy" });
  await server.clock.pass(2900);
  assert.equal(server.sockets.length, 1);
  await server.clock.pass(200);
  assert.equal(server.sockets.length, 2);
  return [client, first, server.socket];
}

test("asked to reconnect, it has a new socket within the span and up to date before the old one goes", async () => {
  const server = new FakeServer();
  const [client, first, second] = await moving(server);
  const statuses: string[] = [];
  client.on((event) => event.type === "status" && statuses.push(event.status));
  second.onopen?.();
  second.says(welcome({ kind: "contact", id: "con_1" }), { type: "change", conversation: "cnv_1", seq: 6, entries: [message(6)] });
  first.says({ type: "change", conversation: "cnv_1", seq: 6, entries: [message(6)] });
  first.says({ type: "change", conversation: "cnv_1", seq: 7, entries: [message(7)] });

  assert.deepEqual(second.hears("hello")[0]?.resume, { epoch: "epoch-1", conversations: { cnv_1: 5 } });
  assert.equal(first.closed, false);
  assert.deepEqual(statuses, []);
  second.says({ type: "change", conversation: "cnv_1", seq: 7, entries: [message(7)] }, { type: "synced" });
  assert.equal(first.closed, true);
  assert.equal(client.status, "live");
  assert.deepEqual(statuses, ["connecting", "live"]); // in one turn: nobody sees the first
  assert.deepEqual(client.conversations.byId.get("cnv_1")?.entries.map((entry) => entry.born), [5, 6, 7]);
  second.says({ type: "change", conversation: "cnv_1", seq: 8, entries: [message(8)] });
  assert.equal(client.conversations.byId.get("cnv_1")?.seq, 8);
});

test("until then the old socket serves, and what it didn't answer is said again", async () => {
  const server = new FakeServer();
  const [client, first, second] = await moving(server);
  const answered = client.ask(say("a"));
  void client.ask(say("b"));
  first.says({ type: "ok", ref: 1, conversation: "cnv_1", seq: 6 });
  await answered;
  await server.accepts();

  assert.deepEqual(first.hears("message.send").map((frame) => frame.text), ["a", "b"]);
  assert.deepEqual(second.hears("message.send").map((frame) => frame.text), ["b"]);
  assert.equal(second.hears("message.send")[0]?.id, first.hears("message.send")[1]?.id);
});

test("as long as no new socket can be had, the old one serves", async () => {
  const server = new FakeServer();
  const [client, first, second] = await moving(server);
  second.closes(1006);
  await server.clock.pass(600);
  server.socket.closes(4103);
  assert.equal(client.status, "live");
  assert.equal(server.sockets.length, 3);
  const answered = client.ask(say("still here"));
  first.says({ type: "ok", ref: 1, conversation: "cnv_1", seq: 6 });
  await answered;
  await server.clock.pass(16_000 + GREETING_MS); // one that says nothing is given up
  assert.equal(server.sockets.length, 5);
  assert.equal(server.sockets[3]?.closed, true);
  assert.equal(first.closed, false);
  await server.accepts();

  assert.equal(first.closed, true);
  assert.equal(client.status, "live");
  await server.clock.pass(41_000); // and it is listened to for silence, as any
  assert.equal(server.sockets.length, 6);
});

test("a token that was turned down is renewed for the next try", async () => {
  const server = new FakeServer();
  const [, first, second] = await moving(server);
  second.closes(4005);
  await server.clock.pass(600);

  assert.deepEqual(server.tokens, [false, false, true]);
  assert.equal(first.closed, false);
});

test("when the old socket goes first, the new one that is on its way is the one", async () => {
  const server = new FakeServer();
  const [client, first, second] = await moving(server);
  first.closes(4200);
  assert.equal(client.status, "connecting");
  await server.clock.pass(5000);
  assert.equal(server.sockets.length, 2);
  await server.accepts();

  assert.equal(client.status, "live");
  second.closes(1006);
  await server.clock.pass(2000);
  assert.equal(server.sockets.length, 3);
});

test("when both go, it comes back as after any end", async () => {
  const server = new FakeServer();
  const [client, first, second] = await moving(server);
  first.closes(4200);
  second.closes(1006);
  assert.equal(client.status, "waiting");
  await server.clock.pass(1000);

  assert.equal(server.sockets.length, 3);
});

test("shut out on the old socket, it doesn't stay by the new one", async () => {
  const server = new FakeServer();
  const [client, first, second] = await moving(server);
  first.closes(4010);
  await server.clock.pass(60_000);

  assert.deepEqual([client.status, client.reason, second.closed, server.sockets.length], ["stopped", 4010, true, 2]);
});

test("who has become another on the old socket gets a new token, whatever is on its way", async () => {
  const server = new FakeServer();
  const [, first, second] = await moving(server);
  first.closes(4202);
  assert.equal(second.closed, true);
  await server.clock.pass(1000);

  assert.deepEqual(server.tokens, [false, false, true]);
});

test("stopped while it moves, it leaves nothing open", async () => {
  const server = new FakeServer();
  const [client, first, second] = await moving(server);
  client.stop();

  assert.deepEqual([first.closed, second.closed], [true, true]);
});

test("a conversation that the new socket was not told of comes anew", async () => {
  const server = new FakeServer();
  const client = server.client({ kind: "staff" });
  client.watch(["cnv_1", "cnv_2"]);
  client.start();
  const agent = { kind: "agent", id: "agt_1" };
  const first = await server.accepts([], agent);
  first.says({ type: "ok", ref: 1 }, { ...snapshot(5, [5]), cursor: 12 });
  first.says({ type: "reconnect", after: [0, 0], reason: "deploy" });
  await server.clock.pass(1);
  const second = server.socket;
  second.onopen?.();
  first.says({ ...snapshot(9, [9]), conversation: "cnv_2", state: state({ id: "cnv_2", seq: 9 }), cursor: 13 });
  assert.equal(client.conversations.byId.get("cnv_2")?.held, true);
  second.says(welcome(agent), { type: "synced", cursor: 14 });

  assert.deepEqual(second.hears("hello")[0]?.resume, { epoch: "epoch-1", cursor: 12, watch: ["cnv_1"] });
  assert.equal(client.conversations.byId.get("cnv_2")?.held, false);
  assert.deepEqual(second.hears("watch")[0]?.conversations, ["cnv_1", "cnv_2"]);
});

test("positions go at most once a second, the latest wins, and again after a reconnect", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const first = await server.accepts([snapshot(9, [9])]);
  for (const seq of [5, 6, 7, 8, 6]) client.read("cnv_1", seq);
  assert.deepEqual(first.hears("read").map((frame) => frame.seq), [5]);
  await server.clock.pass(1000);
  assert.deepEqual(first.hears("read").map((frame) => frame.seq), [5, 8]);
  first.closes(1006);
  await server.clock.pass(2000);
  const second = await server.accepts();

  assert.deepEqual(second.hears("read").map((frame) => frame.seq), [8]);
});

test("a position that the server already knows isn't sent", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const known = { ...snapshot(9, [9]), state: state({ seq: 9, positions: { con_1: { read: 9 } } }) };
  const socket = await server.accepts([known]);
  client.read("cnv_1", 9);

  assert.equal(socket.hears("read").length, 0);
});

test("typing goes at most every 3 s, and the end of it is told", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const socket = await server.accepts();
  for (let keys = 0; keys < 20; keys += 1) {
    client.signal({ type: "typing", conversation: "cnv_1", on: true });
    await server.clock.pass(200);
  }
  client.signal({ type: "typing", conversation: "cnv_1", on: false });
  await server.clock.pass(3000);

  assert.deepEqual(socket.hears("typing").map((frame) => frame.on), [true, true, false]);
});

test("who begins the next message at once is typing again, not stopping", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const socket = await server.accepts();
  for (const on of [true, false, true]) client.signal({ type: "typing", conversation: "cnv_1", on });
  await server.clock.pass(3000);
  client.signal({ type: "typing", conversation: "cnv_1", on: false });
  await server.clock.pass(4000);
  client.signal({ type: "typing", conversation: "cnv_1", on: true });
  await server.clock.pass(2000);

  assert.deepEqual(socket.hears("typing").map((frame) => frame.on), [true, true, false, true]);
});

test("another one's typing is forgotten without a word", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const socket = await server.accepts();
  socket.says({ type: "signal", name: "typing", conversation: "cnv_1", by: { kind: "agent", id: "agt_1" }, on: true });
  assert.equal(client.conversations.typing.size, 1);
  await server.clock.pass(6000);

  assert.equal(client.conversations.typing.size, 0);
});

test("text that nobody stored before a reload leaves after it", async () => {
  const server = new FakeServer();
  const storage = memoryKeep();
  void server.client({ storage, scope: "con_1" }).ask(say("Hello"));
  const reloaded = server.client({ storage, scope: "con_1" });
  assert.equal(reloaded.conversations.pending[0]?.text, "Hello");
  reloaded.start();
  const socket = await server.accepts();

  assert.equal(socket.hears("message.send")[0]?.text, "Hello");
});

test("what one person typed never leaves under another's name", async () => {
  const server = new FakeServer();
  const client = server.client({ storage: memoryKeep(), scope: "con_1" });
  void client.ask(say("Hello"));
  client.start();
  const socket = await server.accepts([], { kind: "contact", id: "con_2" });

  assert.equal(client.reason, "actor_changed");
  assert.equal(socket.hears("message.send").length, 0);
});

test("who has become another sends what the former one had typed, under the same ids", async () => {
  const server = new FakeServer();
  const storage = memoryKeep();
  const before = server.client({ storage, scope: "con_1" });
  before.start();
  const first = await server.accepts();
  void before.ask(say("Hello"));
  const { id } = first.hears("message.send")[0] ?? {};
  before.stop();
  const client = server.client({ storage, scope: "con_2", formerly: "con_1" });
  client.start();
  const socket = await server.accepts([], { kind: "contact", id: "con_2" });

  assert.deepEqual(socket.hears("message.send").map((frame) => [frame.id, frame.text]), [[id, "Hello"]]);
  assert.deepEqual(storage.keys("shopbell.outbox.con_1."), []);
});

test("after 4202 the old token won't do", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const first = await server.accepts();
  first.closes(4202);
  await server.clock.pass(2000);
  await server.accepts();

  assert.deepEqual(server.tokens, [false, true]);
  assert.equal(client.status, "live");
});

test("unknown frames, unknown fields and broken lines change nothing", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const socket = await server.accepts();
  socket.says({ type: "fireworks", colour: "red" });
  socket.onmessage?.({ data: "{" });
  socket.says({ type: "ok", ref: 999 }, { type: "refused", code: "bad_request", retry: false, message: "" });

  assert.equal(client.status, "live");
});

test("stop closes the socket and nothing comes back", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const socket = await server.accepts();
  client.stop();
  socket.onmessage?.({ data: JSON.stringify(welcome({ kind: "contact", id: "con_1" })) });
  await server.clock.pass(600_000);

  assert.equal(socket.closed, true);
  assert.equal(server.sockets.length, 1);
  assert.equal(client.status, "stopped");
});

const away = { type: "availability.set", availability: "away", reason: "Lunch" } as const;

test("how things are is said once, without an id", async () => {
  const server = new FakeServer();
  const client = server.client({ kind: "staff" });
  client.start();
  const socket = await server.accepts([], { kind: "agent", id: "agt_1" });
  const said = client.say(away);
  const sent = socket.hears("availability.set")[0];

  assert.deepEqual(sent, { ...away, ref: sent?.ref });
  socket.says({ type: "ok", ref: sent?.ref });
  assert.equal((await said).type, "ok");
});

test("how things are is refused with the server's reason", async () => {
  const server = new FakeServer();
  const client = server.client({ kind: "staff" });
  client.start();
  const socket = await server.accepts([], { kind: "agent", id: "agt_1" });
  const said = client.say({ ...away, agent: "agt_2" });
  socket.says({ type: "refused", ref: socket.hears("availability.set")[0]?.ref, code: "forbidden", retry: false, message: "No." });

  await assert.rejects(said, (problem: Refused) => problem.code === "forbidden");
});

test("what nobody may have heard isn't said again by itself", async () => {
  const server = new FakeServer();
  const client = server.client({ kind: "staff" });
  await assert.rejects(client.say(away), (problem: Refused) => problem.code === "unreachable");
  client.start();
  const socket = await server.accepts([], { kind: "agent", id: "agt_1" });
  const said = client.say(away);
  socket.closes(1006);
  await assert.rejects(said, (problem: Refused) => problem.code === "unreachable");
  await server.clock.pass(2000);

  const next = await server.accepts([], { kind: "agent", id: "agt_1" });
  assert.deepEqual(next.hears("availability.set"), []);
});

test("a message for which the queue had no room goes again with an address", async () => {
  const server = new FakeServer();
  const client = server.client();
  client.start();
  const socket = await server.accepts();
  const started = client.ask({ type: "conversation.start", inbox: "inb_1", text: "Hello?" });
  const [first] = socket.hears("conversation.start");
  socket.says({ type: "refused", ref: first?.ref, code: "queue_full", retry: false, message: "" });
  await assert.rejects(started, (problem: Refused) => problem.code === "queue_full");
  assert.equal(client.conversations.pending[0]?.code, "queue_full");

  const left = client.leave(first?.id ?? "", "dana@home.example");
  const again = socket.hears("conversation.start")[1];
  assert.deepEqual([again?.id, again?.["email"]], [first?.id, "dana@home.example"]);
  socket.says({ type: "ok", ref: again?.ref, conversation: "cnv_1", seq: 1 });
  assert.equal((await left).conversation, "cnv_1");
});

test("a transfer's ok says what came of it", async () => {
  const server = new FakeServer();
  const client = server.client({ kind: "staff" });
  client.start();
  const socket = await server.accepts([], { kind: "agent", id: "agt_1" });
  const done = client.ask({ type: "conversation.transfer", conversation: "cnv_1", to: "tem_1", when_full: "queue" });
  socket.says({ type: "ok", ref: socket.hears("conversation.transfer")[0]?.ref, conversation: "cnv_1", seq: 6, outcome: "queued" });

  assert.equal((await done).outcome, "queued");
});
