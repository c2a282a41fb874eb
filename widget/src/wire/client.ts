/** The wire client that widget and console share: asks in, conversations out, whatever happens to the socket. */

import { TYPING_MS, apply, forgetTyping, learn, nothingHeld, positions, resuming, watching, withPage } from "../conversations.ts";
import type { Conversations } from "../conversations.ts";
import { backoff } from "./backoff.ts";
import { browserClock, browserSocket, browserWakes } from "./clock.ts";
import type { Clock, Socket, Wakes } from "./clock.ts";
import { Connection } from "./connection.ts";
import type { Status } from "./connection.ts";
import type { Ask, AvailabilityAsk, Entry, Kind, Ok, RefusedFrame, ServerFrame, State, Typing } from "./frames.ts";
import { newId } from "./ids.ts";
import { Outbox, inherit } from "./outbox.ts";
import { Receipts } from "./receipts.ts";
import type { Receipt } from "./receipts.ts";
import { Refused } from "./refused.ts";
import type { Keep } from "./storage.ts";
import { Throttle } from "./throttle.ts";

export { Refused, SessionEnded } from "./refused.ts";
export { conversationOf } from "./outbox.ts";
export type { Status } from "./connection.ts";

const INFLIGHT = 16; // until `welcome` says
const WATCH_AGAIN_MS = 1000;
const TYPING_EVERY_MS = 3000;
const BEHIND_LIMIT = 3; // `behind` so often with nothing of ours before it: what `after` names is gone

export interface WireOptions {
  readonly url: string;
  readonly token: (fresh: boolean) => Promise<string>;
  readonly client: string;
  readonly kind: Kind;
  /** The actor's id. Names what is kept in `storage`, and stops the client when the token turns out to be another's. */
  readonly scope?: string;
  /** The actor's id until now, if it has become this one: what it had not yet sent goes on. */
  readonly formerly?: string;
  readonly storage?: Keep;
  readonly clock?: Clock;
  readonly socket?: (url: string) => Socket;
  readonly wakes?: Wakes;
}

export type WireEvent =
  | { readonly type: "status"; readonly status: Status }
  | { readonly type: "changed" } // `conversations` is a new value
  | { readonly type: "frames"; readonly frames: readonly ServerFrame[] }; // raw, after they were applied

type Settle = { resolve(ok: Ok): void; reject(refused: Refused): void };
type Answered = (frame: Ok | RefusedFrame) => void;

const prefixOf = (scope: string | undefined): string => `shopbell.outbox.${scope}.`;

export class WireClient {
  conversations: Conversations;

  private readonly connection: Connection;
  private readonly clock: Clock;
  private readonly outbox: Outbox;
  private readonly listeners = new Set<(event: WireEvent) => void>();
  private readonly settles = new Map<string, Settle>();
  private readonly answers = new Map<number, Answered>();
  private readonly said = new Set<Settle>();
  private readonly receipts: Receipts;
  private readonly typings: Throttle<boolean>;
  private cancelPump: (() => void) | undefined;
  private cancelTyping: (() => void) | undefined;
  private ref = 0;
  private inflight = INFLIGHT;

  constructor(private readonly options: WireOptions) {
    this.clock = options.clock ?? browserClock;
    const keep = options.scope === undefined ? undefined : options.storage;
    if (keep && options.formerly !== undefined) inherit(keep, prefixOf(options.formerly), prefixOf(options.scope));
    this.outbox = new Outbox(keep, prefixOf(options.scope), this.clock.now());
    this.conversations = { ...nothingHeld(options.kind), pending: this.outbox.pending() };
    this.receipts = new Receipts(this.clock, (receipt, answered) => {
      if (this.status === "live") this.send(receipt, answered);
    });
    this.typings = new Throttle(this.clock, TYPING_EVERY_MS, (conversation, on) =>
      this.connection.send({ type: "typing", conversation, on }),
    );
    this.connection = new Connection(
      { ...options, clock: this.clock, socket: options.socket ?? browserSocket, wakes: options.wakes ?? browserWakes },
      {
        resume: () => positions(this.conversations),
        resumed: (resume) => (this.conversations = resuming(this.conversations, resume)),
        received: (frames) => this.received(frames),
        changed: (status) => this.moved(status),
      },
    );
  }

