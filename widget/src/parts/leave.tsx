/** Where somebody leaves an address to be answered by email: who needn't wait, or can't. */

import { useId, useRef, useState } from "preact/hooks";
import { isEmail } from "../state/door.ts";
import { t } from "../words.ts";
import "./leave.css";

interface FieldProps {
  readonly email: string;
  readonly write: (email: string) => void;
}

/** Says that it isn't an address only to who has gone on. */
export function EmailField({ email, write }: FieldProps) {
  const [wasLeft, setLeft] = useState(false);
  const id = useId();
  const isWrong = wasLeft && email.trim() !== "" && !isEmail(email.trim());
  return (
    <>
      <input
        type="email"
        dir="ltr"
        autoComplete="email"
        maxLength={254}
        value={email}
        placeholder={t("Your email")}
        aria-label={t("Your email")}
        aria-invalid={isWrong}
        aria-describedby={`${id}-wrong`}
        onInput={(event) => write(event.currentTarget.value)}
        onBlur={() => setLeft(true)}
      />
      <p class="leave-wrong" id={`${id}-wrong`} role="alert">
        {isWrong && t("This isn’t an email address.")}
      </p>
    </>
  );
}

/** Under a first message for which there is no room in the queue. */
export function Leave({ leave }: { readonly leave: (email: string) => void }) {
  const [email, setEmail] = useState("");
  const form = useRef<HTMLFormElement>(null);
  const submit = (event: Event): void => {
    event.preventDefault();
    if (isEmail(email.trim())) leave(email.trim());
    else form.current?.querySelector("input")?.focus();
  };
  return (
    <form class="leave" ref={form} onSubmit={submit} noValidate>
      <p role="status">{t("Too many people are waiting right now. Leave your email, and we’ll answer there.")}</p>
      <EmailField email={email} write={setEmail} />
      <button type="submit">{t("Leave a message")}</button>
    </form>
  );
}
