/** Nothing here, said kindly, with what to do about it. */

import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icon.tsx";
import "./empty.css";

interface Props {
  readonly icon: IconName;
  readonly title: string;
  readonly children?: ComponentChildren;
}

export function Empty({ icon, title, children }: Props) {
  return (
    <div class="empty">
      <span class="empty-mark">
        <Icon name={icon} />
      </span>
      <p class="empty-title">{title}</p>
      {children && <p class="empty-text">{children}</p>}
    </div>
  );
}
