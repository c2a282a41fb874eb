/** The door: email and password, and a plain word about what went wrong. */

import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../words.ts";
import { Icon } from "./icon.tsx";
import { useConsole, useDesk } from "./use.ts";
import "./login.css";

/** Why an attempt failed, in words that say what to do next. */
function problemWords(code: string): string {
  switch (code) {
    case "bad_credentials":
      return t("That email and password don't match. Check both and try again.");
    case "rate_limited":
      return t("Too many attempts. Wait a minute, then try again.");
    case "unreachable":
      return t("The service can't be reached. Check your connection and try again.");
    default:
      return t("Signing in didn't work. Try again in a moment.");
  }
}

export function Login() {
  const { login } = useConsole();
  const hasEnded = useDesk((desk) => desk.hasEnded);
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const email = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  useEffect(() => email.current?.focus(), []);

  const submit = async (event: Event) => {
    event.preventDefault();
    const [name, secret] = [email.current?.value.trim() ?? "", password.current?.value ?? ""];
    if (!name || !secret) {
      setProblem(t("Enter your email and your password."));
      (name ? password : email).current?.focus();
      return;
    }
    setBusy(true);
    setProblem(null);
    const code = await login(name, secret);
    if (code === null) return;
    setBusy(false);
    setProblem(problemWords(code));
    password.current?.select();
  };

  return (
    <main class="login">
      <form class="login-card" onSubmit={submit} noValidate aria-labelledby="login-title">
        <p class="login-brand">
          <span class="login-mark">
            <Icon name="bell" />
          </span>
          Shopbell
        </p>
        <h1 id="login-title">{t("Sign in to the console")}</h1>
        {hasEnded && !problem && <p class="login-ended">{t("Your session ended. Sign in again to go on.")}</p>}
        <label class="login-label">
          {t("Email")}
          <input ref={email} class="field" type="email" name="email" autoComplete="username" dir="ltr" required />
        </label>
        <label class="login-label">
          {t("Password")}
          <input
            ref={password}
            class="field"
            type="password"
            name="password"
            autoComplete="current-password"
            dir="ltr"
            required
          />
        </label>
        <p class="login-problem" role="alert">
          {problem}
        </p>
        <button class="button button-main login-send" type="submit" disabled={isBusy}>
          {isBusy ? t("Signing in…") : t("Sign in")}
        </button>
      </form>
    </main>
  );
}
