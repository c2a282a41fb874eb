/** A clock that stands still until told, and a server that speaks frames without a network. */

import type { Clock, Socket } from "../../widget/src/wire/clock.ts";
import type { Entry, Snapshot, State } from "../../widget/src/wire/frames.ts";
import { WireClient } from "../../widget/src/wire/client.ts";
import type { WireOptions } from "../../widget/src/wire/client.ts";

export class FakeClock implements Clock {
  time = 1_795_000_000_000;
  chance = 0.5;
  private timers: { at: number; then: () => void }[] = [];

  now = (): number => this.time;
  random = (): number => this.chance;

  after = (ms: number, then: () => void): (() => void) => {
    const timer = { at: this.time + ms, then };
    this.timers.push(timer);
    return () => void (this.timers = this.timers.filter((other) => other !== timer));
  };

  /** Moves on and fires what falls due, in order; promises get their turn in between. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    await settled();
    for (;;) {
      const next = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.time = Math.max(this.time, next.at);
      next.then();
      await settled();
    }
    this.time = end;
  }
}

/** Lets resolved promises call back. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
}

export type Heard = Record<string, unknown> & { type: string; ref: number; id: string };

/** The client's socket as the server sees it. */
export class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  closed = false;
  readonly heard: Heard[] = [];

  send(text: string): void {
    this.heard.push(JSON.parse(text) as Heard);
  }

  close(): void {
    this.closed = true;
  }

  /** The server's frames, joined into one message. */
  says(...frames: object[]): void {
    this.onmessage?.({ data: frames.map((frame) => JSON.stringify(frame)).join("\n") });
  }

  closes(code: number): void {
    this.closed = true;
    this.onclose?.({ code });
  }

  /** Takes what was heard of this type, oldest first. */
  hears(type: string): Heard[] {
    return this.heard.filter((frame) => frame.type === type);
  }
}

export class FakeServer {
  readonly clock = new FakeClock();
  readonly sockets: FakeSocket[] = [];
  readonly tokens: boolean[] = [];
  private wakeListener: (() => void) | undefined;

  client(options: Partial<WireOptions> = {}): WireClient {
    return new WireClient({
      url: "ws://test/v1/socket",
      token: async (fresh) => (this.tokens.push(fresh), `token-${this.tokens.length}`),
      client: "test/1.0",
      kind: "contact",
      clock: this.clock,
      socket: () => {
        const socket = new FakeSocket();
        this.sockets.push(socket);
        return socket;
      },
      wakes: (listener) => {
        this.wakeListener = listener;
        return () => (this.wakeListener = undefined);
      },
      ...options,
    });
  }

  wakes(): void {
    this.wakeListener?.();
  }

  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("no socket was opened");
    return socket;
  }

  /** Opens the newest socket and greets; `between` come before `synced`. */
  async accepts(between: object[] = [], me: { kind: string; id: string } = { kind: "contact", id: "con_1" }): Promise<FakeSocket> {
    await settled();
    const { socket } = this;
    socket.onopen?.();
    socket.says(welcome(me), ...between, { type: "synced", ...(me.kind === "agent" && { cursor: 10 }) });
    await settled();
    return socket;
  }
}

export function welcome(me: { kind: string; id: string }, epoch = "epoch-1"): object {
  const limits = { frame: 65536, text: 8000, watch: 50, inflight: 16 };
  return { type: "welcome", epoch, me: { name: "Test", ...me }, account: "acc_1", now: 0, ping: 25000, limits };
}

export function state(more: Partial<State> & { seq: number }): State {
  return {
    id: "cnv_1",
    inbox: "inb_1",
    status: "open",
    handler: "agent",
    subject: null,
    people: { con_1: { name: "Visitor" }, agt_1: { name: "Noa" } },
    positions: {},
    messages: 1,
    created_at: 0,
    ...more,
  };
}

export function message(born: number, more: Partial<Entry> = {}): Entry {
  return { id: `entry-${born}`, seq: born, born, kind: "message", author: { kind: "contact", id: "con_1" }, at: born * 1000, text: `text ${born}`, ...more };
}

export function snapshot(seq: number, borns: number[], more = false): Snapshot {
  return { type: "snapshot", conversation: "cnv_1", state: state({ seq }), entries: borns.map((born) => message(born)), more };
}
