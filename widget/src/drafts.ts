/** What was typed and not sent, per conversation; it survives a reload. */

import type { Keep } from "./wire/storage.ts";

export interface Drafts {
  get(conversation: string): string;
  set(conversation: string, text: string): void;
}

export function drafts(inbox: string, keep: Keep): Drafts {
  const key = (conversation: string): string => `shopbell.draft.${inbox}.${conversation.startsWith("new:") ? "new" : conversation}`;
  return {
    get: (conversation) => keep.get(key(conversation)) ?? "",
    set(conversation, text) {
      if (text === "") keep.remove(key(conversation));
      else keep.set(key(conversation), text);
    },
  };
}
