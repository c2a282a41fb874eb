/** Before the first message: what one may do here. No promise that we couldn't keep. */

import { t } from "../words.ts";
import { Mark } from "./avatar.tsx";
import "./welcome.css";

export function Welcome({ isLoading }: { readonly isLoading: boolean }) {
  if (isLoading) return <div class="welcome welcome-loading" aria-busy="true" />;
  return (
    <div class="welcome">
      <Mark />
      <h2>{t("Chat with us")}</h2>
      <p>{t("Ask us anything. We reply here.")}</p>
    </div>
  );
}
