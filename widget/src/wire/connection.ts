/** One peer's road to the server: connect, say hello, notice silence, come back. It knows nothing of conversations. */

import { backoff, blip, within } from "./backoff.ts";
import type { Clock, Socket, Wakes } from "./clock.ts";
import { CLOSE_CODES, PROTOCOL, closeClass } from "./frames.ts";
import type { Resume, ServerFrame } from "./frames.ts";
import { SessionEnded } from "./refused.ts";

export type Status = "connecting" | "live" | "waiting" | "stopped";

const GREETING_MS = 15_000; // token, handshake and welcome together
const GRACE_MS = 15_000; // beyond the server's ping
const ANSWER_MS = 10_000; // an ask without any sign of life after it: the line is dead one way
const SETTLED_MS = 10_000; // live for so long: the failures before don't count any more
const ABUSE_MS = 30_000; // told off for the rate: stay away a while

export interface ConnectionOptions {
  readonly url: string;
  readonly client: string;
  /** `fresh`: the last one was turned down, so a cached one won't do. */
  readonly token: (fresh: boolean) => Promise<string>;
  readonly clock: Clock;
  readonly socket: (url: string) => Socket;
  readonly wakes: Wakes;
}

export interface ConnectionEvents {
  resume(): Resume | undefined;
  received(frames: readonly ServerFrame[]): void;
  changed(status: Status): void;
}

export class Connection {
  status: Status = "stopped";
  /** Why it stopped for good: a close code, or what the token function or the client said. */
  reason: number | string | undefined;

  private socket: Socket | undefined;
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
      const { client } = this.options;
      const resume = this.events.resume();
      socket.send(JSON.stringify({ type: "hello", protocol: PROTOCOL, token, client, batch: true, ...(resume && { resume }) }));
    };
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

  /** The old socket goes, with all that was planned, and a new one comes at once. */
  private move(): void {
    this.drop();
    this.open();
  }

  private lost(code: number): void {
    const kind = closeClass(code);
    if (kind === "stop" || (kind === "renew" && this.renewed)) return this.halt(code);
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
    if (this.status === "waiting") this.move();
    else this.listen();
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

function parse(line: string): ServerFrame | undefined {
  try {
    return JSON.parse(line) as ServerFrame;
  } catch {
    return undefined; // not ours to judge: the next frame or the watchdog tells
  }
}
