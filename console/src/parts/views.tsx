/** The first pane: where to look (mine, unassigned, team, all), who I am, and the way out. */

import type { Place, View } from "../state/place.ts";
import { VIEWS, hashOf } from "../state/place.ts";
import { t } from "../words.ts";
import { Avatar } from "./avatar.tsx";
import { Icon, type IconName } from "./icon.tsx";
import { Standing } from "./standing.tsx";
import { useConsole, useDesk } from "./use.ts";
import "./views.css";

const ICONS: Record<View, IconName> = { mine: "person", unassigned: "inbox", team: "team", all: "all" };

export function viewWords(view: View): string {
  switch (view) {
    case "mine":
      return t("Mine");
    case "unassigned":
      return t("Unassigned");
    case "team":
      return t("Team");
    case "all":
      return t("All");
  }
}

function ViewLink({ view, place }: { view: View; place: Place }) {
  const count = useDesk((desk) => desk.counts[view]);
  const isHere = place.view === view;
  const said = t("{view}: {total} open, {unread} unread", { view: viewWords(view), ...count });
  return (
    <li>
      <a
        class={isHere ? "view view-here" : "view"}
        href={hashOf({ ...place, view, conversation: null })}
        aria-current={isHere ? "page" : undefined}
        aria-label={said}
      >
        <Icon name={ICONS[view]} />
        <span class="view-name">{viewWords(view)}</span>
        {count.unread > 0 ? (
          <span class="view-count view-unread">{count.unread}</span>
        ) : (
          <span class="view-count">{count.total || ""}</span>
        )}
      </a>
    </li>
  );
}

/** Pages about everybody: who works, and what waits. */
function Tools() {
  const { show } = useConsole();
  return (
    <ul class="views-tools">
      <li>
        <button class="tool" type="button" aria-haspopup="dialog" title={t("Colleagues")} onClick={() => show({ kind: "colleagues" })}>
          <Icon name="team" />
          <span class="tool-name">{t("Colleagues")}</span>
        </button>
      </li>
      <li>
        <button class="tool" type="button" aria-haspopup="dialog" title={t("Queue")} onClick={() => show({ kind: "queue" })}>
          <Icon name="clock" />
          <span class="tool-name">{t("Queue")}</span>
        </button>
      </li>
    </ul>
  );
}

export function Views() {
  const { logout, show } = useConsole();
  const me = useDesk((desk) => desk.me);
  const place = useDesk((desk) => desk.place);
  const isLive = useDesk((desk) => desk.isLive);
  if (!me) return null;
  return (
    <nav class="views" aria-label={t("Views")}>
      <p class="views-brand">
        <span class="views-mark">
          <Icon name="bell" />
        </span>
        <span class="cut" dir="auto" title={me.account.name}>
          {me.account.name}
        </span>
      </p>
      <ul class="views-list">
        {VIEWS.map((view) => (
          <ViewLink key={view} view={view} place={place} />
        ))}
      </ul>
      <Tools />
      <Standing />
      <div class="views-me">
        <Avatar id={me.agent.id} name={me.agent.name} picture={me.agent.picture} isPresent={isLive} />
        <p class="views-name">
          <span class="cut" dir="auto" title={me.agent.name}>
            {me.agent.name}
          </span>
          <span class="views-link">{isLive ? t("Connected") : t("Not connected")}</span>
        </p>
        <button
          class="button button-plain button-icon views-keys"
          type="button"
          onClick={() => show({ kind: "keys" })}
          aria-label={t("Keyboard shortcuts")}
          title={`${t("Keyboard shortcuts")} (?)`}
        >
          <Icon name="keys" />
        </button>
        <button
          class="button button-plain button-icon"
          type="button"
          onClick={logout}
          aria-label={t("Sign out")}
          title={t("Sign out")}
        >
          <Icon name="leave" turns />
        </button>
      </div>
    </nav>
  );
}
