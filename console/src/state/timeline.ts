/** From entries to the rows of a timeline: days, groups of one author's messages, activity lines, the "new" line. */

import type { Entry, State } from "../types.ts";

/** An entry on its way, or one that was refused, has no place in the ledger yet. */
export type Sending = "sending" | "failed";

export interface Line {
  readonly entry: Entry;
  readonly sending?: Sending;
  readonly why?: string;
}

export type Row =
  | { readonly kind: "day"; readonly key: string; readonly at: number }
  | { readonly kind: "new"; readonly key: string }
  | { readonly kind: "activity"; readonly key: string; readonly entry: Entry }
  | { readonly kind: "group"; readonly key: string; readonly lines: readonly Line[] };

/** Messages of one author within this time stand together under one name. */
const GROUP_MS = 5 * 60_000;

const dayOf = (at: number): string => new Date(at).toDateString();

function belongs(line: Line, group: Extract<Row, { kind: "group" }>): boolean {
  const last = group.lines[group.lines.length - 1]?.entry;
  const { entry } = line;
  return (
    !!last &&
    last.kind === entry.kind &&
    last.author.kind === entry.author.kind &&
    last.author.id === entry.author.id &&
    entry.at - last.at < GROUP_MS
  );
}

/** A transfer has a line for the contact and one for staff, which says more. */
function isToldTwice(entry: Entry, ids: ReadonlySet<string>): boolean {
  return entry.activity === "transferred" && ids.has(`${entry.id}-assigned`);
}

/** `readUpTo`: what this agent had read when they came; the contact's first message after it gets the "new" line. */
export function rowsOf(lines: readonly Line[], readUpTo: number | null | undefined): Row[] {
  const rows: Row[] = [];
  let day = "";
  let isMarked = typeof readUpTo !== "number";
  const ids = new Set(lines.map(({ entry }) => entry.id));
  for (const line of lines) {
    const { entry } = line;
    if (isToldTwice(entry, ids)) continue;
    if (dayOf(entry.at) !== day) {
      day = dayOf(entry.at);
      rows.push({ kind: "day", key: `day ${day}`, at: entry.at });
    }
    if (!isMarked && entry.author.kind === "contact" && entry.kind === "message" && entry.born > readUpTo!) {
      isMarked = true;
      rows.push({ kind: "new", key: "new" });
    }
    const last = rows[rows.length - 1];
    if (entry.kind === "activity") rows.push({ kind: "activity", key: entry.id, entry });
    else if (last?.kind === "group" && belongs(line, last)) {
      rows[rows.length - 1] = { ...last, lines: [...last.lines, line] };
    } else rows.push({ kind: "group", key: entry.id, lines: [line] });
  }
  return rows;
}

export type Progress = "sending" | "sent" | "delivered" | "read";

/** How far a message of ours got with the contact. */
export function progressOf(entry: Entry, state: State): Progress {
  const position = state.positions[state.contact ?? ""];
  if ((position?.read ?? 0) >= entry.born) return "read";
  return (position?.delivered ?? 0) >= entry.born ? "delivered" : "sent";
}

/** Progress is told twice at most: at the last message of ours, and at the last one that was read. */
export function markedIn(lines: readonly Line[], state: State): ReadonlySet<string> {
  const ours = lines.filter(
    ({ entry, sending }) => !sending && entry.kind === "message" && entry.author.kind !== "contact",
  );
  const last = ours[ours.length - 1];
  const read = ours.filter(({ entry }) => progressOf(entry, state) === "read").pop();
  return new Set([last, read].flatMap((line) => (line ? [line.entry.id] : [])));
}
