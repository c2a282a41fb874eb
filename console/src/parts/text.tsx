/** A message's text: lines kept, each in its own direction, web addresses made into links. Never HTML. */

import "./text.css";

const ADDRESS = /(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}])/g;

export function Text({ text }: { text: string }) {
  // split() with one group puts the addresses at the odd places.
  const pieces = text.split(ADDRESS);
  return (
    <p class="text" dir="auto">
      {pieces.map((piece, at) =>
        at % 2 ? (
          <a key={at} href={piece} target="_blank" rel="noopener noreferrer nofollow">
            {piece}
          </a>
        ) : (
          piece
        ),
      )}
    </p>
  );
}
