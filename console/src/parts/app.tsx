/** What is on the page: the door, or the three panes with everything that floats above them. */

import { useEffect } from "preact/hooks";
import { t } from "../words.ts";
import { Banner } from "./banner.tsx";
import { Conversation } from "./conversation.tsx";
import { Empty } from "./empty.tsx";
import { useKeys } from "./keys.tsx";
import { List } from "./list.tsx";
import { Login } from "./login.tsx";
import { Sheets } from "./sheets.tsx";
import { Toasts } from "./toasts.tsx";
import { useConsole, useDesk } from "./use.ts";
import { Views } from "./views.tsx";
import "./app.css";

/** The tab says how many conversations want an answer from me or from anybody. */
function useTitle(): void {
  const unread = useDesk((desk) => desk.counts.mine.unread + desk.counts.unassigned.unread);
  useEffect(() => {
    document.title = unread > 0 ? `(${unread}) Shopbell` : "Shopbell";
  }, [unread]);
}

function Panes() {
  const isOpen = useDesk((desk) => desk.place.conversation !== null);
  useKeys();
  return (
    <div class={isOpen ? "panes panes-open" : "panes"}>
      <Banner />
      <Views />
      <List />
      <Conversation />
      <Sheets />
    </div>
  );
}

function Unreachable() {
  const { start } = useConsole();
  return (
    <main class="app-alone">
      <Empty icon="clock" title={t("The service can't be reached")}>
        {t("Your work is safe. Check your connection and try again.")}
      </Empty>
      <button class="button button-main" type="button" onClick={start}>
        {t("Try again")}
      </button>
    </main>
  );
}

function Stale() {
  return (
    <main class="app-alone">
      <Empty icon="reopen" title={t("This page can't go on")}>
        {t("It may be older than the service. What you wrote is kept.")}
      </Empty>
      <button class="button button-main" type="button" onClick={() => location.reload()}>
        {t("Load it again")}
      </button>
    </main>
  );
}

export function App() {
  const stage = useDesk((desk) => desk.stage);
  useTitle();
  return (
    <>
      {stage === "starting" && <p class="app-alone">{t("Loading…")}</p>}
      {stage === "unreachable" && <Unreachable />}
      {stage === "stale" && <Stale />}
      {stage === "out" && <Login />}
      {stage === "in" && <Panes />}
      <Toasts />
    </>
  );
}
