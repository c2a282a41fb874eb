/** The scrolling part: days, groups, activities. It stays at the newest unless the shopper scrolled away from it. */

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Shopper } from "../shopper.ts";
import type { Row } from "../state/timeline.ts";
import type { Person } from "../wire/frames.ts";
import { day, t } from "../words.ts";
import { Activity } from "./activity.tsx";
import { Group } from "./group.tsx";
import { Icon } from "./icon.tsx";
import "./timeline.css";

const NEAR_PX = 48; // so close to the end counts as at the end
const EARLY_PX = 240; // so close to the top the page before is fetched

interface Props {
  readonly rows: readonly Row[];
  readonly oldest: string | undefined;
  readonly newest: string | undefined;
  readonly more: boolean;
  readonly people: Readonly<Record<string, Person>>;
  readonly shopper: Shopper;
  readonly children: ComponentChildren;
}

export function Timeline({ rows, oldest, newest, more, people, shopper, children }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const before = useRef({ height: 0, oldest, newest });
  const atEnd = useRef(true);
  const [isFetching, setFetching] = useState(false);
  const [hasNew, setNew] = useState(false);

  const toEnd = (): void => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  };

  const earlier = (): void => {
    if (!more || isFetching || !box.current || box.current.scrollTop > EARLY_PX) return;
    setFetching(true);
    shopper.earlier().catch(() => undefined).finally(() => setFetching(false)); // the next scroll tries again
  };

  const scrolled = (): void => {
    const node = box.current;
    if (!node) return;
    atEnd.current = node.scrollHeight - node.scrollTop - node.clientHeight < NEAR_PX;
    if (atEnd.current) setNew(false);
    shopper.scrolled(atEnd.current);
    earlier();
  };

  useLayoutEffect(() => {
    const node = box.current;
    if (!node) return;
    const { current } = before;
    const last = rows[rows.length - 1];
    const hasWritten = newest !== current.newest && last?.kind === "group" && last.mine;
    if (atEnd.current || hasWritten) toEnd();
    else if (oldest !== current.oldest) node.scrollTop += node.scrollHeight - current.height; // keep the place
    else if (newest !== current.newest) setNew(true);
    before.current = { height: node.scrollHeight, oldest, newest };
  });

  useEffect(() => {
    if (!box.current) return;
    const watcher = new ResizeObserver(() => atEnd.current && toEnd()); // the keyboard came up, the panel opened
    watcher.observe(box.current);
    return () => watcher.disconnect();
  }, []);

  useEffect(earlier, [oldest, more]);

  return (
    <div class="timeline-frame">
      <div class="timeline" ref={box} onScroll={scrolled} role="log" aria-label={t("Messages")} tabIndex={0}>
        {isFetching && <p class="timeline-note">{t("Loading earlier messages…")}</p>}
        {rows.map((row) => {
          if (row.kind === "day") return <Day at={row.at} key={row.key} />;
          if (row.kind === "activity") return <Activity entry={row.entry} people={people} key={row.key} />;
          return <Group group={row} people={people} shopper={shopper} key={row.key} />;
        })}
        {children}
      </div>
      {hasNew && (
        <button type="button" class="timeline-new" onClick={toEnd}>
          {t("New messages")} <Icon name="down" />
        </button>
      )}
    </div>
  );
}

function Day({ at }: { readonly at: number }) {
  return (
    <p class="timeline-day">
      <time dateTime={new Date(at).toISOString()}>{day(at)}</time>
    </p>
  );
}
