/** A person, bot or visitor as a small disc, with a dot when they are connected. */

import { hueOf, initials } from "../state/names.ts";
import { Icon } from "./icon.tsx";
import "./avatar.css";

const HUES = 6;

interface Props {
  readonly id: string;
  readonly name: string;
  readonly picture?: string | null | undefined;
  readonly size?: "small" | "middle";
  /** Left out where presence isn't known. */
  readonly isPresent?: boolean;
}

/** Decorative: the name always stands beside it or in the label around it. */
export function Avatar({ id, name, picture, size = "middle", isPresent }: Props) {
  const face = picture ? (
    <img src={picture} alt="" loading="lazy" />
  ) : id.startsWith("bot_") ? (
    <Icon name="bot" />
  ) : (
    initials(name)
  );
  return (
    <span class={`avatar avatar-${size} avatar-hue-${hueOf(id, HUES)}`} aria-hidden="true">
      {face}
      {isPresent !== undefined && <span class={isPresent ? "avatar-dot avatar-dot-on" : "avatar-dot"} />}
    </span>
  );
}
