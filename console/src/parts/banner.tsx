/** Says that the connection is gone, and that nothing written is lost by it. Short drops aren't worth a word. */

import { useEffect, useState } from "preact/hooks";
import { t } from "../words.ts";
import { useConsole, useDesk } from "./use.ts";
import "./banner.css";

/** Most reconnects are over by then. */
const QUIET_MS = 2000;

export function Banner() {
  const { reconnect } = useConsole();
  const isLive = useDesk((desk) => desk.isLive);
  const [isLong, setLong] = useState(false);
  useEffect(() => {
    setLong(false);
    if (isLive) return undefined;
    const timer = setTimeout(() => setLong(true), QUIET_MS);
    return () => clearTimeout(timer);
  }, [isLive]);
  return (
    <div role="status" class="banner-place">
      {isLong && !isLive && (
        <p class="banner">
          <span>{t("No connection. What you send waits here and goes out as soon as it is back.")}</span>
          <button class="banner-try" type="button" onClick={reconnect}>
            {t("Try now")}
          </button>
        </p>
      )}
    </div>
  );
}
