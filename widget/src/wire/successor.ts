/** A socket that is brought up to date beside the one in use, which serves until then. */

import type { Clock, Socket } from "./clock.ts";
import { PROTOCOL } from "./frames.ts";
import type { Resume, ServerFrame } from "./frames.ts";

export const GREETING_MS = 15_000; // token, handshake and welcome together

export interface SuccessorOptions {
  readonly url: string;
  readonly client: string;
  /** `fresh`: the last one was turned down, so a cached one won't do. */
  readonly token: (fresh: boolean) => Promise<string>;
  readonly clock: Clock;
  readonly socket: (url: string) => Socket;
}

export interface SuccessorEvents {
  resume(): Resume | undefined;
  /** It is up to date: the socket, what hello said, and the messages that came. The socket is the caller's now. */
  ready(socket: Socket, resume: Resume | undefined, texts: readonly string[]): void;
  failed(code: number): void;
}

export class Successor {
  private socket: Socket | undefined;
  private resume: Resume | undefined;
  private isOver = false;
  private readonly texts: string[] = [];
  private readonly giveUp: () => void;

  constructor(
    private readonly options: SuccessorOptions,
    private readonly events: SuccessorEvents,
    fresh: boolean,
  ) {
    this.giveUp = options.clock.after(GREETING_MS, () => this.fail(1006));
    options.token(fresh).then(
      (token) => this.isOver || this.connect(token),
      () => this.fail(1006),
    );
  }

  abandon(): void {
    if (this.isOver) return;
    this.end();
    this.socket?.close(1000);
  }

  private connect(token: string): void {
    const socket = this.options.socket(this.options.url);
    this.socket = socket;
    socket.onopen = () => {
      this.resume = this.events.resume();
      socket.send(hello(this.options.client, token, this.resume));
    };
    socket.onmessage = (event) => this.heard(socket, String(event.data));
    socket.onclose = (event) => this.fail(event.code);
  }

  private heard(socket: Socket, text: string): void {
    this.texts.push(text);
    if (!text.split("\n").some((line) => parse(line)?.type === "synced")) return;
    this.end();
    this.events.ready(socket, this.resume, this.texts);
  }

  private fail(code: number): void {
    if (this.isOver) return;
    this.abandon();
    this.events.failed(code);
  }

  private end(): void {
    this.isOver = true;
    this.giveUp();
    if (this.socket) this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
  }
}

export function hello(client: string, token: string, resume: Resume | undefined): string {
  return JSON.stringify({ type: "hello", protocol: PROTOCOL, token, client, batch: true, ...(resume && { resume }) });
}

export function parse(line: string): ServerFrame | undefined {
  try {
    return JSON.parse(line) as ServerFrame;
  } catch {
    return undefined; // not ours to judge: the next frame or the watchdog tells
  }
}
