/** What the agent has begun to write, per conversation; it outlives a reload of the tab, not the tab. */

export type Mode = "reply" | "note";

export interface Draft {
  readonly mode: Mode;
  readonly reply: string;
  readonly note: string;
}

export const EMPTY_DRAFT: Draft = { mode: "reply", reply: "", note: "" };

type Shelf = Pick<Storage, "getItem" | "setItem" | "removeItem">;
export type Drafts = Readonly<Record<string, Draft>>;

const KEY = "shopbell.console.drafts";

function isDraft(value: unknown): value is Draft {
  if (typeof value !== "object" || value === null) return false;
  const draft = value as Partial<Draft>;
  return (
    (draft.mode === "reply" || draft.mode === "note") &&
    typeof draft.reply === "string" &&
    typeof draft.note === "string"
  );
}

/** Storage may be absent, full or forbidden: then drafts live as long as the page. */
export function loadDrafts(shelf: Shelf | null): Drafts {
  try {
    const stored: unknown = JSON.parse(shelf?.getItem(KEY) ?? "{}");
    return Object.fromEntries(Object.entries(stored ?? {}).filter((pair): pair is [string, Draft] => isDraft(pair[1])));
  } catch {
    return {};
  }
}

export function keepDrafts(shelf: Shelf | null, drafts: Drafts): void {
  try {
    if (Object.keys(drafts).length) shelf?.setItem(KEY, JSON.stringify(drafts));
    else shelf?.removeItem(KEY);
  } catch {
    // Nothing to do: the page still holds them.
  }
}

/** The drafts with one of them replaced; an empty reply leaves nothing behind. */
export function withDraft(drafts: Drafts, conversation: string, draft: Draft): Drafts {
  const rest: Record<string, Draft> = { ...drafts };
  delete rest[conversation];
  const isEmpty = draft.mode === "reply" && !draft.reply && !draft.note;
  return isEmpty ? rest : { ...rest, [conversation]: draft };
}