  get status(): Status {
    return this.connection.status;
  }

  /** Why it stopped: a close code, "session_ended", "actor_changed", or nothing after `stop()`. */
  get reason(): number | string | undefined {
    return this.connection.reason;
  }

  start(): void {
    this.connection.start();
  }

  stop(): void {
    this.receipts.stop();
    this.typings.stop();
    this.cancelPump?.();
    this.cancelTyping?.();
    this.connection.stop();
  }

  on(listener: (event: WireEvent) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /**
   * Resolves when the server has stored it, however many reconnects that takes; rejects with Refused when it never will.
   * A refused text stays in `conversations.pending` as failed, for `retry` or `discard`.
   */
  ask(ask: Ask): Promise<Ok> {
    const body = { ...ask, id: ask.id ?? newId(this.clock.now()) };
    this.outbox.add(body, this.clock.now(), this.previous("conversation" in body ? body.conversation : undefined));
    return this.queued(body.id);
  }

  /** Sends a failed text again, with its old id. */
  retry(id: string): Promise<Ok> {
    const body = this.outbox.get(id)?.body;
    this.outbox.retry(id, this.clock.now(), this.previous(body && "conversation" in body ? body.conversation : undefined));
    return this.queued(id);
  }

  /** Sends a start that was refused again, as a message that is left to be answered by e-mail. */
  leave(id: string, email: string): Promise<Ok> {
    this.outbox.address(id, email);
    return this.retry(id);
  }

  /**
   * Says once how things are: it isn't kept, and nothing repeats it. Rejects with Refused, also as `unreachable` when
   * nobody can know whether it was heard.
   */
  say(frame: AvailabilityAsk): Promise<Ok> {
    if (this.status !== "live") return Promise.reject(unheard());
    return new Promise((resolve, reject) => {
      const settle = { resolve, reject };
      this.said.add(settle);
      this.send(frame, (answer) => {
        this.said.delete(settle);
        if (answer.type === "ok") resolve(answer);
        else reject(new Refused(answer.code, answer.retry, answer.message, answer.field));
      });
    });
  }

  discard(id: string): void {
    this.outbox.discard(id);
    this.showPending();
    this.notify({ type: "changed" });
  }

  /** Typing, at most every 3 s; nothing while there is no connection. */
  signal(frame: Typing): void {
    const { conversation, on } = frame;
    if (this.status !== "live") return;
    if (!on || this.typings.latest(conversation) !== true) this.typings.offer(conversation, on);
  }

  read(conversation: string, seq: number): void {
    this.receipt({ type: "read", conversation, seq });
  }

  delivered(conversation: string, seq: number): void {
    this.receipt({ type: "delivered", conversation, seq });
  }

  /** Staff: the whole set of conversations to hear with their entries. */
  watch(ids: readonly string[]): void {
    this.conversations = watching(this.conversations, ids);
    this.sendWatch();
    this.notify({ type: "changed" });
  }

  /** States that came over HTTP. */
  learn(states: readonly State[]): void {
    this.conversations = learn(this.conversations, states);
    this.notify({ type: "changed" });
  }

  /** Older entries that came over HTTP. */
  page(conversation: string, entries: readonly Entry[], more: boolean): void {
    this.conversations = withPage(this.conversations, conversation, entries, more);
    this.notify({ type: "changed" });
  }

  // ---- asks

  private queued(id: string): Promise<Ok> {
    const result = new Promise<Ok>((resolve, reject) => this.settles.set(id, { resolve, reject }));
    result.catch(() => undefined); // who doesn't care for the answer must not see an unhandled rejection
    this.pump();
    this.showPending();
    this.notify({ type: "changed" });
    return result;
  }

  private previous(conversation: string | undefined): string | undefined {
    const { byId, me } = this.conversations;
    const entries = byId.get(conversation ?? "")?.entries ?? [];
    return entries.filter((entry) => entry.author.id === me?.id && entry.kind !== "activity").pop()?.id;
  }

  /** Sends what is due, and comes back when the next postponed ask is. */
  private pump(): void {
    this.cancelPump?.();
    if (this.status !== "live") return;
    const now = this.clock.now();
    for (const item of this.outbox.due(now, this.inflight - this.answers.size)) {
      this.outbox.sent(item.id);
      this.send(item.body, (frame) => (frame.type === "ok" ? this.settled(item.id, frame) : this.refused(item.id, frame)));
    }
    const at = this.outbox.wakeAt(now);
    if (at !== undefined) this.cancelPump = this.clock.after(at - now, () => this.pump());
  }

  private settled(id: string, ok: Ok): void {
    this.outbox.settle(id, ok.conversation);
    this.settles.get(id)?.resolve(ok);
    this.settles.delete(id);
  }

  private refused(id: string, frame: RefusedFrame): void {
    const item = this.outbox.get(id);
    if (!item) return;
    if (!frame.retry) {
      this.outbox.fail(id, frame.code);
      this.settles.get(id)?.reject(new Refused(frame.code, false, frame.message, frame.field));
      this.settles.delete(id);
      return;
    }
    const before = "after" in item.body ? item.body.after : undefined;
    if (frame.code === "behind" && item.tries >= BEHIND_LIMIT && !this.outbox.get(before ?? "")) this.outbox.release(id);
    const wait = frame.after_ms ?? backoff(item.tries, this.clock.random);
    this.outbox.postpone(id, this.clock.now() + wait);
  }

  private send(body: object, answered: Answered): void {
    const ref = ++this.ref;
    this.answers.set(ref, answered);
    this.connection.send({ ...body, ref });
  }

  // ---- positions, watch

  private receipt(receipt: Receipt): void {
    const { byId, me } = this.conversations;
    const known = byId.get(receipt.conversation)?.state?.positions[me?.id ?? ""]?.[receipt.type] ?? 0;
    this.receipts.offer(receipt, known);
  }

  private sendWatch(): void {
    const { kind, watched } = this.conversations;
    if (kind !== "staff" || this.status !== "live") return;
    this.send({ type: "watch", conversations: [...watched] }, (frame) => {
      if (frame.type === "ok" || !frame.retry) return;
      this.clock.after(frame.after_ms ?? WATCH_AGAIN_MS, () => this.sendWatch());
    });
  }

  // ---- what the connection says

  private received(frames: readonly ServerFrame[]): void {
    const before = this.conversations;
    const pending = this.answers.size;
    for (const frame of frames) {
      if (this.status !== "stopped") this.receive(frame);
    }
    if (this.answers.size !== pending) this.pump();
    this.showPending();
    if (this.conversations !== before) this.notify({ type: "changed" });
    this.notify({ type: "frames", frames });
    if (frames.some((frame) => frame.type === "signal")) this.expireTyping();
  }

  private receive(frame: ServerFrame): void {
    if (frame.type === "welcome" && !this.isExpected(frame.me.id)) return this.connection.halt("actor_changed");
    if (frame.type === "welcome") this.inflight = frame.limits?.inflight ?? INFLIGHT;
    if (frame.type === "ok" || frame.type === "refused") {
      const answered = this.answers.get(frame.ref ?? 0);
      this.answers.delete(frame.ref ?? 0);
      answered?.(frame);
    } else {
      this.conversations = apply(this.conversations, frame, this.clock.now());
    }
  }

  /** Not when somebody else logged in meanwhile, in another tab: what was typed here must not leave under that name. */
  private isExpected(id: string): boolean {
    return id === (this.conversations.me?.id ?? this.options.scope ?? id);
  }

  private moved(status: Status): void {
    if (status === "live") {
      this.sendWatch();
      this.pump();
      this.receipts.again();
    } else {
      this.answers.clear();
      for (const { reject } of this.said) reject(unheard());
      this.said.clear();
      this.outbox.requeue();
      this.cancelPump?.();
    }
    this.notify({ type: "status", status });
  }

  private expireTyping(): void {
    this.cancelTyping?.();
    this.cancelTyping = this.clock.after(TYPING_MS, () => {
      this.conversations = forgetTyping(this.conversations, this.clock.now());
      this.notify({ type: "changed" });
      if (this.conversations.typing.size > 0) this.expireTyping();
    });
  }

  private showPending(): void {
    const pending = this.outbox.pending();
    if (pending !== this.conversations.pending) this.conversations = { ...this.conversations, pending };
  }

  private notify(event: WireEvent): void {
    for (const listener of [...this.listeners]) listener(event);
  }
}

function unheard(): Refused {
  return new Refused("unreachable", true, "There is no connection.");
}
