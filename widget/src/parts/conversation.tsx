/** One conversation, or the place where a new one begins: timeline above, composer below. */

import type { Drafts } from "../drafts.ts";
import type { Shopper, View } from "../shopper.ts";
import { rows } from "../state/timeline.ts";
import { t } from "../words.ts";
import { Composer } from "./composer.tsx";
import { Timeline } from "./timeline.tsx";
import { Typing } from "./typing.tsx";
import { Welcome } from "./welcome.tsx";
import "./conversation.css";

interface Props {
  readonly shopper: Shopper;
  readonly view: View;
  readonly drafts: Drafts;
}

export function ConversationScreen({ shopper, view, drafts }: Props) {
  const { current, conversation, held, me } = view;
  const pending = held.pending.filter((one) => one.conversation === current);
  const made = rows(conversation, pending, me);
  const typists = (held.typing.get(current) ?? []).filter((typist) => typist.by.id !== me);
  const isClosed = conversation?.state?.status === "resolved";
  return (
    <>
      {made.length === 0 ? (
        <Welcome isLoading={view.isLoading} />
      ) : (
        <Timeline
          rows={made}
          oldest={conversation?.entries[0]?.id}
          newest={pending[pending.length - 1]?.id ?? conversation?.entries[conversation.entries.length - 1]?.id}
          more={conversation?.more ?? false}
          people={conversation?.state?.people ?? {}}
          shopper={shopper}
        >
          {!isClosed && <Typing typists={typists} people={conversation?.state?.people ?? {}} />}
          {isClosed && (
            <div class="closed">
              <p>{t("Anything else? Just write.")}</p>
              <button type="button" onClick={() => shopper.startNew()}>
                {t("Start a new conversation")}
              </button>
            </div>
          )}
        </Timeline>
      )}
      <Composer shopper={shopper} view={view} drafts={drafts} />
    </>
  );
}
