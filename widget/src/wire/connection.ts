/** One peer's road to the server: connect, say hello, notice silence, come back. It knows nothing of conversations. */

import { backoff, blip, within } from "./backoff.ts";
import type { Socket, Wakes } from "./clock.ts";
import { CLOSE_CODES, closeClass } from "./frames.ts";
import type { Resume, ServerFrame } from "./frames.ts";
import { SessionEnded } from "./refused.ts";
import { GREETING_MS, Successor, hello, parse } from "./successor.ts";
import type { SuccessorOptions } from "./successor.ts";

export type Status = "connecting" | "live" | "waiting" | "stopped";

const GRACE_MS = 15_000; // beyond the server's ping
const ANSWER_MS = 10_000; // an ask without any sign of life after it: the line is dead one way
const SETTLED_MS = 10_000; // live for so long: the failures before don't count any more
const ABUSE_MS = 30_000; // told off for the rate: stay away a while

export interface ConnectionOptions extends SuccessorOptions {
  readonly wakes: Wakes;
}

export interface ConnectionEvents {
  /** What a hello says about how far the stream took us. */
  resume(): Resume | undefined;
  /** From now on frames are of the socket on which this was said. */
  resumed(resume: Resume | undefined): void;
  received(frames: readonly ServerFrame[]): void;
  changed(status: Status): void;
}

export class Connection {
  status: Status = "stopped";
  /** Why it stopped for good: a close code, or what the token function or the client said. */
  reason: number | string | undefined;

  private socket: Socket | undefined;
  private successor: Successor | undefined;
  private moves = 0; // tried in vain
  private life = 0; // whatever belongs to an older life is ignored
  private failures = 0;
  private wasLive = false;
  private renewed = false;
  private fresh = false;
  private lastHeard = 0;
  private oldestAsk: number | undefined;
  private silence = GREETING_MS;
  private unwake: (() => void) | undefined;
  private readonly timers = new Map<"retry" | "watch" | "settle" | "move", () => void>();

  constructor(
    private readonly options: ConnectionOptions,
    private readonly events: ConnectionEvents,
  ) {}

  start(): void {
    if (this.status !== "stopped") return;
    this.reason = undefined;
    this.failures = 0;
    this.renewed = false;
    this.unwake = this.options.wakes(() => this.wake());
    this.open();
  }

  stop(): void {
    this.halt(undefined);
  }

  /** For good: nothing but `start` brings it back. */
  halt(reason: number | string | undefined): void {
    if (this.status === "stopped") return;
    this.drop();
    this.unwake?.();
    this.reason = reason;
    this.become("stopped");
  }

  send(frame: object): void {
    if (this.status !== "live") return;
    if ("ref" in frame) {
      this.oldestAsk ??= this.options.clock.now();
      this.watch();
    }
    this.socket?.send(JSON.stringify(frame));
  }

  private open(): void {
    const life = ++this.life;
    this.lastHeard = this.options.clock.now();
    this.silence = GREETING_MS;
    this.watch();
    this.become("connecting");
    this.options.token(this.fresh).then(
      (token) => life === this.life && this.connect(life, token),
      (error: unknown) => {
        if (life !== this.life) return;
        if (error instanceof SessionEnded) this.halt(error.message || "session_ended");
        else this.lost(1006);
      },
    );
  }

  private connect(life: number, token: string): void {
    const socket = this.options.socket(this.options.url);
    this.socket = socket;
    this.fresh = false;
    socket.onopen = () => {
      if (life !== this.life) return;
      const resume = this.events.resume();
      this.events.resumed(resume);
      socket.send(hello(this.options.client, token, resume));
    };
    this.listenTo(socket, life);
  }

  private listenTo(socket: Socket, life: number): void {
    socket.onmessage = (event) => life === this.life && this.heard(socket, String(event.data));
    socket.onclose = (event) => life === this.life && this.lost(event.code);
  }

  /** A message holds one frame or several lines of them. Pongs leave from here: timers sleep in hidden tabs. */
  private heard(socket: Socket, text: string): void {
    this.lastHeard = this.options.clock.now();
    this.oldestAsk = undefined;
    const frames: ServerFrame[] = [];
    for (const line of text.split("\n")) {
      const frame = parse(line);
      if (frame?.type === "ping") socket.send(JSON.stringify({ type: "pong", n: frame.n }));
      else if (frame) frames.push(frame);
    }
    const life = this.life;
    for (const frame of frames) this.obey(frame);
    this.events.received(frames);
    if (life === this.life && frames.some((frame) => frame.type === "synced")) this.synced();
  }

