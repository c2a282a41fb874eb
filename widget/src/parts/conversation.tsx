/** One conversation, or the place where a new one begins: timeline above, composer below. */

import { useState } from "preact/hooks";
import type { Conversation } from "../conversations.ts";
import type { Drafts } from "../drafts.ts";
import type { Shopper, View } from "../shopper.ts";
import { placeOf } from "../state/door.ts";
import type { Door } from "../state/door.ts";
import { rows } from "../state/timeline.ts";
import type { Entry } from "../wire/frames.ts";
import { t } from "../words.ts";
import { Composer } from "./composer.tsx";
import { EmailField } from "./leave.tsx";
import { Place } from "./place.tsx";
import { Timeline } from "./timeline.tsx";
import { Typing } from "./typing.tsx";
import { Welcome } from "./welcome.tsx";
import "./conversation.css";

/** Whether a message was left, and nobody has answered yet. */
function isLeft(conversation: Conversation | undefined): boolean {
  const isAnswer = ({ kind, author }: Entry) => kind === "message" && author.kind !== "contact";
  return conversation?.state?.left === true && !conversation.entries.some(isAnswer);
}

interface Props {
  readonly shopper: Shopper;
  readonly view: View;
  readonly drafts: Drafts;
  readonly door: Door | undefined;
  readonly now: number;
}

export function ConversationScreen({ shopper, view, drafts, door, now }: Props) {
  const [email, setEmail] = useState("");
  const { current, conversation, held, me } = view;
  const pending = held.pending.filter((one) => one.conversation === current);
  const made = rows(conversation, pending, me);
  const typists = (held.typing.get(current) ?? []).filter((typist) => typist.by.id !== me);
  const isClosed = conversation?.state?.status === "resolved";
  const isNew = made.length === 0 && !view.isLoading;
  const canLeave = isNew && door?.status === "away";
  return (
    <>
      {made.length === 0 ? (
        <Welcome isLoading={view.isLoading} door={door} now={now} />
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
      {isLeft(conversation) && <p class="left">{t("We’ll answer by email.")}</p>}
      <Place place={placeOf(conversation, held.places)} now={now} />
      {canLeave && (
        <div class="leave leave-before">
          <p>{t("Want an answer by email? Leave your address.")}</p>
          <EmailField email={email} write={setEmail} />
        </div>
      )}
      <Composer shopper={shopper} view={view} drafts={drafts} email={canLeave ? email.trim() : ""} />
    </>
  );
}
