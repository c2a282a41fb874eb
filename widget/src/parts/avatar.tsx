/** A face: a picture, initials on a colour of their own, or the shop's mark. */

import { Icon } from "./icon.tsx";
import "./avatar.css";

interface Props {
  readonly id: string;
  readonly name: string;
  readonly picture?: string | undefined;
  readonly isBot?: boolean;
}

export function Avatar({ id, name, picture, isBot = false }: Props) {
  if (picture) return <img class="avatar" src={picture} alt="" />;
  return (
    <span class={`avatar avatar-${tone(id)} ${isBot ? "avatar-bot" : ""}`} aria-hidden="true">
      {initials(name)}
    </span>
  );
}

export function Mark() {
  return (
    <span class="avatar avatar-mark" aria-hidden="true">
      <Icon name="bell" />
    </span>
  );
}

/** The first letters of the first and the last word, by grapheme as far as spreading goes. */
function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const first = [...(words[0] ?? "")].find((letter) => /\p{L}|\p{N}/u.test(letter)) ?? "";
  const last = words.length > 1 ? ([...(words[words.length - 1] ?? "")].find((letter) => /\p{L}/u.test(letter)) ?? "") : "";
  return (first + last).toLocaleUpperCase();
}

function tone(id: string): number {
  let sum = 0;
  for (let at = 0; at < id.length; at += 1) sum = (sum * 31 + id.charCodeAt(at)) % 997;
  return sum % 5;
}
