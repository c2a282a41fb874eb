/** The console's verbs: what parts may ask for, carried out over wire and HTTP, with the outcome put into the desk. */

import { type Ask, type Availability, CLOSE_CODES, type TransferAsk, type Welcome } from "../../widget/src/wire/frames.ts";
import { Refused, SessionEnded, WireClient, type WireEvent } from "../../widget/src/wire/client.ts";
import { safeKeep } from "../../widget/src/wire/storage.ts";
import { Handovers } from "./handovers.ts";
import { HttpProblem, getMe, getOlder, getStaff, getToken, login, logout } from "./http.ts";
import { Lists } from "./lists.ts";
import { Reader } from "./reader.ts";
import { refusalWords } from "./refusals.ts";
import { type Desk, NEW_DESK, type Sheet, draftOf, firstName, ownStatus, stateOf, withHeld } from "./state/desk.ts";
import type { Draft } from "./state/drafts.ts";
import { keepDrafts, loadDrafts, withDraft } from "./state/drafts.ts";
import { haveMoved } from "./state/handover.ts";
import { staffName } from "./state/names.ts";
import type { Place } from "./state/place.ts";
import { ownReason } from "./state/standing.ts";
import { type Store, makeStore } from "./state/store.ts";
import type { Me, State } from "./types.ts";

/** Ends of a connection that a new sign-in heals; after all others the page itself has to be loaded again. */
const SIGNED_OUT = new Set<number | string>([CLOSE_CODES.unauthorized, CLOSE_CODES.revoked, "session_ended"]);
const OLDER = 50;
/** So many of the conversations last opened stay live, so that going back to one shows it at once. */
const RECENT = 8;
/** After a page of history couldn't be read. */
const OLDER_RETRY_MS = 4000;
const TEXT_LIMIT = 8000; // until `welcome` says

export interface Choice {
  readonly availability: Availability;
  readonly reason: string;
  /** Left out where nothing was said of the end of the shift. */
  readonly finish?: boolean;
}

/** What came of a transfer; `why` is a refusal's code. */
export type Outcome = "assigned" | "queued" | { readonly why: string };

export class Console {
  readonly desk: Store<Desk>;
  private client: WireClient | null = null;
  readonly reader: Reader;
  private readonly lists: Lists;
  private readonly handovers = new Handovers((handovers) => this.set({ handovers }));
  private recent: readonly string[] = [];
  private skew = 0;
  private limit = TEXT_LIMIT;
  private isLearning = false;
  private toastId = 0;

  constructor(
    place: Place,
    private readonly shelf: Storage | null,
    private readonly socketUrl: string,
  ) {
    this.desk = makeStore<Desk>({ ...NEW_DESK, place, drafts: loadDrafts(shelf) });
    this.reader = new Reader(this.desk, (conversation, seq) => this.client?.read(conversation, seq));
    this.lists = new Lists({
      desk: this.desk,
      learn: (states) => this.learn(states),
      missing: (conversation) => this.set({ missing: conversation }),
      failed: (problem) => this.failed(problem),
      now: () => this.now(),
    });
  }

  // ---- coming and going

  readonly start = async (): Promise<void> => {
    try {
      await this.enter(await getMe());
    } catch (problem) {
      const isOut = problem instanceof HttpProblem && problem.status === 401;
      this.set({ stage: isOut ? "out" : "unreachable" });
    }
  };

  /** null when it worked, else why not. */
  readonly login = async (email: string, password: string): Promise<string | null> => {
    try {
      await login(email, password);
      await this.enter(await getMe());
      return null;
    } catch (problem) {
      return problem instanceof HttpProblem ? problem.code : "unknown";
    }
  };

  readonly logout = async (): Promise<void> => {
    try {
      await logout();
    } catch (problem) {
      if (problem instanceof HttpProblem && problem.status !== 401) return this.failed(problem);
    }
    keepDrafts(this.shelf, {});
    this.leave(false, {});
  };

  private async enter(me: Me): Promise<void> {
    const staff = await getStaff();
    this.set({ ...NEW_DESK, stage: "in", me, staff, place: this.desk.get().place, drafts: this.desk.get().drafts });
    this.client = new WireClient({
      url: this.socketUrl,
      token: async () => this.token(),
      client: "console/1.0",
      kind: "staff",
      scope: me.agent.id,
      storage: safeKeep(() => localStorage),
    });
    this.client.on((event) => this.hear(event));
    this.take(); // what an earlier page left unsent
    this.client.start();
    this.lists.visit(this.desk.get().place);
    this.opened();
  }

