/** What people and things are called on the screen. */

import { t } from "../words.ts";
import type { Staff, State } from "../types.ts";

/** A contact without a name is told apart by the end of its id: "Visitor 3f2a". */
export function contactName(state: State): string {
  const contact = state.contact;
  const name = contact ? state.people[contact]?.name?.trim() : "";
  return name || visitorName(contact);
}

export const visitorName = (contact: string | undefined): string =>
  t("Visitor {code}", { code: contact ? contact.slice(-4) : "?" });

export function staffName(id: string, staff: Staff, state?: State): string {
  const known = staff.agents.find((agent) => agent.id === id) ?? staff.bots.find((bot) => bot.id === id);
  return known?.name || state?.people[id]?.name || (id.startsWith("bot_") ? t("A bot") : t("A colleague"));
}

export function teamName(id: string, staff: Staff): string {
  return staff.teams.find((team) => team.id === id)?.name ?? t("A team");
}

export function inboxName(id: string, staff: Staff): string | null {
  return staff.inboxes.find((inbox) => inbox.id === id)?.name ?? null;
}

/** One or two letters for an avatar, in any script. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = words.map((word) => [...word].find((sign) => /[\p{L}\p{N}]/u.test(sign)) ?? "");
  const first = letters[0] ?? "?";
  const last = letters.length > 1 ? letters[letters.length - 1] : "";
  return (first + last).toLocaleUpperCase();
}

/** A steady number from 0 to `count - 1` for an id, so that a person keeps their colour. */
export function hueOf(id: string, count: number): number {
  let hash = 2166136261; // FNV-1a, and its upper half: the lower bits of look-alike ids are alike
  for (const sign of id) hash = Math.imul(hash ^ sign.charCodeAt(0), 16777619);
  return (hash >>> 16) % count;
}
