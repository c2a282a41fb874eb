/** A message's text: lines kept, each in its own direction, web addresses made into links. Never HTML. */

import { pieces } from "../../../widget/src/state/links.ts";
import "./text.css";

export function Text({ text }: { text: string }) {
  return (
    <p class="text" dir="auto">
      {pieces(text).map(({ text: words, url }, at) =>
        url === undefined ? (
          words
        ) : (
          <a key={at} href={url} target="_blank" rel="noopener noreferrer nofollow" dir="ltr">
            {words}
          </a>
        ),
      )}
    </p>
  );
}