  private leave(hasEnded: boolean, drafts: Desk["drafts"]): void {
    this.client?.stop();
    this.client = null;
    this.lists.stop();
    this.handovers.stop();
    this.recent = [];
    this.set({ ...NEW_DESK, stage: "out", hasEnded, place: this.desk.get().place, drafts });
  }

  private async token(): Promise<string> {
    try {
      return await getToken();
    } catch (problem) {
      if (problem instanceof HttpProblem && problem.status === 401) throw new SessionEnded();
      throw problem;
    }
  }

  readonly reconnect = (): void => {
    this.client?.stop();
    this.client?.start();
  };

  // ---- moving about

  readonly go = (place: Place): void => {
    const isOther = place.conversation !== this.desk.get().place.conversation;
    this.set({ place });
    if (this.desk.get().stage !== "in") return;
    this.lists.visit(place);
    if (isOther) this.opened();
  };

  private opened(): void {
    const { conversation } = this.desk.get().place;
    this.set({ isLoadingOlder: false, missing: null });
    this.reader.opened();
    if (!conversation) return;
    this.recent = [conversation, ...this.recent.filter((id) => id !== conversation)].slice(0, RECENT);
    this.client?.watch(this.recent);
    if (!stateOf(this.desk.get(), conversation)) void this.lists.find(conversation);
  }

  readonly setFilter = (filter: string): void => this.set({ filter });
  readonly loadMore = (): void => this.lists.more();
  readonly show = (sheet: Sheet | null): void => this.set({ sheet });
  readonly now = (): number => Date.now() + this.skew;
  readonly textLimit = (): number => this.limit;

  readonly loadOlder = async (): Promise<void> => {
    const { place, held, isLoadingOlder } = this.desk.get();
    const known = place.conversation ? held.byId.get(place.conversation) : undefined;
    const oldest = known?.entries[0];
    if (!known?.more || !oldest || isLoadingOlder) return;
    this.set({ isLoadingOlder: true });
    try {
      const page = await getOlder(known.id, oldest.born, OLDER);
      this.client?.page(known.id, page.entries, page.more);
    } catch (problem) {
      if (problem instanceof HttpProblem) this.failed(problem);
      await new Promise((wake) => setTimeout(wake, OLDER_RETRY_MS));
    }
    this.set({ isLoadingOlder: false });
  };

  // ---- asking

  readonly claim = (conversation: string): void => this.ask({ type: "conversation.claim", conversation });
  readonly resolve = (conversation: string): void => this.ask({ type: "conversation.resolve", conversation });
  readonly reopen = (conversation: string): void => this.ask({ type: "conversation.reopen", conversation });
  readonly assign = (conversation: string, to: { assignee?: string | null; team?: string | null }): void =>
    this.ask({ type: "conversation.assign", conversation, ...to });

  /** Hands a conversation on; resolves when it is known what came of it. */
  readonly transfer = async (ask: Omit<TransferAsk, "type">): Promise<Outcome> => {
    if (!this.client) return { why: "unreachable" };
    try {
      const done = await this.client.ask({ type: "conversation.transfer", ...ask });
      return done.outcome ?? "assigned";
    } catch (problem) {
      return { why: problem instanceof Refused ? problem.code : "unknown" };
    }
  };

  /** Says whether an agent takes conversations. null when it holds, else a refusal's code. */
  readonly setAvailability = async (agent: string, choice: Choice): Promise<string | null> => {
    const isMe = agent === this.desk.get().me?.agent.id;
    if (!this.client) return "unreachable";
    try {
      await this.client.say({ type: "availability.set", ...choice, ...(!isMe && { agent }) });
    } catch (problem) {
      return problem instanceof Refused ? problem.code : "unknown";
    }
    return null;
  };

  /** What is open stays in these hands when this shift ends; whether chats are taken stays as it is. */
  readonly finishMine = async (): Promise<void> => {
    const status = ownStatus(this.desk.get());
    if (!status) return;
    const choice = { availability: status.availability, reason: ownReason(status), finish: true };
    const why = await this.setAvailability(status.agent, choice);
    if (why !== null) this.toast(refusalWords(why), true);
  };

  readonly send = (conversation: string, text: string): void => this.begin("message.send", conversation, text);
  readonly note = (conversation: string, text: string): void => this.begin("note.add", conversation, text);

