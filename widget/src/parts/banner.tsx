/** Says that the line is down, but only when it stays down: most breaks are over before anyone could read it. */

import { useEffect, useState } from "preact/hooks";
import type { Status } from "../wire/client.ts";
import { t } from "../words.ts";
import "./banner.css";

const PATIENCE_MS = 2000;

interface Props {
  readonly status: Status;
  readonly reason: number | string | undefined;
  readonly isOpen: boolean;
  readonly again: () => void;
}

export function Banner({ status, reason, isOpen, again }: Props) {
  const isDown = isOpen && (status === "connecting" || status === "waiting");
  const [isLong, setLong] = useState(false);
  useEffect(() => {
    setLong(false);
    if (!isDown) return;
    const timer = setTimeout(() => setLong(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [isDown]);
  if (status === "stopped" && reason === "unavailable") return <Strip words={t("This chat isn’t available.")} />;
  if (status === "stopped" && reason !== undefined) return <Strip words={t("The chat can’t be reached right now.")} again={again} />;
  return <Strip words={isDown && isLong ? t("Reconnecting…") : ""} isQuiet />;
}

/** Always there, so that screen readers hear when it gets its words. */
function Strip({ words, again, isQuiet = false }: { words: string; again?: () => void; isQuiet?: boolean }) {
  return (
    <div class={`banner ${isQuiet ? "banner-quiet" : ""}`} role="status">
      {words !== "" && <span>{words}</span>}
      {again && (
        <button type="button" onClick={again}>
          {t("Try again")}
        </button>
      )}
    </div>
  );
}
