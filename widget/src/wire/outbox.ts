/** The asks that have no ok yet: in order, surviving reconnects and, what somebody typed, reloads. No clock, no socket. */

import type { Ask } from "./frames.ts";
import type { Keep } from "./storage.ts";

const KEEP_TRYING_MS = 24 * 3600 * 1000; // after a day nobody expects a message to leave by itself
const NEW = "new:";

/** The stand-in for the conversation that this start will make, until the server has named it. */
export function conversationOf(startId: string): string {
  return NEW + startId;
}

type Body = Ask & { readonly id: string; readonly after?: string | undefined };

export interface Waiting {
  readonly id: string;
  readonly body: Body;
  readonly at: number;
  readonly state: "queued" | "sent" | "failed";
  readonly code: string | undefined; // why it failed
  readonly tries: number;
  readonly notBefore: number;
}

/** What a timeline shows of a message that isn't stored yet. */
export interface Pending {
  readonly id: string;
  readonly conversation: string;
  readonly kind: "message" | "note";
  readonly text: string;
  readonly at: number;
  readonly state: "sending" | "failed";
  readonly code: string | undefined;
}

export class Outbox {
  private items: readonly Waiting[] = [];
  private shown: { of: readonly Waiting[]; pending: readonly Pending[] } = { of: this.items, pending: [] };

  /**
   * One key per ask, so that tabs never overwrite each other. A tab that opens adopts what it finds: the same id
   * sent by two tabs is stored once, so adopting too much is harmless and adopting too little would lose a message.
   */
  constructor(
    private readonly keep: Keep | undefined,
    private readonly prefix: string,
    now: number,
  ) {
    if (!keep) return;
    const found = keep.keys(prefix).map((key) => revive(keep.get(key), now));
    this.items = found.filter((item) => item !== undefined).sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  }

  /** `previous` is the id of the sender's last stored entry there; an own one that still waits goes before it. */
  add(body: Ask & { readonly id: string }, at: number, previous: string | undefined): void {
    this.put({ ...fresh, id: body.id, body: this.after(body, previous), at });
  }

  /**
   * What may be sent now, at most `room`. One conversation is one lane: nothing overtakes. Texts may fly together, since
   * `after` keeps their order on the server; anything else waits until its lane is empty.
   */
  due(now: number, room: number): Waiting[] {
    const closed = new Set<string>();
    const flying = new Map<string, boolean>(); // lane -> only texts in flight
    const ready: Waiting[] = [];
    for (const item of this.items) {
      if (ready.length >= room) break;
      const lane = laneOf(item.body);
      if (item.state === "failed" || closed.has(lane)) continue;
      const onlyTexts = flying.get(lane);
      const chained = onlyTexts === undefined || (onlyTexts && isWritten(item.body));
      if (item.state === "queued") {
        if (!chained || item.notBefore > now || isUnnamed(item.body)) {
          closed.add(lane);
          continue;
        }
        ready.push(item);
      }
      flying.set(lane, (onlyTexts ?? true) && isWritten(item.body));
    }
    return ready;
  }

  sent(id: string): void {
    this.change(id, (item) => ({ ...item, state: "sent" }));
  }

  /** The ok came. A start also gets the id of its conversation, for those that wait for it. */
  settle(id: string, conversation: string | undefined): void {
    const item = this.get(id);
    this.discard(id);
    if (item?.body.type !== "conversation.start" || conversation === undefined) return;
    const name = conversationOf(id);
    for (const other of this.items) {
      if (laneOf(other.body) === name) this.put({ ...other, body: { ...other.body, conversation } as Body });
    }
  }

  /** Refused, but not for good: back into the queue, not before `notBefore`. */
  postpone(id: string, notBefore: number): void {
    this.change(id, (item) => ({ ...item, state: "queued", tries: item.tries + 1, notBefore }));
  }

  /** Refused for good. What came after it in its conversation now comes after what it came after. */
  fail(id: string, code: string): void {
    const failed = this.get(id);
    if (!failed) return;
    if (!isText(failed.body)) return this.discard(id); // nothing to show or to retry: who asked is told
    this.put({ ...failed, state: "failed", code });
    this.forget(id, failed.body.after);
  }

  /** Another try of a failed one: the same id, at the end of the queue. What was written after a start waits for its name. */
  retry(id: string, at: number, previous: string | undefined): void {
    const item = this.get(id);
    if (item?.state !== "failed") return;
    if (item.body.type === "conversation.start") return this.change(id, (start) => ({ ...start, ...fresh }));
    this.items = this.items.filter((other) => other.id !== id);
    this.put({ ...fresh, id, body: this.after({ ...item.body, after: undefined }, previous), at });
  }

