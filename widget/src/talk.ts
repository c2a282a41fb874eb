/**
 * What loader and frame say to each other by postMessage. Never a token, never a message's text; what the shop's backend
 * has signed goes one way, to the exact origin of the service.
 */

export type ToFrame =
  | {
      readonly shopbell: "hello";
      readonly lang: string;
      readonly colour: string;
      readonly open: boolean;
      readonly full: boolean; // the panel covers the screen, so the frame shows the only way out
      readonly identity?: string | null | undefined;
    }
  | { readonly shopbell: "identity"; readonly identity: string | null } // what the shop signed; null: nobody any more
  | { readonly shopbell: "open"; readonly full: boolean }
  | { readonly shopbell: "closed"; readonly full: boolean };

export type ToLoader =
  | { readonly shopbell: "ready" | "close" }
  | { readonly shopbell: "state"; readonly unread: number; readonly active: boolean };
