/** Older entries, a page at a time. */

import type { Entry } from "./wire/frames.ts";

export interface Page {
  readonly entries: readonly Entry[];
  readonly more: boolean;
}

export async function older(conversation: string, before: number, secret: string | null): Promise<Page> {
  const address = `/v1/conversations/${encodeURIComponent(conversation)}/entries?before=${before}&limit=50`;
  const response = await fetch(address, { headers: { Authorization: `Bearer ${secret ?? ""}` } });
  if (!response.ok) throw new Error(`history answered ${response.status}`);
  return (await response.json()) as Page;
}
