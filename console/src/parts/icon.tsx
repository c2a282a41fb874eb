/** The console's line drawings. They say nothing to a screen reader: the button they stand in has the words. */

const PATHS = {
  inbox: "M3 12.5h4l1.5 2.5h3L13 12.5h4M3 12.5 5 5h10l2 7.5V16H3z",
  person: "M10 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM4 16.5c.6-3 2.9-4.5 6-4.5s5.4 1.5 6 4.5",
  hand: "M6 10V5.5a1.25 1.25 0 0 1 2.5 0V9m0-4.5v-.75a1.25 1.25 0 0 1 2.5 0V9m0-4a1.25 1.25 0 0 1 2.5 0v5.5m0-3a1.25 1.25 0 0 1 2.5 0V12c0 3-2 5-5 5-2.5 0-4-1-5.5-3.5L4 10.5c-.5-1 .9-1.9 1.7-1L6.5 11",
  team: "M7.5 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM2.5 16c.4-2.6 2.3-4 5-4s4.6 1.4 5 4M13 9.3a2.3 2.3 0 1 0-.7-4.5M14.7 12.3c1.6.5 2.6 1.8 2.8 3.7",
  all: "M4 5.5h12M4 10h12M4 14.5h12",
  check: "m4.5 10.5 3.5 3.5 7.5-8",
  reopen: "M4.5 8a6 6 0 1 1-.3 4M4.5 4v4h4",
  note: "M4.5 4h11v8l-3.5 4h-7.5zM12 16v-4h3.5M7.5 7.5h5M7.5 10.5h3",
  reply: "M8 5 3.5 9.5 8 14M3.5 9.5H11c3.5 0 5.5 2 5.5 5.5",
  send: "M4 10h11M10.5 5l5 5-5 5",
  back: "m12 4.5-5.5 5.5L12 15.5",
  keys: "M3 6h14v8.5H3zM6 9h.01M9 9h.01M12 9h.01M14.5 9h.01M7 12h6",
  search: "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM13 13l3.5 3.5",
  leave: "M8 4H4v12h4M8 10h8.5M13 6.5l3.5 3.5-3.5 3.5",
  close: "m5 5 10 10M15 5 5 15",
  down: "M10 4v11M5 10.5l5 5 5-5",
  bot: "M5 8h10v7.5H5zM10 8V5M10 4.5h.01M8 11.5h.01M12 11.5h.01M3 11v2M17 11v2",
  transfer: "M4 7h11M11.5 3.5 15 7l-3.5 3.5M16 13H5M8.5 9.5 5 13l3.5 3.5",
  route: "M5 4.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3ZM15 12.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3ZM6.5 6H12a2.5 2.5 0 0 1 0 5H8a1.5 1.5 0 0 0 0 3h5.5",
  clock: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM10 6.5V10l2.5 1.5",
  bell: "M10 3a5 5 0 0 0-5 5v3.5L3.5 14h13L15 11.5V8a5 5 0 0 0-5-5ZM8.3 16.5c.4.6 1 .9 1.7.9s1.3-.3 1.7-.9",
} as const;

export type IconName = keyof typeof PATHS;

/** `turns`: the drawing points somewhere, so it is mirrored where text runs from right to left. */
export function Icon({ name, turns = false }: { name: IconName; turns?: boolean }) {
  return (
    <svg
      class={turns ? "icon turns" : "icon"}
      viewBox="0 0 20 20"
      width="18"
      height="18"
      fill="none"
      stroke="currentColor"
      stroke-width="1.6"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
