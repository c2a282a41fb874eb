/** Messages that one person sent in one go, with one face, one time and, for own ones, how far they got. */

import type { Shopper } from "../shopper.ts";
import type { Group as GroupRow, Line } from "../state/timeline.ts";
import type { Person } from "../wire/frames.ts";
import { t, time } from "../words.ts";
import type { Sentence } from "../words/en.ts";
import { Avatar } from "./avatar.tsx";
import { Icon } from "./icon.tsx";
import { Leave } from "./leave.tsx";
import { Text } from "./text.tsx";
import "./group.css";

const STATUS: Readonly<Record<"sending" | "sent" | "delivered" | "read", Sentence>> = {
  sending: "Sending…",
  sent: "Sent",
  delivered: "Delivered",
  read: "Read",
};

interface Props {
  readonly group: GroupRow;
  readonly people: Readonly<Record<string, Person>>;
  readonly shopper: Shopper;
}

export function Group({ group, people, shopper }: Props) {
  const { mine, author, lines, status } = group;
  const person = people[author.id ?? ""];
  const name = person?.name ?? t("Support");
  const last = lines[lines.length - 1];
  return (
    <div class={`group ${mine ? "group-mine" : "group-theirs"}`}>
      {!mine && <Avatar id={author.id ?? ""} name={name} picture={person?.picture} isBot={author.kind === "bot"} />}
      <div class="group-lines">
        {!mine && (
          <p class="group-name">
            <bdi>{name}</bdi>
            {author.kind === "bot" && <span class="group-bot">{t("Bot")}</span>}
          </p>
        )}
        {lines.map((line) => (
          <Said line={line} key={line.id} />
        ))}
        {status === "failed" && last ? (
          <>
            <Failed line={last} shopper={shopper} />
            {last.failed === "queue_full" && <Leave leave={(email) => shopper.leaveMessage(last.id, email)} />}
          </>
        ) : (
          <p class="group-meta">
            <time dateTime={new Date(last?.at ?? 0).toISOString()}>{time(last?.at ?? 0)}</time>
            {status && status !== "failed" && <span> · {t(STATUS[status])}</span>}
          </p>
        )}
      </div>
    </div>
  );
}

function Said({ line }: { readonly line: Line }) {
  if (line.mark === "withdrawn") return <p class="group-withdrawn">{t("Message withdrawn")}</p>;
  return (
    <>
      <Text text={line.text} />
      {line.mark === "edited" && <p class="group-meta">{t("Edited")}</p>}
    </>
  );
}

function Failed({ line, shopper }: { readonly line: Line; readonly shopper: Shopper }) {
  const isLong = line.failed === "too_large";
  return (
    <p class="group-meta group-failed" role="alert">
      <Icon name="alert" />
      <span>{isLong ? t("Too long") : t("Not sent")}</span>
      {!isLong && (
        <button type="button" onClick={() => shopper.retry(line.id)}>
          {t("Try again")}
        </button>
      )}
      <button type="button" onClick={() => shopper.discard(line.id)}>
        {t("Delete")}
      </button>
    </p>
  );
}
