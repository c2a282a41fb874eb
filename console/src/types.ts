/** What the console reads over HTTP, beside the values that the wire has too. */

export type { Author, Entry, Person, State } from "../../widget/src/wire/frames.ts";

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
