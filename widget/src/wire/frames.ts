/** The frames of wire version 1 as types, and the table of close codes. docs/protocol.md says what each one means. */

export const PROTOCOL = 1;
export const TEXT_LIMIT = 8000; // characters in one message; `welcome` may say another number

export type Kind = "contact" | "staff";

export interface Author {
  readonly kind: "contact" | "agent" | "bot" | "system";
  readonly id?: string; // a contact isn't told who did an activity
}

export interface Attachment {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly width?: number; // of an image
  readonly height?: number;
}

/** Of a kind that this client knows or doesn't: docs/rich-entries.md. The entry's text always says the same. */
export interface Block {
  readonly kind: string;
}

export interface Entry {
  readonly id: string;
  readonly seq: number;
  readonly born: number;
  readonly kind: "message" | "note" | "activity";
  readonly author: Author;
  readonly at: number;
  readonly text?: string;
  readonly activity?:
    | "claimed" | "assigned" | "resolved" | "reopened" | "transferred" // and for staff alone, of routing:
    | "bounced" | "returned" | "handed_over";
  readonly data?: {
    readonly assignee?: string | null;
    readonly team?: string | null;
    readonly to?: string; // of a transfer: the agent, bot or team that was named
    readonly queued?: boolean; // of a transfer: nobody could take it at once
  };
  readonly audience?: "staff";
  readonly blocks?: readonly Block[];
  readonly attachments?: readonly Attachment[];
  readonly reactions?: Readonly<Record<string, readonly string[]>>; // who, by emoji; "staff" for a contact
  readonly edited_at?: number;
  readonly withdrawn?: boolean;
}

export interface Person {
  readonly name: string;
  readonly picture?: string;
}

export interface Position {
  readonly read?: number;
  readonly delivered?: number;
  readonly seen?: number;
}

export interface State {
  readonly id: string;
  readonly inbox: string;
  readonly status: "queued" | "open" | "snoozed" | "resolved";
  readonly handler: "bot" | "agent" | "none";
  readonly subject: string | null;
  readonly seq: number;
  readonly people: Readonly<Record<string, Person>>;
  readonly positions: Readonly<Record<string, Position>>;
  readonly created_at: number;
  readonly left?: boolean; // for a contact: it has left a message to be answered by e-mail, and doesn't wait
  // Staff only:
  readonly contact?: string;
  readonly assignee?: string | null;
  readonly team?: string | null;
  readonly tags?: readonly string[];
  readonly priority?: number;
  readonly waiting_since?: number | null;
  readonly preview?: string;
  readonly preview_of?: number; // where the message was born that the preview is of
  readonly rewritten?: number; // the seq of the last change of entries in place: a merge, an erasure
  readonly snoozed_until?: number | null;
  readonly followers?: readonly string[];
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
  readonly messages?: number; // how many the contact wrote; a contact counts what is unread from its entries
  readonly cursor?: number;
  readonly routing?: Routing | null; // null of one that was never queued for routing
}

/** How a conversation came to where it is. What is as usual is left out; moments are ms. */
export interface Routing {
  readonly queued_at?: number; // its place in the queue: kept when it goes back there
  readonly assigned_at?: number;
  readonly answer_by?: number; // when it goes back to the queue unless its assignee has said something
  readonly unanswered?: boolean;
  readonly passed?: readonly string[]; // who was given it and didn't answer
  readonly joined?: boolean; // its assignee had no part in it before, and hasn't spoken yet
  readonly left?: boolean; // its contact has left a message and an e-mail, and doesn't wait
  readonly known?: string | null; // who had it when it went back to the queue
}

export interface Me {
  readonly kind: "contact" | "agent" | "bot";
  readonly id: string;
  readonly name: string;
  readonly role?: "agent" | "supervisor" | "admin";
}

// ---- server to client