  /** A start that was refused only leaves a message from now on. Refused as it was, nothing of it is stored: its id stays. */
  address(id: string, email: string): void {
    this.change(id, (item) => (item.body.type === "conversation.start" ? { ...item, body: { ...item.body, email } } : item));
  }

  discard(id: string): void {
    const item = this.get(id);
    if (!item) return;
    this.items = this.items.filter((other) => other.id !== id);
    this.keep?.remove(this.prefix + id);
    if (item.state === "failed") this.forget(id, item.body.after);
  }

  /** The server keeps saying `behind` and nothing here is before it: what `after` names is gone. */
  release(id: string): void {
    this.change(id, (item) => ({ ...item, body: { ...item.body, after: undefined } }));
  }

  /** The socket is gone: what was in flight is in doubt, so it goes again. The id makes that harmless. */
  requeue(): void {
    this.items = this.items.map((item) => (item.state === "failed" ? item : { ...item, state: "queued", notBefore: 0 }));
  }

  get(id: string): Waiting | undefined {
    return this.items.find((item) => item.id === id);
  }

  /** When the next postponed one is due. What is due but blocked waits for an answer instead, not for a time. */
  wakeAt(now: number): number | undefined {
    const waits = this.items.filter((item) => item.state === "queued" && item.notBefore > now).map((item) => item.notBefore);
    return waits.length > 0 ? Math.min(...waits) : undefined;
  }

  /** The same array until something changed. */
  pending(): readonly Pending[] {
    if (this.shown.of !== this.items) this.shown = { of: this.items, pending: this.items.flatMap(toPending) };
    return this.shown.pending;
  }

  private after(body: Body, previous: string | undefined): Body {
    if (!isWritten(body)) return body;
    const lane = laneOf(body);
    const ahead = this.items.filter((item) => laneOf(item.body) === lane && isText(item.body) && item.state !== "failed");
    const after = ahead.pop()?.id ?? previous;
    return after === undefined ? body : { ...body, after };
  }

  private forget(id: string, before: string | undefined): void {
    for (const item of this.items) {
      if (item.body.after === id) this.put({ ...item, body: { ...item.body, after: before } });
    }
  }

  private change(id: string, how: (item: Waiting) => Waiting): void {
    this.items = this.items.map((item) => (item.id === id ? how(item) : item));
  }

  private put(item: Waiting): void {
    const known = this.items.some((other) => other.id === item.id);
    this.items = known ? this.items.map((other) => (other.id === item.id ? item : other)) : [...this.items, item];
    // A click that waits for the network is not worth a surprise after a reload; a text is.
    if (isText(item.body)) this.keep?.set(this.prefix + item.id, JSON.stringify(item));
  }
}

/** What one contact's tabs kept is another's from now on. The ids stay, so that nothing is stored twice. */
export function inherit(keep: Keep, from: string, to: string): void {
  for (const key of keep.keys(from)) {
    const kept = keep.get(key);
    if (kept !== null) keep.set(to + key.slice(from.length), kept);
    keep.remove(key);
  }
}

const fresh = { state: "queued", code: undefined, tries: 0, notBefore: 0 } as const;

function toPending({ body, id, at, state, code }: Waiting): Pending[] {
  if (!isText(body)) return [];
  const kind = body.type === "note.add" ? "note" : "message";
  return [{ id, conversation: laneOf(body), kind, text: body.text, at, state: state === "failed" ? "failed" : "sending", code }];
}

type Text = Extract<Body, { readonly text: string }>;

function isText(body: Body): body is Text {
  return "text" in body;
}

function isWritten(body: Body): boolean {
  return body.type === "message.send" || body.type === "note.add";
}

function isUnnamed(body: Body): boolean {
  return body.type !== "conversation.start" && body.conversation.startsWith(NEW);
}

function laneOf(body: Body): string {
  return body.type === "conversation.start" ? conversationOf(body.id) : body.conversation;
}

function revive(kept: string | null, now: number): Waiting | undefined {
  try {
    const item = JSON.parse(kept ?? "") as Waiting;
    if (typeof item.id !== "string" || !isText(item.body)) return undefined;
    if (item.state === "failed") return item;
    if (now - item.at > KEEP_TRYING_MS) return { ...item, state: "failed", code: "expired" };
    return { ...item, ...fresh };
  } catch {
    return undefined; // another program's, or half written
  }
}
