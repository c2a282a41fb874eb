/** Where the shopper writes. Enter sends, Shift+Enter makes a line; on touch keyboards Enter makes a line. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Drafts } from "../drafts.ts";
import type { Shopper, View } from "../shopper.ts";
import { isEmail } from "../state/door.ts";
import { TEXT_LIMIT } from "../wire/frames.ts";
import { t } from "../words.ts";
import { Icon } from "./icon.tsx";
import "./composer.css";

const SHOWN_FROM = 500; // characters left

interface Props {
  readonly shopper: Shopper;
  readonly view: View;
  readonly drafts: Drafts;
  readonly email: string; // where the first message is to be answered; empty: here
}

export function Composer({ shopper, view, drafts, email }: Props) {
  const field = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(() => drafts.get(view.current));
  const left = TEXT_LIMIT - length(text);
  const isReady = view.canSend && text.trim() !== "" && left >= 0 && (email === "" || isEmail(email));

  useLayoutEffect(() => {
    const node = field.current;
    if (!node) return;
    node.style.height = "auto";
    node.style.height = `${node.scrollHeight}px`;
  }, [text, view.isOpen]);

  useEffect(() => {
    if (view.isOpen && !matchMedia("(pointer: coarse)").matches) field.current?.focus(); // a touch keyboard would hide half
  }, [view.isOpen]);

  const place = useRef(view.current);
  useEffect(() => {
    if (place.current === view.current) return;
    drafts.set(place.current, ""); // the conversation got its name: the draft moves with it
    drafts.set(view.current, text);
    place.current = view.current;
  }, [view.current]);

  const write = (words: string): void => {
    setText(words);
    drafts.set(view.current, words);
    shopper.typing(words !== "");
  };

  const send = (): void => {
    if (!isReady) return;
    setText("");
    drafts.set(view.current, "");
    shopper.send(text.trim(), email);
    field.current?.focus();
  };

  const pressed = (event: KeyboardEvent): void => {
    const isWriting = event.isComposing || event.keyCode === 229; // Enter chooses a word there; Safari says only 229
    if (event.key !== "Enter" || event.shiftKey || isWriting || matchMedia("(pointer: coarse)").matches) return;
    event.preventDefault();
    send();
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div class="composer-box">
        <textarea
          ref={field}
          rows={1}
          {...(text !== "" && { dir: "auto" })} // an empty field goes the page's way, so that its placeholder does
          value={text}
          placeholder={t("Write a message…")}
          aria-label={t("Your message")}
          aria-invalid={left < 0}
          onInput={(event) => write(event.currentTarget.value)}
          onKeyDown={pressed}
        />
        <button type="submit" aria-label={t("Send")} disabled={!isReady}>
          <Icon name="send" />
        </button>
      </div>
      {left < SHOWN_FROM && (
        <p class={left < 0 ? "composer-over" : ""} role="status">
          {left < 0 ? t("{n} characters too long", { n: -left }) : t("{n} characters left", { n: left })}
        </p>
      )}
    </form>
  );
}

/** Counted as the server counts, by code points; for short texts the quick count is enough. */
function length(text: string): number {
  return text.length < TEXT_LIMIT - SHOWN_FROM ? text.length : [...text].length;
}