export interface Welcome {
  readonly type: "welcome";
  readonly epoch: string;
  readonly me: Me;
  readonly account: string;
  readonly now: number;
  readonly ping: number;
  readonly limits: { readonly frame: number; readonly text: number; readonly watch: number; readonly inflight: number };
}
export interface Ok {
  readonly type: "ok";
  readonly ref: number;
  readonly conversation?: string;
  readonly seq?: number;
  readonly at?: number;
  readonly again?: boolean;
  readonly outcome?: "assigned" | "queued"; // of a transfer
}
export interface RefusedFrame {
  readonly type: "refused";
  readonly ref?: number;
  readonly code: string;
  readonly retry: boolean;
  readonly message: string;
  readonly field?: string;
  readonly after_ms?: number;
}
export interface Change {
  readonly type: "change";
  readonly cursor?: number;
  readonly conversation: string;
  readonly seq: number;
  readonly entries: readonly Entry[];
  readonly state?: State;
}
export interface Snapshot {
  readonly type: "snapshot";
  readonly cursor?: number;
  readonly conversation: string;
  readonly state: State;
  readonly entries: readonly Entry[];
  readonly more: boolean;
}
export interface Heads {
  readonly type: "heads";
  readonly cursor?: number; // on the last of several
  readonly heads: readonly State[];
}
export interface Gone {
  readonly type: "gone";
  readonly conversation: string;
}
export interface Reset {
  readonly type: "reset";
  readonly reason: string;
}
export interface Synced {
  readonly type: "synced";
  readonly cursor?: number;
}
export interface Signal {
  readonly type: "signal";
  readonly name: string;
  readonly conversation: string;
  readonly by: Author;
  readonly on: boolean;
  readonly text?: string; // of a preview
}
export interface Presence {
  readonly type: "presence";
  readonly present: readonly string[];
}
export type Availability = "available" | "busy" | "away";
export interface AgentStatus {
  readonly agent: string;
  readonly status: "accepting_chats" | "not_accepting_chats" | "offline";
  readonly reason: string; // why: not_present, off_shift, time_off, away, busy, winding_down, full, free
  readonly until: number | null;
  readonly slots: number;
  readonly used: number;
  readonly availability: Availability;
  readonly availability_reason: string;
  readonly since: number;
  readonly set_by?: string; // who has set the availability, if not that agent: a colleague, or SERVICE
  readonly finishes?: boolean; // what is open stays in these hands when the shift ends
  readonly shift_ends_at?: number; // of who is on shift
}
/** The service itself, where an actor is named. */
export const SERVICE = "sys_shopbell";
export interface Statuses {
  readonly type: "statuses";
  readonly whole: boolean; // of several frames the first one says so
  readonly statuses: readonly AgentStatus[];
}
export interface Queue {
  readonly type: "queue";
  readonly conversation: string;
  readonly position: number | null;
  readonly eta: readonly [number, number] | null; // seconds
  readonly opens_at: number | null; // where the wait goes on beyond closing time
}
export interface InboxStatus {
  readonly type: "inbox.status";
  readonly inbox: string;
  readonly status: "open" | "busy" | "away";
  readonly opens_at: number | null;
  readonly until: number | null; // from then on it is `then`, if nothing more was heard
  readonly then: "open" | "busy" | "away";
  readonly reply_seconds: number | null;
}
export interface Ping {
  readonly type: "ping";
  readonly n: number;
}
export interface Reconnect {
  readonly type: "reconnect";
  readonly after: readonly [number, number];
  readonly reason: string;
}

export type ServerFrame =
  | Welcome | Ok | RefusedFrame | Change | Snapshot | Heads | Gone | Reset | Synced | Signal | Presence
  | Statuses | Queue | InboxStatus | Ping | Reconnect;

// ---- client to server. Lasting asks; the client adds `ref`, and `id` and `after` where they are missing.

export interface StartAsk {
  readonly type: "conversation.start";
  readonly inbox: string;
  readonly text: string;
  readonly email?: string; // only leaves a message: it doesn't wait, and is answered there
}
export interface WriteAsk {
  readonly type: "message.send" | "note.add";
  readonly conversation: string;
  readonly text: string;
}
export interface TurnAsk {
  readonly type: "conversation.claim" | "conversation.resolve" | "conversation.reopen";
  readonly conversation: string;
}
export interface AssignAsk {
  readonly type: "conversation.assign";
  readonly conversation: string;
  readonly assignee?: string | null;
  readonly team?: string | null;
}
export interface TransferAsk {
  readonly type: "conversation.transfer";
  readonly conversation: string;
  readonly to: string;
  readonly note?: string;
  readonly keep_following?: boolean;
  readonly when_full: "queue" | "refuse";
}
export type Ask = (StartAsk | WriteAsk | TurnAsk | AssignAsk | TransferAsk) & { readonly id?: string };

/** Says how things are: it has no id, and holds until something else is said. */
export interface AvailabilityAsk {
  readonly type: "availability.set";
  readonly availability: Availability;
  readonly reason?: string;
  readonly agent?: string; // supervisors and admins: somebody else
  readonly finish?: boolean; // what is open at the end of this shift stays in these hands
}

export interface Typing {
  readonly type: "typing";
  readonly conversation: string;
  readonly on: boolean;
}

export interface Resume {
  readonly epoch: string;
  readonly cursor?: number;
  readonly watch?: readonly string[];
  readonly conversations?: Readonly<Record<string, number>>;
}

// ---- close codes

export type CloseClass = "stop" | "renew" | "backoff" | "prompt";

/** Every close code that the server sends, by name; tested equal to gateway/protocol.py and docs/protocol.md. */
export const CLOSE_CODES = {
  protocol_version: 4001,
  malformed: 4003,
  hello_expected: 4004,
  unauthorized: 4005,
  revoked: 4010,
  origin_refused: 4011,
  too_many_errors: 4012,
  internal: 4100,
  unavailable: 4101,
  overloaded: 4103,
  no_pong: 4104,
  resync_failed: 4105,
  slow_consumer: 4106,
  rate_abuse: 4108,
  drain: 4200,
  changed: 4202,
  restored: 4203,
} as const;

/** What a client does after this close code. Only the range counts, so that codes of later servers are understood too. */
export function closeClass(code: number): CloseClass {
  if (code === CLOSE_CODES.unauthorized) return "renew";
  if (code >= 4000 && code < 4100) return "stop";
  if ((code >= 4200 && code < 4300) || code === 1001 || code === 1012) return "prompt";
  return "backoff";
}
