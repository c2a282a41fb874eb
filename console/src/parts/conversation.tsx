/** The third pane: one conversation, from its header to the composer. */

import { useMemo } from "preact/hooks";
import { linesOf } from "../state/desk.ts";
import type { Typist } from "../../../widget/src/conversations.ts";
import { t } from "../words.ts";
import { Composer } from "./composer.tsx";
import { Empty } from "./empty.tsx";
import { Header } from "./header.tsx";
import { Timeline } from "./timeline.tsx";
import { useConsole, useDesk } from "./use.ts";
import "./conversation.css";

const NOBODY: readonly Typist[] = [];

function Loading() {
  return (
    <div class="conversation-wait" role="status">
      <span class="unseen">{t("Loading…")}</span>
      <i />
      <i />
      <i />
    </div>
  );
}

function Unchosen() {
  return (
    <Empty icon="inbox" title={t("Pick a conversation")}>
      {t("Press j and k to go through the list, ? for all keys.")}
    </Empty>
  );
}

function Open({ id }: { id: string }) {
  const { desk } = useConsole();
  const known = useDesk((now) => now.held.byId.get(id));
  const pending = useDesk((now) => now.held.pending);
  const [staff, me] = [useDesk((now) => now.staff), useDesk((now) => now.me?.agent.id)];
  const typists = useDesk((now) => now.held.typing.get(id)) ?? NOBODY;
  const [readUpTo, isLoadingOlder] = [useDesk((now) => now.readUpTo), useDesk((now) => now.isLoadingOlder)];
  const isMissing = useDesk((now) => now.missing === id);
  const others = useMemo(() => typists.filter(({ by }) => by.id !== me), [typists, me]);
  const lines = useMemo(() => linesOf(desk.get(), id), [known?.entries, pending, id]);
  if (isMissing && !known?.state) return <Empty icon="search" title={t("That conversation isn't there any more")} />;
  if (!known?.state) return <Loading />;
  const isShown = known.held || lines.length > 0;
  return (
    <>
      <Header state={known.state} />
      {isShown ? (
        <Timeline
          state={known.state}
          lines={lines}
          hasOlder={known.more}
          isLoadingOlder={isLoadingOlder}
          readUpTo={readUpTo}
          staff={staff}
          typists={others}
        />
      ) : (
        <Loading />
      )}
      <Composer state={known.state} />
    </>
  );
}

export function Conversation() {
  const id = useDesk((desk) => desk.place.conversation);
  return (
    <main class="conversation" aria-label={t("Conversation")}>
      {id ? <Open key={id} id={id} /> : <Unchosen />}
    </main>
  );
}