  /** A refusal shows itself: the text stays in the timeline as not sent. */
  private begin(type: "message.send" | "note.add", conversation: string, text: string): void {
    this.write(type, conversation, text).catch(() => undefined);
  }

  readonly sendAndResolve = (conversation: string, text: string): void => {
    const sent = this.write("message.send", conversation, text);
    // A message that was refused is still to be answered for: the conversation stays open.
    sent.then(() => this.resolve(conversation)).catch(() => undefined);
  };

  readonly sendAgain = (id: string): void => void this.client?.retry(id).catch(() => undefined);
  readonly discard = (id: string): void => this.client?.discard(id);

  private async write(type: "message.send" | "note.add", conversation: string, text: string): Promise<void> {
    if (!this.client) return;
    const sent = this.client.ask({ type, conversation, text });
    const draft = draftOf(this.desk.get(), conversation);
    this.setDraft(conversation, { ...draft, [type === "note.add" ? "note" : "reply"]: "", mode: "reply" });
    await sent;
  }

  private ask(ask: Ask & { conversation: string }): void {
    this.client?.ask(ask).catch((problem: unknown) => {
      if (!(problem instanceof Refused)) return;
      const { staff, me } = this.desk.get();
      const holder = stateOf(this.desk.get(), ask.conversation)?.assignee;
      const who = holder && holder !== me?.agent.id ? firstName(staffName(holder, staff)) : undefined;
      this.toast(refusalWords(problem.code, who), true);
    });
  }

  readonly setDraft = (conversation: string, draft: Draft): void => {
    const before = draftOf(this.desk.get(), conversation);
    const drafts = withDraft(this.desk.get().drafts, conversation, draft);
    this.set({ drafts });
    keepDrafts(this.shelf, drafts);
    const isWriting = draft.mode === "reply" && draft.reply !== "";
    const wasWriting = before.mode === "reply" && before.reply !== "";
    const hasMoved = isWriting ? draft.reply !== before.reply : wasWriting;
    if (hasMoved) this.client?.signal({ type: "typing", conversation, on: isWriting });
  };

  // ---- telling

  readonly toast = (text: string, isProblem: boolean): void => {
    const toast = { id: ++this.toastId, text, isProblem };
    this.desk.update((desk) => ({ ...desk, toasts: [...desk.toasts.slice(-2), toast] }));
  };

  readonly dropToast = (id: number): void =>
    this.desk.update((desk) => ({ ...desk, toasts: desk.toasts.filter((toast) => toast.id !== id) }));

  private failed(problem: HttpProblem): void {
    if (problem.status === 401) return this.leave(true, this.desk.get().drafts);
    if (this.desk.get().isLive) this.toast(refusalWords(problem.code), true);
  }

  // ---- hearing

  private hear(event: WireEvent): void {
    if (event.type === "changed") return this.take();
    if (event.type === "status") return this.moved(event.status);
    for (const frame of event.frames) {
      if (frame.type === "welcome") this.welcomed(frame);
      if (frame.type === "reset") this.set({ lists: {} });
      if (frame.type === "gone") this.set({ missing: frame.conversation });
      if (frame.type === "synced") {
        this.lists.refresh();
        this.handovers.refresh();
      }
    }
  }

  private welcomed(frame: Welcome): void {
    this.skew = frame.now - Date.now();
    this.limit = frame.limits?.text ?? TEXT_LIMIT;
  }

  private moved(status: WireClient["status"]): void {
    this.set({ isLive: status === "live" });
    this.reader.consider();
    const reason = this.client?.reason;
    if (status !== "stopped" || reason === undefined) return;
    if (reason === "actor_changed") return void this.start();
    this.leave(true, this.desk.get().drafts);
    if (!SIGNED_OUT.has(reason)) this.set({ stage: "stale" });
  }

  private learn(states: readonly State[]): void {
    this.isLearning = true;
    this.client?.learn(states);
    this.isLearning = false;
  }

  /** The client holds a new value: show it, move the counts, and see whether something was read by that. */
  private take(): void {
    if (!this.client) return;
    const before = this.desk.get();
    const { desk, isSure } = withHeld(before, this.client.conversations);
    if (haveMoved(before.held.byId, desk.held.byId, desk.me?.agent.id ?? "")) this.handovers.refresh();
    this.desk.update((now) => (this.isLearning ? { ...now, held: desk.held } : desk));
    if (!isSure && !this.isLearning) this.lists.refresh();
    this.reader.consider();
  }

  private set(part: Partial<Desk>): void {
    this.desk.update((desk) => ({ ...desk, ...part }));
  }
}
