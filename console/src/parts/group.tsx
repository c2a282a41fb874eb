/** Messages or notes of one author, together: one face, one name, a bubble each, and how far they got. */

import { contactName, staffName } from "../state/names.ts";
import { refusalWords } from "../refusals.ts";
import type { Line } from "../state/timeline.ts";
import { wordsOf } from "../../../widget/src/state/timeline.ts";
import { type Progress, progressOf } from "../state/timeline.ts";
import { clockWords, momentWords } from "../state/time.ts";
import type { Author, Staff, State } from "../types.ts";
import { t } from "../words.ts";
import { Avatar } from "./avatar.tsx";
import { Icon } from "./icon.tsx";
import { Text } from "./text.tsx";
import { useConsole } from "./use.ts";
import "./group.css";

function authorName(author: Author, state: State, staff: Staff): string {
  if (author.kind === "contact") return contactName(state);
  return author.id ? staffName(author.id, staff, state) : t("Shopbell");
}

function progressWords(progress: Progress): string {
  switch (progress) {
    case "sending":
      return t("Sending…");
    case "sent":
      return t("Sent");
    case "delivered":
      return t("Delivered");
    case "read":
      return t("Read");
  }
}

function Failed({ line }: { line: Line }) {
  const { sendAgain, discard } = useConsole();
  return (
    <p class="bubble-failed" role="alert">
      <span dir="auto">{t("Not sent: {why}", { why: refusalWords(line.why ?? "") })}</span>
      <button type="button" onClick={() => sendAgain(line.entry.id)}>
        {t("Try again")}
      </button>
      <button type="button" onClick={() => discard(line.entry.id)}>
        {t("Discard")}
      </button>
    </p>
  );
}

function Bubble({ line, state, isMarked }: { line: Line; state: State; isMarked: boolean }) {
  const { entry, sending } = line;
  return (
    <li class={sending ? `bubble-place bubble-${sending}` : "bubble-place"}>
      <div class={entry.withdrawn ? "bubble bubble-gone" : "bubble"} title={momentWords(entry.at)}>
        <Text text={entry.withdrawn ? t("Message withdrawn") : wordsOf(entry)} />
      </div>
      {entry.edited_at !== undefined && <p class="bubble-progress">{t("Edited")}</p>}
      {sending === "failed" && <Failed line={line} />}
      {sending === "sending" && <p class="bubble-progress">{progressWords("sending")}</p>}
      {!sending && isMarked && <p class="bubble-progress">{progressWords(progressOf(entry, state))}</p>}
    </li>
  );
}

interface Props {
  readonly lines: readonly Line[];
  readonly state: State;
  readonly staff: Staff;
  /** The messages under which it is said how far they got. */
  readonly marked: ReadonlySet<string>;
}

export function Group({ lines, state, staff, marked }: Props) {
  const first = lines[0]?.entry;
  if (!first) return null;
  const { author } = first;
  const isNote = first.kind === "note";
  const side = author.kind === "contact" ? "theirs" : "ours";
  const name = authorName(author, state, staff);
  return (
    <article class={`group group-${side}${isNote ? " group-note" : ""}`} aria-label={name}>
      <Avatar id={author.id ?? state.id} name={name} picture={state.people[author.id ?? ""]?.picture} />
      <div class="group-body">
        <p class="group-head">
          <span class="group-name cut" dir="auto">
            {name}
          </span>
          {author.kind === "bot" && <span class="group-tag">{t("Bot")}</span>}
          {isNote && (
            <span class="group-tag group-tag-note">
              <Icon name="note" />
              {t("Note, only your team sees it")}
            </span>
          )}
          <time class="group-time" dateTime={new Date(first.at).toISOString()} title={momentWords(first.at)}>
            {clockWords(first.at)}
          </time>
        </p>
        <ul class="group-lines">
          {lines.map((line) => (
            <Bubble key={line.entry.id} line={line} state={state} isMarked={marked.has(line.entry.id)} />
          ))}
        </ul>
      </div>
    </article>
  );
}
