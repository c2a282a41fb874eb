/** Where in line a conversation stands, and how long it may take. */

import { waitOf } from "../state/door.ts";
import type { Queue } from "../wire/frames.ts";
import { number, span, t } from "../words.ts";
import { backWords } from "./door.tsx";
import "./place.css";

interface Props {
  readonly place: Queue | undefined;
  readonly now: number;
}

/**
 * Always there, so that screen readers hear when it gets its words. They hear the place alone: how long it takes changes
 * all the time.
 */
export function Place({ place, now }: Props) {
  const more = place ? moreWords(place, now) : "";
  return (
    <div class="place">
      <p role="status" aria-live="polite" aria-atomic="true">
        {place?.position && placeWords(place.position)}
      </p>
      {more !== "" && <p class="place-more">{more}</p>}
    </div>
  );
}

function placeWords(position: number): string {
  return position === 1 ? t("You’re next in line") : t("You’re number {n} in line", { n: number(position) });
}

/** Where the wait goes on beyond closing time, the time to come says nothing: it is told when we are back. */
function moreWords(place: Queue, now: number): string {
  if (place.opens_at !== null && place.opens_at > now) return backWords(place.opens_at, now);
  return place.eta === null ? "" : etaWords(place.eta);
}

export function etaWords(eta: readonly [number, number]): string {
  const { unit, low, high } = waitOf(eta);
  if (low === 0) return t("Less than {time}", { time: span(high, unit) });
  if (low >= high) return t("About {time}", { time: span(high, unit) });
  return t("About {low} to {high}", { low: number(low), high: span(high, unit) });
}
