/** Who this shopper is, for this inbox: the secret in storage, shared by all tabs, and the short-lived socket tokens. */

import { SessionEnded } from "./wire/refused.ts";
import type { Keep } from "./wire/storage.ts";

const TIMEOUT_MS = 10_000;
const MARGIN_MS = 30_000; // a token about to expire isn't worth a handshake

interface Answer {
  readonly session: string;
  readonly token: string;
  readonly expires_in: number;
  readonly inbox: { readonly id: string; readonly name: string };
  readonly contact: { readonly id: string };
  readonly merged?: string | null; // the contact that has become this one
}

export class Session {
  /** Who we were until now: the same browser, whose contact turned out to be another one. What it had typed is ours. */
  formerly: string | undefined;
  /** What the shop last said who we are. */
  identity: string | null | undefined;

  private isTold = true; // the server knows it
  private answer: Answer | undefined;
  private goodUntil = 0;

  constructor(
    private readonly inbox: string, // its public key
    private readonly keep: Keep,
  ) {}

  /** This browser has written here before. */
  get isKnown(): boolean {
    return this.keep.get(this.key) !== null;
  }

  get secret(): string | null {
    return this.keep.get(this.key);
  }

  /** Who we are and where we write; asks the server the first time. */
  async begin(): Promise<Answer> {
    return this.isTold && this.answer ? this.answer : await this.renew();
  }

  /** The shop's word counts from the next `begin` on; null ends the session. Returns whether it is news. */
  identify(identity: string | null): boolean {
    if (this.identity === identity) return false;
    // Pages that build themselves anew say it again and again, signed anew each time.
    if (this.isTold && this.identity && identity && subOf(this.identity) === subOf(identity)) return false;
    this.identity = identity;
    this.isTold = identity === null;
    if (identity === null) this.forget();
    return true;
  }

  /** A socket token of this same contact. Another contact means that the session ended meanwhile. */
  async token(fresh: boolean): Promise<string> {
    const before = this.answer;
    if (before && !fresh && Date.now() < this.goodUntil) return before.token;
    const answer = await this.renew();
    if (before && answer.contact.id !== before.contact.id) throw new SessionEnded("actor_changed");
    return answer.token;
  }

  /** One tab at a time, so that two tabs that open together become one contact, not two. */
  private async renew(): Promise<Answer> {
    let asked: Promise<Answer> | undefined;
    const ask = (): Promise<Answer> => (asked = this.post());
    try {
      return await navigator.locks.request(this.key, ask);
    } catch {
      return await (asked ?? ask()); // no locks here, or denied to frames of another site, as storage is
    }
  }

  private async post(): Promise<Answer> {
    const { inbox, secret, identity } = this;
    const was = this.answer?.contact.id;
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(), TIMEOUT_MS);
    try {
      const response = await fetch("/v1/session", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        // Said once: it may have ended long before we come back.
        body: JSON.stringify({ inbox, ...(secret !== null && { session: secret }), ...(was && { was }), ...(!this.isTold && { identity }) }),
        signal: giveUp.signal,
      });
      if (!response.ok) throw refusal(response.status);
      const answer = (await response.json()) as Answer;
      if (identity !== this.identity) return answer; // too late: somebody else by now
      this.keep.set(this.key, answer.session);
      if (was !== answer.contact.id) this.formerly = answer.merged ?? undefined;
      this.isTold = true;
      this.answer = answer;
      this.goodUntil = Date.now() + answer.expires_in * 1000 - MARGIN_MS;
      return answer;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whoever comes next is a stranger, also when the server can't be told. */
  private forget(): void {
    const { secret } = this;
    this.keep.remove(this.key);
    this.answer = this.formerly = undefined;
    if (secret === null) return;
    const body = JSON.stringify({ session: secret });
    const headers = { "Content-Type": "application/json" };
    void fetch("/v1/session/end", { method: "POST", headers, body, keepalive: true }).catch(() => undefined);
  }

  private get key(): string {
    return `shopbell.session.${this.inbox}`;
  }
}

/** Whom a JWT is about; one that can't be read is only about itself. */
function subOf(jwt: string): unknown {
  try {
    const payload = (jwt.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    return (JSON.parse(atob(payload)) as { sub?: unknown }).sub ?? jwt;
  } catch {
    return jwt;
  }
}

/** Too many requests or a server in trouble pass; "no such inbox" and "not from here" stay. */
function refusal(status: number): Error {
  const stays = status >= 400 && status < 500 && status !== 408 && status !== 429;
  return stays ? new SessionEnded(`${status}`) : new Error(`/v1/session answered ${status}`);
}
