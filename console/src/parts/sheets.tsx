/** Which page is laid over the panes. */

import { Colleagues } from "./colleagues.tsx";
import { HandoverSheet } from "./handover.tsx";
import { Keys } from "./keys.tsx";
import { Queue } from "./queue.tsx";
import { RoutingLog } from "./routing.tsx";
import { Transfer } from "./transfer.tsx";
import { useDesk } from "./use.ts";

export function Sheets() {
  const sheet = useDesk((desk) => desk.sheet);
  switch (sheet?.kind) {
    case "colleagues":
      return <Colleagues />;
    case "keys":
      return <Keys />;
    case "queue":
      return <Queue />;
    case "given":
    case "taken":
      return <HandoverSheet kind={sheet.kind} />;
    case "transfer":
      return <Transfer conversation={sheet.conversation} />;
    case "routing":
      return <RoutingLog conversation={sheet.conversation} />;
    case undefined:
      return null;
  }
}
