/** What was said and done, oldest on top. It stays at its end while the agent is there, and reaches back by pages. */

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Typist } from "../../../widget/src/conversations.ts";
import { contactName, staffName } from "../state/names.ts";
import { type Line, markedIn, rowsOf } from "../state/timeline.ts";
import { dayWords } from "../state/time.ts";
import type { Staff, State } from "../types.ts";
import { t } from "../words.ts";
import { Activity } from "./activity.tsx";
import { Group } from "./group.tsx";
import { Icon } from "./icon.tsx";
import { useConsole } from "./use.ts";
import "./timeline.css";

/** This near to the end counts as being there: less than one line. */
const END_PX = 24;
/** This near to the top, the page before is asked for. */
const TOP_PX = 240;

interface Props {
  readonly state: State;
  readonly lines: readonly Line[];
  readonly hasOlder: boolean;
  readonly isLoadingOlder: boolean;
  readonly readUpTo: number | null | undefined;
  readonly staff: Staff;
  readonly typists: readonly Typist[];
}

function Typing({ typists, state, staff }: Pick<Props, "typists" | "state" | "staff">) {
  const names = typists.map(({ by }) =>
    by.kind === "contact" ? contactName(state) : staffName(by.id ?? "", staff, state),
  );
  return (
    <p class="timeline-typing" role="status">
      {names.length > 0 && (
        <>
          <span class="timeline-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          <bdi>{t("{names} is typing…", { names: names.join(", ") })}</bdi>
        </>
      )}
    </p>
  );
}

export function Timeline({ state, lines, hasOlder, isLoadingOlder, readUpTo, staff, typists }: Props) {
  const { loadOlder, reader, now } = useConsole();
  const scroller = useRef<HTMLDivElement>(null);
  const seen = useRef({ first: "", height: 0, isAtEnd: true });
  const [isAtEnd, setShownAtEnd] = useState(true);
  const rows = useMemo(() => rowsOf(lines, readUpTo), [lines, readUpTo]);
  const marked = useMemo(() => markedIn(lines, state), [lines, state]);

  const noteEnd = (atEnd: boolean) => {
    seen.current.isAtEnd = atEnd;
    setShownAtEnd(atEnd);
    reader.setAtEnd(atEnd);
  };

  const toEnd = () => {
    const box = scroller.current;
    if (box) box.scrollTop = box.scrollHeight;
    noteEnd(true);
  };

  const look = () => {
    const box = scroller.current;
    if (!box) return;
    seen.current.height = box.scrollHeight;
    noteEnd(box.scrollHeight - box.scrollTop - box.clientHeight < END_PX);
    if (box.scrollTop < TOP_PX && hasOlder && !isLoadingOlder) loadOlder();
  };

  // Older entries came in above: what the agent was reading must not move.
  useLayoutEffect(() => {
    const box = scroller.current;
    if (!box) return;
    const first = lines[0]?.entry.id ?? "";
    const grown = box.scrollHeight - seen.current.height;
    if (seen.current.isAtEnd) box.scrollTop = box.scrollHeight;
    else if (first !== seen.current.first && seen.current.first) box.scrollTop += grown;
    seen.current.first = first;
    seen.current.height = box.scrollHeight;
  }, [lines, typists]);

  // A short first page doesn't scroll, so nobody would ask for the one before.
  useEffect(() => {
    const box = scroller.current;
    if (box && hasOlder && !isLoadingOlder && box.scrollHeight <= box.clientHeight) loadOlder();
  }, [lines, hasOlder, isLoadingOlder]);

  // The composer grows, the window turns: the end stays the end.
  useEffect(() => {
    const box = scroller.current;
    if (!box) return undefined;
    const watcher = new ResizeObserver(() => {
      if (seen.current.isAtEnd) box.scrollTop = box.scrollHeight;
    });
    watcher.observe(box);
    reader.setAtEnd(true);
    return () => watcher.disconnect();
  }, []);

  return (
    <div class="timeline-place">
      <div class="timeline" ref={scroller} onScroll={look} role="log" aria-label={t("Messages")} tabIndex={0}>
        {hasOlder && <p class="timeline-older">{t("Loading older messages…")}</p>}
        {rows.map((row) => {
          switch (row.kind) {
            case "day":
              return (
                <h3 key={row.key} class="timeline-day">
                  {dayWords(row.at, now())}
                </h3>
              );
            case "new":
              return (
                <p key={row.key} class="timeline-new">
                  {t("New")}
                </p>
              );
            case "activity":
              return <Activity key={row.key} entry={row.entry} state={state} staff={staff} />;
            case "group":
              return <Group key={row.key} lines={row.lines} state={state} staff={staff} marked={marked} />;
          }
        })}
        <Typing typists={typists} state={state} staff={staff} />
      </div>
      {!isAtEnd && (
        <button class="button timeline-latest" type="button" onClick={toEnd}>
          <Icon name="down" />
          {t("Latest messages")}
        </button>
      )}
    </div>
  );
}
