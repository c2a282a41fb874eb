/** What the inbox shows: open, busy or away, how soon answers come, and when somebody is back. */

import { useEffect, useState } from "preact/hooks";
import { nearness } from "../state/door.ts";
import type { Door } from "../state/door.ts";
import { span, t, time, weekday } from "../words.ts";
import "./door.css";

/** One line, for under the name. */
export function DoorLine({ door, now }: { readonly door: Door | undefined; readonly now: number }) {
  if (!door) return null;
  const more = door.opensAt !== null ? backWords(door.opensAt, now) : replyWords(door);
  return (
    <span class={`door door-${door.status}`}>
      {statusWords(door)}
      {more !== "" && ` · ${more}`}
    </span>
  );
}

function statusWords({ status }: Door): string {
  if (status === "open") return t("Open");
  return status === "busy" ? t("Busy") : t("Away");
}

/** Before the first message there is room for a sentence. */
export function doorWords(door: Door | undefined, now: number): string {
  if (!door) return "";
  if (door.status === "open") return replyWords(door);
  const why = door.status === "busy" ? t("We’re busy right now. You can already write to us.") : t("Nobody is here right now. You can already write to us.");
  return door.opensAt === null ? why : `${why} ${backWords(door.opensAt, now)}`;
}

export function replyWords({ replySeconds }: Door): string {
  if (replySeconds === null) return "";
  const minutes = Math.max(1, Math.ceil(replySeconds / 60));
  const words = minutes < 60 ? span(minutes, "minute") : span(Math.ceil(minutes / 60), "hour");
  return t("Usually replies within {time}", { time: words });
}

/** By the clock of whoever reads it. */
export function backWords(at: number, now: number): string {
  const near = nearness(at, now);
  if (near === "today") return t("Back at {time}", { time: time(at) });
  if (near === "tomorrow") return t("Back tomorrow at {time}", { time: time(at) });
  return t("Back on {day} at {time}", { day: weekday(at, near === "week"), time: time(at) });
}

const LONGEST_MS = 3600_000; // timers of browsers that sleep are late; and of more than 24 days they fire at once

/** The service's time, renewed when the moment has come. */
export function useMoment(now: () => number, next: number | undefined): number {
  const [, renew] = useState(0);
  const at = now();
  useEffect(() => {
    if (next === undefined) return;
    const timer = setTimeout(() => renew((turn) => turn + 1), Math.min(LONGEST_MS, Math.max(0, next - now()) + 1));
    return () => clearTimeout(timer);
  });
  return at;
}
