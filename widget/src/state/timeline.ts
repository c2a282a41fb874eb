/** The rows that a timeline shows: days, groups of messages, activity lines. Pure; words and dates come later. */

import type { Conversation } from "../conversations.ts";
import type { Author, Entry } from "../wire/frames.ts";
import type { Pending } from "../wire/outbox.ts";
import { reach } from "./reach.ts";
import type { Reach } from "./reach.ts";

const GROUP_MS = 5 * 60_000;

export interface Line {
  readonly id: string;
  readonly text: string;
  readonly at: number;
  readonly failed: string | undefined; // the refusal's code
  readonly mark?: "edited" | "withdrawn";
}

export interface Group {
  readonly kind: "group";
  readonly key: string;
  readonly mine: boolean;
  readonly author: Author;
  readonly lines: readonly Line[];
  readonly status: Reach | "sending" | "failed" | undefined; // of the newest message only, if it is an own one
}

export type Row =
  | { readonly kind: "day"; readonly key: string; readonly at: number }
  | { readonly kind: "activity"; readonly key: string; readonly entry: Entry }
  | Group;

type Message = Line & { readonly author: Author; readonly status: Group["status"] };

export function rows(conversation: Conversation | undefined, pending: readonly Pending[], me: string): Row[] {
  const made: Row[] = [];
  const spoken = new Set<string | undefined>();
  let day = "";
  for (const item of items(conversation, pending, me)) {
    if ("entry" in item && item.entry.activity === "claimed" && spoken.has(item.entry.author.id)) continue; // who speaks is there
    if (!("entry" in item)) spoken.add(item.author.id);
    const today = new Date(item.at).toDateString();
    if (today !== day) made.push({ kind: "day", key: `day ${today}`, at: item.at });
    day = today;
    if ("entry" in item) made.push({ kind: "activity", key: item.entry.id, entry: item.entry });
    else place(made, item, me);
  }
  return withOneStatus(made);
}

function place(made: Row[], message: Message, me: string): void {
  const { author, status, ...line } = message;
  const last = made[made.length - 1];
  if (last?.kind === "group" && joins(last, message)) {
    made[made.length - 1] = { ...last, lines: [...last.lines, line], status };
  } else {
    made.push({ kind: "group", key: line.id, mine: author.id === me, author, lines: [line], status });
  }
}

/** Failed ones stand alone, so that each can have its retry. */
function joins(group: Group, message: Message): boolean {
  if (group.author.id !== message.author.id || group.author.kind !== message.author.kind) return false;
  if (group.status === "failed" || message.status === "failed") return false;
  return message.at - (group.lines[group.lines.length - 1]?.at ?? 0) < GROUP_MS;
}

function items(
  conversation: Conversation | undefined,
  pending: readonly Pending[],
  me: string,
): (Message | { at: number; entry: Entry })[] {
  const entries = conversation?.entries ?? [];
  const stored = new Set(entries.map((entry) => entry.id));
  const mine: Author = { kind: "contact", id: me };
  return [
    ...entries.map((entry) => {
      if (entry.kind !== "message") return { at: entry.at, entry };
      const status = entry.author.id === me ? reach(conversation?.state, entry.born, me) : undefined;
      const line = { id: entry.id, text: wordsOf(entry), at: entry.at, failed: undefined, author: entry.author, status };
      if (entry.withdrawn) return { ...line, mark: "withdrawn" as const };
      return entry.edited_at ? { ...line, mark: "edited" as const } : line;
    }),
    ...pending
      .filter((one) => !stored.has(one.id))
      .map(({ id, text, at, state, code }) => ({
        id, text, at, author: mine, status: state, failed: state === "failed" ? (code ?? "") : undefined,
      })),
  ];
}

/** The text, which also says what blocks show; a message of files alone is their names. */
export function wordsOf(entry: Entry): string {
  return entry.text || (entry.attachments ?? []).map((file) => `📎 ${file.name}`).join("\n");
}

/** One "Read" is enough, under the newest own message, and none once somebody answered. Failed or waiting always shows. */
function withOneStatus(made: Row[]): Row[] {
  const newest = made.reduce((at, row, index) => (row.kind === "group" && isStored(row) ? index : at), -1);
  return made.map((row, index) => (row.kind === "group" && isStored(row) && index !== newest ? { ...row, status: undefined } : row));
}

function isStored(group: Group): boolean {
  return group.status !== "failed" && group.status !== "sending";
}