  private obey(frame: ServerFrame): void {
    if (frame.type === "welcome") this.silence = frame.ping + GRACE_MS;
    if (frame.type === "reconnect") this.timer("move", within(frame.after, this.options.clock.random), () => this.move());
  }

  private synced(): void {
    this.wasLive = true;
    this.timer("settle", SETTLED_MS, () => {
      this.failures = 0;
      this.renewed = false;
    });
    this.become("live");
  }

  /** The server asked for it. The old socket goes when a new one is up to date, and serves on until there is one. */
  private move(): void {
    this.successor = new Successor(
      this.options,
      {
        resume: () => this.events.resume(),
        ready: (socket, resume, texts) => this.changeOver(socket, resume, texts),
        failed: (code) => this.notMoved(code),
      },
      this.fresh,
    );
  }

  private changeOver(socket: Socket, resume: Resume | undefined, texts: readonly string[]): void {
    this.successor = undefined;
    this.moves = 0;
    this.fresh = false;
    this.drop();
    this.become("connecting"); // what was in flight goes again
    const life = ++this.life;
    this.socket = socket;
    this.listenTo(socket, life);
    this.events.resumed(resume);
    this.watch();
    for (const text of texts) {
      if (life === this.life) this.heard(socket, text);
    }
  }

  private notMoved(code: number): void {
    this.successor = undefined;
    if (!this.socket) return this.lost(code); // the old one has gone meanwhile
    if (closeClass(code) === "renew") this.fresh = true;
    this.timer("move", backoff(this.moves, this.options.clock.random), () => this.move());
    this.moves += 1;
  }

  private lost(code: number): void {
    const kind = closeClass(code);
    if (kind === "stop" || (kind === "renew" && this.renewed)) return this.halt(code);
    if (this.successor && kind !== "renew" && code !== CLOSE_CODES.changed) return this.waitFor(this.successor);
    this.drop();
    if (code === CLOSE_CODES.changed) this.fresh = true; // the token is another's by now
    if (kind === "renew") {
      this.renewed = true; // once: a second refusal means the session is over
      this.fresh = true;
      return this.open();
    }
    this.timer("retry", this.delay(code), () => this.open());
    this.become("waiting");
  }

  /** The old socket has gone, but a new one is on its way already. */
  private waitFor(successor: Successor): void {
    this.successor = undefined;
    this.drop();
    this.successor = successor;
    this.become("connecting");
  }

  private delay(code: number): number {
    const { random } = this.options.clock;
    const asked = code >= 4100 && code < 4200; // said by the server, not by the line: one step further back
    if (asked) this.failures = Math.max(1, this.failures);
    const wait = this.wasLive && this.failures === 0 ? blip(random) : backoff(this.failures, random);
    this.failures += 1;
    this.wasLive = false;
    return code === CLOSE_CODES.rate_abuse ? wait + ABUSE_MS : wait;
  }

  /** The page is back, or the network: don't wait for timers that slept. */
  private wake(): void {
    if (this.status !== "waiting") return this.listen();
    this.drop();
    this.open();
  }

  private watch(): void {
    this.timer("watch", Math.max(0, this.deadline() - this.options.clock.now()), () => this.listen());
  }

  /** Compares times instead of counting ticks, so that a laptop that slept knows it at once. */
  private listen(): void {
    if (this.status !== "connecting" && this.status !== "live") return;
    if (this.options.clock.now() >= this.deadline()) this.lost(1006);
    else this.watch();
  }

  private deadline(): number {
    const quiet = this.lastHeard + this.silence;
    return this.oldestAsk === undefined ? quiet : Math.min(quiet, this.oldestAsk + ANSWER_MS);
  }

  private drop(): void {
    this.life += 1;
    for (const cancel of this.timers.values()) cancel();
    this.timers.clear();
    this.successor?.abandon();
    this.successor = undefined;
    this.oldestAsk = undefined;
    const socket = this.socket;
    this.socket = undefined;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }

  private timer(name: "retry" | "watch" | "settle" | "move", ms: number, then: () => void): void {
    this.timers.get(name)?.();
    this.timers.set(name, this.options.clock.after(ms, then));
  }

  private become(status: Status): void {
    if (this.status === status) return;
    this.status = status;
    this.events.changed(status);
  }
}
