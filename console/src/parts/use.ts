/** How parts get at the console: its state, narrowed to what a part draws, its verbs, and the passing of time. */

import { createContext } from "preact";
import { useContext, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Console } from "../console.ts";
import type { Desk } from "../state/desk.ts";

export const ConsoleContext = createContext<Console | null>(null);

/** The verbs: everything a part may ask for. */
export function useConsole(): Console {
  const console = useContext(ConsoleContext);
  if (!console) throw new Error("a part is drawn outside the console");
  return console;
}

/** Draws again only when what `select` returns is another value; so it must not build a new one each time. */
export function useDesk<T>(select: (desk: Desk) => T): T {
  const { desk } = useConsole();
  const selected = select(desk.get());
  const [, draw] = useState(0);
  const latest = useRef({ select, selected });
  latest.current = { select, selected };
  useLayoutEffect(() => {
    const look = () => {
      if (!Object.is(latest.current.select(desk.get()), latest.current.selected)) draw((count) => count + 1);
    };
    look();
    return desk.subscribe(look);
  }, [desk]);
  return selected;
}

/** The service's time, renewed every `every` ms. */
export function useNow(every: number): number {
  const { now } = useConsole();
  const [moment, setMoment] = useState(now());
  useEffect(() => {
    const timer = setInterval(() => setMoment(now()), every);
    return () => clearInterval(timer);
  }, [every, now]);
  return moment;
}
