/** What the console reads over HTTP, beside the values that the wire has too. */

import type { State } from "../../widget/src/wire/frames.ts";

export type { AgentStatus, Author, Availability, Entry, Person, State } from "../../widget/src/wire/frames.ts";

export interface Agent {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: "agent" | "supervisor" | "admin";
  readonly picture?: string | null;
  readonly teams: readonly string[];
}

export interface Me {
  readonly agent: Agent;
  readonly account: { readonly id: string; readonly name: string };
}

/** One conversation in the queue, as GET /v1/queue says it. Moments are ms. */
export interface Waiting {
  readonly conversation: string;
  readonly contact: string;
  readonly inbox: string;
  readonly teams: readonly string[];
  readonly position: number | null; // null of one that only left a message, or that nobody is routed to for
  readonly queued_at: number;
  readonly priority: number;
  readonly passed: readonly string[];
  readonly left: boolean;
  readonly eta: readonly [number, number] | null; // seconds
}

export interface TeamQueue {
  readonly team: string;
  readonly policy: string;
  readonly length: number;
  readonly limit: number | null;
  readonly full: boolean;
}

export interface Queue {
  readonly at: number;
  readonly waiting: readonly Waiting[];
  readonly teams: readonly TeamQueue[];
}

/** Somebody who was looked at for a conversation, and what spoke for or against it. */
export interface Candidate {
  readonly member: string;
  readonly status: string;
  readonly reason: string;
  readonly used: number;
  readonly slots: number;
  readonly verdict: string;
}

/** One line of a conversation's routing log. */
export interface Decision {
  readonly position: number;
  readonly at: number;
  readonly kind: string;
  readonly chosen: string | null;
  readonly team: string | null;
  readonly by: string;
  readonly candidates: readonly Candidate[];
}

/** When a conversation was taken out of whose hands at the end of a shift, and the conversation as it was when asked. */
export interface Handover {
  readonly at: number;
  readonly from: string;
  readonly state: State;
}

/** What went to others when this agent's shift ended, and what came from others by the end of theirs. */
export interface HandedOver {
  readonly given: readonly Handover[];
  readonly taken: readonly Handover[];
}

export const NO_HANDOVERS: HandedOver = { given: [], taken: [] };

interface Named {
  readonly id: string;
  readonly name: string;
}

export interface Colleague extends Named {
  readonly picture?: string | null;
}

export interface Staff {
  readonly agents: readonly Colleague[];
  readonly bots: readonly Colleague[];
  readonly teams: readonly Named[];
  readonly inboxes: readonly Named[];
}

export const NO_STAFF: Staff = { agents: [], bots: [], teams: [], inboxes: [] };
