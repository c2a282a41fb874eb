/** Where the agent is: a view, a status and perhaps a conversation; the same thing as the address after '#'. */

export const VIEWS = ["mine", "unassigned", "team", "all"] as const;
export type View = (typeof VIEWS)[number];

/** `open` means everything that isn't resolved, as in GET /v1/conversations. */
export const STATUSES = ["open", "resolved"] as const;
export type ListStatus = (typeof STATUSES)[number];

export interface Place {
  readonly view: View;
  readonly status: ListStatus;
  readonly conversation: string | null;
}

export const HOME: Place = { view: "mine", status: "open", conversation: null };

export function placeFrom(hash: string): Place {
  const [view, status, conversation] = hash.replace(/^#?\/?/, "").split("/");
  return {
    view: VIEWS.find((name) => name === view) ?? HOME.view,
    status: STATUSES.find((name) => name === status) ?? HOME.status,
    conversation: conversation && /^[\w-]{1,64}$/.test(conversation) ? conversation : null,
  };
}

export function hashOf(place: Place): string {
  const list = `#/${place.view}/${place.status}`;
  return place.conversation ? `${list}/${place.conversation}` : list;
}
