/** What a refusal means, in words for the agent. */

import { t } from "./words.ts";

/** `who` holds the conversation now, if that is known. */
export function refusalWords(code: string, who?: string): string {
  switch (code) {
    case "taken":
      return who ? t("{who} took it first", { who }) : t("A colleague took it first");
    case "full":
      return t("All your slots are taken");
    case "invalid_state":
      return t("That can't be done with the conversation as it is now");
    case "forbidden":
      return t("You aren't allowed to do that");
    case "not_found":
      return t("That conversation isn't there any more");
    case "too_large":
      return t("The text is too long");
    case "bad_request":
      return t("The text can't be sent as it is");
    case "expired":
      return t("It waited too long for a connection");
    case "unreachable":
      return t("The service can't be reached");
    default:
      return t("That didn't work. Try again.");
  }
}
