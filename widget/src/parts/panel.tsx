/** The whole panel: header, banner, and either a conversation or the list of them. */

import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import type { Drafts } from "../drafts.ts";
import type { Shopper } from "../shopper.ts";
import { doorAt, nextFlip } from "../state/door.ts";
import { Banner } from "./banner.tsx";
import { ConversationScreen } from "./conversation.tsx";
import { useMoment } from "./door.tsx";
import { Header } from "./header.tsx";
import { List } from "./list.tsx";
import "./reset.css";
import "./panel.css";

interface Props {
  readonly shopper: Shopper;
  readonly name: string;
  readonly drafts: Drafts;
}

export function Panel({ shopper, name, drafts }: Props) {
  const [view, setView] = useState(shopper.view);
  // Not after the next paint, which a tab in the background waits for: what came until then would never be shown.
  useLayoutEffect(() => {
    const look = (): void => setView(shopper.view);
    look();
    return shopper.on(look);
  }, [shopper]);
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && !event.isComposing) shopper.leave();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [shopper]);
  // One clock for all that the door shows: it turns by itself, also when no news can reach us.
  const now = useMoment(shopper.now, nextFlip(view.held.door, shopper.now()));
  const door = doorAt(view.held.door, now);
  return (
    <main class="panel">
      <Header shopper={shopper} view={view} name={name} door={door} now={now} />
      <Banner status={view.status} reason={view.reason} isOpen={view.isOpen} again={() => shopper.again()} />
      {view.screen === "list" ? (
        <List shopper={shopper} view={view} />
      ) : (
        <ConversationScreen shopper={shopper} view={view} drafts={drafts} door={door} now={now} key={view.place} />
      )}
    </main>
  );
}
