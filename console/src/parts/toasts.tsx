/** Short words about what just happened or why something wasn't done; they leave by themselves. */

import { useEffect } from "preact/hooks";
import type { Toast } from "../state/desk.ts";
import { t } from "../words.ts";
import { Icon } from "./icon.tsx";
import { useConsole, useDesk } from "./use.ts";
import "./toasts.css";

/** Long enough to read two lines twice. */
const STAY_MS = 6000;

function ToastLine({ toast }: { toast: Toast }) {
  const { dropToast } = useConsole();
  useEffect(() => {
    const timer = setTimeout(() => dropToast(toast.id), STAY_MS);
    return () => clearTimeout(timer);
  }, [toast.id]);
  return (
    <p class={toast.isProblem ? "toast toast-problem" : "toast"}>
      <span dir="auto">{toast.text}</span>
      <button class="toast-close" type="button" onClick={() => dropToast(toast.id)} aria-label={t("Dismiss")}>
        <Icon name="close" />
      </button>
    </p>
  );
}

export function Toasts() {
  const toasts = useDesk((desk) => desk.toasts);
  return (
    <div class="toasts" role="status" aria-label={t("Notices")}>
      {toasts.map((toast) => (
        <ToastLine key={toast.id} toast={toast} />
      ))}
    </div>
  );
}
