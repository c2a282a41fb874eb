/** The shopper's side as one object: session, wire client, which conversation is looked at. The parts draw its `view`. */

import type { Conversation, Conversations } from "./conversations.ts";
import { nothingHeld } from "./conversations.ts";
import { older } from "./history.ts";
import type { Session } from "./session.ts";
import { latest, newestFromOthers, unread } from "./state/reach.ts";
import type { ToLoader } from "./talk.ts";
import { WireClient, SessionEnded, conversationOf } from "./wire/client.ts";
import type { Status, WireEvent } from "./wire/client.ts";
import type { ServerFrame } from "./wire/frames.ts";
import { newId } from "./wire/ids.ts";
import type { Keep } from "./wire/storage.ts";

const TRY_AGAIN_MS = 3000; // plus as much again by chance: the session endpoint, before there is a socket

type Choice = { readonly kind: "latest" | "list" } | { readonly kind: "one"; readonly place: string };

export interface View {
  readonly status: Status;
  readonly reason: number | string | undefined;
  readonly me: string;
  readonly held: Conversations;
  readonly screen: "conversation" | "list";
  /** Stays the same while a new conversation gets its name, so that nothing is drawn anew under the shopper's hands. */
  readonly place: string;
  readonly current: string; // the conversation's id, or the stand-in of one that isn't started yet
  readonly conversation: Conversation | undefined;
  readonly isOpen: boolean;
  readonly isFull: boolean;
  readonly isLoading: boolean; // something may be there, but we can't show it yet
  readonly canSend: boolean;
}

