/** Finds web addresses in a text. Pure: the parts come back as values, never as markup. */

export interface Piece {
  readonly text: string;
  readonly url?: string;
}

const ADDRESS = /\b(?:https?:\/\/|www\.)[^\s<>"“”]+/gi;

export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const shown = trimmed(match[0]);
    const url = address(shown);
    if (!url) continue;
    if (match.index > end) found.push({ text: text.slice(end, match.index) });
    found.push({ text: shown, url });
    end = match.index + shown.length;
  }
  if (end < text.length) found.push({ text: text.slice(end) });
  return found;
}

/** What ends a sentence isn't part of the address, nor a bracket that was opened before it. */
function trimmed(address: string): string {
  let shown = address.replace(/[.,:;!?'’…]+$/, "");
  while (shown.endsWith(")") && count(shown, ")") > count(shown, "(")) shown = shown.slice(0, -1).replace(/[.,:;!?'’…]+$/, "");
  return shown;
}

function count(text: string, letter: string): number {
  return text.split(letter).length - 1;
}

function address(shown: string): string | undefined {
  try {
    const url = new URL(/^www\./i.test(shown) ? `https://${shown}` : shown);
    return url.hostname.includes(".") || url.hostname === "localhost" ? url.href : undefined;
  } catch {
    return undefined;
  }
}
