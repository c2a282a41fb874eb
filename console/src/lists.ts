/** Keeps the lists and their counts true: reads them over HTTP when the stream alone can't tell. */

import { HttpProblem, getConversation, getList } from "./http.ts";
import { type Desk, listKey } from "./state/desk.ts";
import type { Place } from "./state/place.ts";
import type { Store } from "./state/store.ts";
import type { State } from "./types.ts";

const PAGE = 50;
/** How wrong our idea of the service's time may be: younger conversations are asked for, older ones were counted. */
const DOUBT_MS = 1000;
/** However much moves, the counts are asked for no more often than this. */
const REFRESH_MS = 1500;

export interface ListsOptions {
  readonly desk: Store<Desk>;
  /** Takes in states without counting them: the answer brings its own counts. */
  readonly learn: (states: readonly State[]) => void;
  readonly missing: (conversation: string) => void;
  readonly failed: (problem: HttpProblem) => void;
  /** The service's time. */
  readonly now: () => number;
}

export class Lists {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private lastAt = 0;

  constructor(private readonly options: ListsOptions) {}

  /** Reads the list of this place if it wasn't yet. */
  visit(place: Place): void {
    if (!this.options.desk.get().lists[listKey(place)]) void this.read(place, PAGE);
  }

  /** Soon, and once for however many reasons. */
  refresh(): void {
    if (this.timer !== undefined) return;
    const wait = Math.max(0, this.lastAt + REFRESH_MS - Date.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      const { place, lists } = this.options.desk.get();
      void this.read(place, lists[listKey(place)]?.limit ?? PAGE);
    }, wait);
  }

  more(): void {
    const { place, lists } = this.options.desk.get();
    void this.read(place, (lists[listKey(place)]?.limit ?? 0) + PAGE);
  }

  /** One conversation that no list has told of: an address that somebody sent, or an old one. */
  async find(conversation: string): Promise<void> {
    try {
      this.options.learn([(await getConversation(conversation)).state]);
    } catch (problem) {
      if (!(problem instanceof HttpProblem)) return;
      if (problem.status === 404) this.options.missing(conversation);
      else this.options.failed(problem);
    }
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private async read(place: Place, limit: number): Promise<void> {
    const { desk, learn, failed } = this.options;
    const key = listKey(place);
    const mark = (hasMore: boolean, isLoading: boolean) =>
      desk.update((now) => ({ ...now, lists: { ...now.lists, [key]: { limit, hasMore, isLoading } } }));
    this.lastAt = Date.now();
    if (desk.get().lists[key]) mark(desk.get().lists[key]?.hasMore ?? false, true);
    try {
      const list = await getList(place.view, place.status, limit);
      if (desk.get().stage !== "in") return;
      learn(list.conversations);
      desk.update((now) => ({ ...now, counts: list.views, countedAt: this.options.now() + DOUBT_MS }));
      mark(list.conversations.length >= limit, false);
      // The stream is further than this answer: what it counted in between isn't in these counts.
      if (desk.get().cursor > list.cursor) this.refresh();
    } catch (problem) {
      if (desk.get().lists[key]) mark(true, false);
      if (problem instanceof HttpProblem) failed(problem);
    }
  }
}
