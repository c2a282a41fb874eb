/** A page laid over the panes, with a title and a way out. Escape and a click beside it close it too. */

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { t } from "../words.ts";
import { Icon } from "./icon.tsx";
import { useConsole } from "./use.ts";
import "./sheet.css";

interface Props {
  readonly title: string;
  readonly children: ComponentChildren;
}

export function Sheet({ title, children }: Props) {
  const { show } = useConsole();
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    // Whoever opened it gets the focus back when it goes, as it isn't closed but taken away.
    const opener = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class="sheet"
      aria-labelledby={id}
      onClose={() => show(null)}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <div class="sheet-card">
        <header class="sheet-head">
          <h2 id={id}>{title}</h2>
          <button
            class="button button-plain button-icon"
            type="button"
            onClick={() => dialog.current?.close()}
            aria-label={t("Close")}
          >
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
