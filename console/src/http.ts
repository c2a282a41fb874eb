/** The console's questions over HTTP: who am I, what is there, what was before. */

import type { ListStatus, View } from "./state/place.ts";
import type { Counts } from "./state/views.ts";
import type { Decision, Entry, HandedOver, Me, Queue, Staff, State } from "./types.ts";

export interface ConversationList {
  readonly cursor: number;
  readonly views: Counts;
  readonly conversations: readonly State[];
}

export interface EntryPage {
  readonly entries: readonly Entry[];
  readonly more: boolean;
}

/** The service answered no, or not at all (`status` 0). `code` says why, for the program. */
export class HttpProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
  ) {
    super(detail);
  }
}

/** A service that hasn't answered by then isn't going to. */
const PATIENCE_MS = 15_000;

async function problemOf(response: Response): Promise<HttpProblem> {
  const body = (await response.json().catch(() => ({}))) as { code?: string; detail?: string; title?: string };
  return new HttpProblem(response.status, body.code ?? "unknown", body.detail ?? body.title ?? response.statusText);
}

async function call<T>(method: "GET" | "POST", path: string, body?: unknown): Promise<T> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
  const request: RequestInit = { method, credentials: "same-origin", signal: patience.signal };
  if (body !== undefined) {
    request.headers = { "content-type": "application/json" };
    request.body = JSON.stringify(body);
  }
  let response: Response;
  try {
    response = await fetch(path, request);
  } catch (cause) {
    throw new HttpProblem(0, "unreachable", String(cause));
  } finally {
    clearTimeout(timer);
  }
  if (!response.ok) throw await problemOf(response);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export const login = (email: string, password: string): Promise<unknown> =>
  call("POST", "/v1/login", { email, password });

export const logout = (): Promise<void> => call("POST", "/v1/logout");

export const getMe = (): Promise<Me> => call("GET", "/v1/me");

export const getToken = async (): Promise<string> => (await call<{ token: string }>("POST", "/v1/token")).token;

export const getStaff = (): Promise<Staff> => call("GET", "/v1/staff");

export const getList = (view: View, status: ListStatus, limit: number): Promise<ConversationList> =>
  call("GET", `/v1/conversations?view=${view}&status=${status}&limit=${limit}`);

export const getConversation = (conversation: string): Promise<{ readonly state: State }> =>
  call("GET", `/v1/conversations/${encodeURIComponent(conversation)}`);

export const getOlder = (conversation: string, before: number, limit: number): Promise<EntryPage> =>
  call("GET", `/v1/conversations/${encodeURIComponent(conversation)}/entries?before=${before}&limit=${limit}`);

export const getQueue = (): Promise<Queue> => call("GET", "/v1/queue");

export const getHandovers = (): Promise<HandedOver> => call("GET", "/v1/handovers");

export interface DecisionPage {
  readonly decisions: readonly Decision[];
  readonly more: boolean;
}

/** The newest first; `before` is the position of the last one known. For supervisors and admins. */
export const getDecisions = (conversation: string, before?: number): Promise<DecisionPage> =>
  call("GET", `/v1/conversations/${encodeURIComponent(conversation)}/routing${before === undefined ? "" : `?before=${before}`}`);
