/** A message's text. Each finds its own direction; addresses become links, and nothing ever becomes markup. */

import { pieces } from "../state/links.ts";
import "./text.css";

export function Text({ text }: { readonly text: string }) {
  return (
    <div class="text" dir="auto">
      {pieces(text).map(({ text: words, url }) =>
        url === undefined ? (
          words
        ) : (
          <a href={url} target="_blank" rel="noopener noreferrer nofollow" dir="ltr">
            {words}
          </a>
        ),
      )}
    </div>
  );
}