export class Shopper {
  private client: WireClient | undefined;
  private begun: "no" | "yes" | "never" = "no";
  private inbox = "";
  private me = "";
  private choice: Choice = { kind: "latest" };
  private next = newId(); // the id of the start, should the shopper start another one
  private isOpen = false;
  private isFull = false;
  private wasSynced = false;
  private atBottom = true;
  private fetching = new Set<string>();
  private told = "";
  private skew = 0;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly session: Session,
    private readonly keep: Keep,
    private readonly tell: (message: ToLoader) => void,
  ) {
    document.addEventListener("visibilitychange", () => this.attend());
  }

  on(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  get view(): View {
    const held = this.client?.conversations ?? nothingHeld("contact");
    const place = this.place(held);
    const current = named(held, place);
    const conversation = held.byId.get(current);
    const never = this.begun === "never";
    return {
      status: never ? "stopped" : (this.client?.status ?? "connecting"),
      reason: never ? "unavailable" : this.client?.reason,
      me: this.me,
      held,
      screen: this.choice.kind === "list" ? "list" : "conversation",
      place,
      current,
      conversation,
      isOpen: this.isOpen,
      isFull: this.isFull,
      isLoading: !never && !this.wasSynced && this.session.isKnown && held.byId.size === 0 && held.pending.length === 0,
      canSend: this.client !== undefined && this.client.reason === undefined,
    };
  }

  /** The service's time. */
  readonly now = (): number => Date.now() + this.skew;

  /** The panel opened or closed, here or by the loader. Before the first opening a stranger costs nothing. */
  opened(isOpen: boolean, isFull: boolean): void {
    this.isOpen = isOpen;
    this.isFull = isFull;
    if (isOpen || this.session.isKnown) void this.begin();
    if (isOpen) this.client?.start();
    this.changed();
  }

  /** What the shop says who we are; null: nobody that it knows any more. */
  identify(identity: string | null): void {
    const wasNobody = !this.session.identity;
    if (!this.session.identify(identity)) return;
    // A stranger goes on looking and writing until more is known: it goes along.
    if (identity !== null && wasNobody) this.client?.stop();
    else this.drop();
    this.wasSynced = false;
    this.begun = "no";
    if (identity === null) this.tell({ shopbell: "state", unread: 0, active: false });
    this.told = "";
    if (this.isOpen || this.session.isKnown) void this.begin();
    this.changed();
  }

  leave(): void {
    this.tell({ shopbell: "close" });
  }

  // ---- what the shopper does

  /** `email` is where a first message is to be answered; empty: here. */
  send(text: string, email = ""): void {
    const { current, place } = this.view;
    this.choice = { kind: "one", place };
    this.atBottom = true;
    if (current !== conversationOf(this.next)) {
      void this.client?.ask({ type: "message.send", conversation: current, text });
      return;
    }
    const id = this.next;
    this.next = newId();
    void this.client?.ask({ type: "conversation.start", id, inbox: this.inbox, text, ...(email !== "" && { email }) });
  }

  /** A first message for which there was no room: it goes again, to be answered by e-mail. */
  leaveMessage(id: string, email: string): void {
    this.choice = { kind: "one", place: conversationOf(id) };
    void this.client?.leave(id, email);
  }

  typing(on: boolean): void {
    const { conversation } = this.view;
    if (conversation) this.client?.signal({ type: "typing", conversation: conversation.id, on });
  }

  retry(id: string): void {
    void this.client?.retry(id);
  }

  discard(id: string): void {
    this.client?.discard(id);
  }

  look(id: string): void {
    this.choose({ kind: "one", place: id });
  }

  list(): void {
    this.choose({ kind: "list" });
  }

  startNew(): void {
    this.choose({ kind: "one", place: conversationOf(this.next) });
  }

  again(): void {
    this.client?.start();
    this.changed();
  }

  scrolled(atBottom: boolean): void {
    this.atBottom = atBottom;
    this.attend();
  }

  /** Fetches the page before the oldest entry held; a second call meanwhile does nothing. */
  async earlier(): Promise<void> {
    const { conversation } = this.view;
    const oldest = conversation?.entries[0];
    if (!conversation?.more || !oldest || this.fetching.has(conversation.id)) return;
    this.fetching.add(conversation.id);
    try {
      const page = await older(conversation.id, oldest.born, this.session.secret);
      this.client?.page(conversation.id, page.entries, page.more);
    } finally {
      this.fetching.delete(conversation.id);
    }
  }

  // ---- how it comes about

  private async begin(): Promise<void> {
    if (this.begun !== "no") return;
    this.begun = "yes";
    const { identity } = this.session;
    try {
      const { contact, inbox } = await this.session.begin();
      if (identity !== this.session.identity) return; // somebody else meanwhile, who begins anew
      this.inbox = inbox.id;
      this.connect(contact.id);
    } catch (error) {
      this.begun = error instanceof SessionEnded ? "never" : "no";
      if (this.begun === "never") this.drop();
      if (this.begun === "no") setTimeout(() => void this.begin(), TRY_AGAIN_MS * (1 + Math.random()));
    }
    this.changed();
  }

  private drop(): void {
    this.client?.stop();
    this.client = undefined;
  }

  private connect(contact: string): void {
    const { formerly } = this.session;
    const { conversation, place } = this.view;
    const isOurs = conversation !== undefined && (contact === this.me || formerly === this.me);
    if (!isOurs) this.choice = { kind: "latest" };
    else if (this.choice.kind !== "list") this.choice = { kind: "one", place }; // while somebody types there
    this.me = contact;
    this.client = new WireClient({
      url: `${location.origin.replace(/^http/, "ws")}/v1/socket`,
      token: (fresh) => this.session.token(fresh),
      client: "widget/1.0",
      kind: "contact",
      scope: contact,
      ...(formerly !== undefined && { formerly }),
      storage: this.keep,
    });
    const { client } = this;
    client.on((event) => client === this.client && this.heard(client, event));
    client.start();
  }

  private heard(client: WireClient, event: WireEvent): void {
    if (event.type === "status" && event.status === "live") this.wasSynced = true;
    if (event.type === "frames") this.setClock(event.frames);
    if (event.type === "status" && client.reason === "actor_changed") return this.renewed();
    if (event.type === "frames") this.attend();
    else this.changed();
  }

  private setClock(frames: readonly ServerFrame[]): void {
    for (const frame of frames) if (frame.type === "welcome") this.skew = frame.now - Date.now();
  }

  /** The server says that we are another contact: with a new session nobody we know, with the old one ourselves. */
  private renewed(): void {
    this.client?.stop();
    this.begun = "no";
    void this.begin();
  }

  /** What is looked at is read, what came otherwise is delivered. */
  private attend(): void {
    const { held, conversation, screen } = this.view;
    const isSeen = this.isOpen && screen === "conversation" && this.atBottom && document.visibilityState === "visible";
    for (const one of held.byId.values()) {
      const newest = newestFromOthers(one, this.me);
      if (newest === 0) continue;
      if (isSeen && one === conversation) this.client?.read(one.id, newest);
      else if ((one.state?.positions[this.me]?.read ?? 0) < newest) this.client?.delivered(one.id, newest);
    }
  }

  private place(held: Conversations): string {
    if (this.choice.kind === "one") return this.choice.place;
    return latest(held.byId.values())?.id ?? held.pending[0]?.conversation ?? conversationOf(this.next);
  }

  private choose(choice: Choice): void {
    this.choice = choice;
    this.atBottom = true;
    this.attend();
    this.changed();
  }

  private changed(): void {
    this.report();
    for (const listener of this.listeners) listener();
  }

  /** The loader hears about the badge; and a shopper who never wrote holds no socket behind a closed panel. */
  private report(): void {
    const { held } = this.view;
    const all = [...held.byId.values()];
    const count = all.reduce((sum, one) => sum + unread(one, this.me), 0);
    const goesOn = all.some(({ state }) => state && state.status !== "resolved") || held.pending.length > 0;
    const active = goesOn || count > 0;
    const message = { shopbell: "state", unread: count, active } as const;
    if (this.wasSynced && this.told !== JSON.stringify(message)) {
      this.told = JSON.stringify(message);
      this.tell(message);
    }
    const isStranger = all.length === 0 && held.pending.length === 0;
    if (!this.isOpen && isStranger && this.client?.status === "live") this.client.stop();
  }
}

/** A stand-in until the start is stored: from then on the conversation that begins with the start's entry. */
function named(held: Conversations, place: string): string {
  const found = [...held.byId.values()].find((one) => one.entries.some((entry) => conversationOf(entry.id) === place));
  return found?.id ?? place;
}
