/** Before the first message: what one may do here, and who is here. No promise that we couldn't keep. */

import type { Door } from "../state/door.ts";
import { t } from "../words.ts";
import { Mark } from "./avatar.tsx";
import { doorWords } from "./door.tsx";
import "./welcome.css";

interface Props {
  readonly isLoading: boolean;
  readonly door: Door | undefined;
  readonly now: number;
}

export function Welcome({ isLoading, door, now }: Props) {
  if (isLoading) return <div class="welcome welcome-loading" aria-busy="true" />;
  return (
    <div class="welcome">
      <Mark />
      <h2>{t("Chat with us")}</h2>
      <p>{t("Ask us anything. We reply here.")}</p>
      <p class="welcome-door" role="status">
        {doorWords(door, now)}
      </p>
    </div>
  );
}
