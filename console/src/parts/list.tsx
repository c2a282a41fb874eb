/** The second pane: the conversations of the chosen view, those who wait longest on top, and a filter over them. */

import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Place, View } from "../state/place.ts";
import { STATUSES, hashOf } from "../state/place.ts";
import { listKey } from "../state/desk.ts";
import { listOf } from "../state/views.ts";
import { t } from "../words.ts";
import { Empty } from "./empty.tsx";
import { HandoverNotice } from "./handover.tsx";
import { Icon } from "./icon.tsx";
import { Row } from "./row.tsx";
import { useConsole, useDesk, useNow } from "./use.ts";
import { viewWords } from "./views.tsx";
import "./list.css";

/** Waiting times are told in seconds for the first minute. */
const TICK_MS = 5000;

function emptyWords(view: View, isResolvedList: boolean): [string, string] {
  if (isResolvedList) return [t("Nothing resolved yet"), t("Conversations that are done are kept here.")];
  switch (view) {
    case "mine":
      return [t("You're all caught up"), t("Claim a conversation from Unassigned, or wait for the next one.")];
    case "unassigned":
      return [t("Nobody is waiting"), t("New conversations appear here by themselves.")];
    case "team":
      return [t("Nothing for your teams"), t("What is assigned to one of your teams appears here.")];
    case "all":
      return [t("No conversations yet"), t("When a shopper writes in the store, it appears here.")];
  }
}

function StatusTabs({ place }: { place: Place }) {
  return (
    <ul class="list-tabs" aria-label={t("Status")}>
      {STATUSES.map((status) => (
        <li key={status}>
          <a
            class="list-tab"
            href={hashOf({ ...place, status, conversation: null })}
            aria-current={place.status === status ? "page" : undefined}
          >
            {status === "open" ? t("Open") : t("Resolved")}
          </a>
        </li>
      ))}
    </ul>
  );
}

function Filter() {
  const { setFilter } = useConsole();
  const filter = useDesk((desk) => desk.filter);
  return (
    <label class="list-filter">
      <Icon name="search" />
      <span class="unseen">{t("Filter this list")}</span>
      <input
        id="filter"
        type="search"
        dir={filter ? "auto" : undefined}
        placeholder={t("Filter this list")}
        value={filter}
        onInput={(event) => setFilter(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          setFilter("");
          event.currentTarget.blur();
        }}
      />
    </label>
  );
}

export function List() {
  const { loadMore } = useConsole();
  const me = useDesk((desk) => desk.me)!.agent;
  const [known, place, filter] = [
    useDesk((desk) => desk.held.byId),
    useDesk((desk) => desk.place),
    useDesk((desk) => desk.filter),
  ];
  const [staff, typing, drafts] = [
    useDesk((desk) => desk.staff),
    useDesk((desk) => desk.held.typing),
    useDesk((desk) => desk.drafts),
  ];
  const loaded = useDesk((desk) => desk.lists[listKey(place)]);
  const now = useNow(TICK_MS);
  const rows = useMemo(
    () => listOf(known, place.view, place.status, filter, me),
    [known, place.view, place.status, filter, me],
  );
  const scroller = useRef<HTMLDivElement>(null);
  useEffect(() => {
    scroller.current?.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
  }, [place.conversation]);

  const [title, text] = emptyWords(place.view, place.status === "resolved");
  return (
    <section class="list" aria-label={t("Conversations")}>
      <header class="list-head">
        <h1 class="list-title">{viewWords(place.view)}</h1>
        <StatusTabs place={place} />
        <Filter />
      </header>
      <HandoverNotice />
      <div class="list-rows" ref={scroller}>
        {rows.length > 0 && (
          <ul aria-label={viewWords(place.view)}>
            {rows.map((state) => (
              <Row
                key={state.id}
                state={state}
                place={place}
                me={me}
                staff={staff}
                now={now}
                isTyping={!!typing.get(state.id)?.some(({ by }) => by.id === state.contact)}
                hasDraft={!!(drafts[state.id]?.reply || drafts[state.id]?.note)}
              />
            ))}
          </ul>
        )}
        {!loaded && !rows.length && <p class="list-wait">{t("Loading…")}</p>}
        {loaded && !rows.length && filter && <Empty icon="search" title={t("Nothing matches this filter")} />}
        {loaded && !rows.length && !filter && (
          <Empty icon={place.view === "mine" ? "check" : "inbox"} title={title}>
            {text}
          </Empty>
        )}
        {loaded?.hasMore && (
          <button class="button button-plain list-more" type="button" onClick={loadMore} disabled={loaded.isLoading}>
            {loaded.isLoading ? t("Loading…") : t("Show more")}
          </button>
        )}
      </div>
    </section>
  );
}
