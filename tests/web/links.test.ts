import assert from "node:assert/strict";
import test from "node:test";
import { pieces } from "../../widget/src/state/links.ts";

function links(text: string): string[] {
  return pieces(text).flatMap((piece) => (piece.url === undefined ? [] : [piece.url]));
}

test("addresses become links, the rest stays text, and nothing is lost", () => {
  const text = "See https://example.org/a?b=1#c and www.example.org/x, please.";

  assert.deepEqual(pieces(text), [
    { text: "See " },
    { text: "https://example.org/a?b=1#c", url: "https://example.org/a?b=1#c" },
    { text: " and " },
    { text: "www.example.org/x", url: "https://www.example.org/x" },
    { text: ", please." },
  ]);
});

test("what ends a sentence doesn't belong to the address", () => {
  assert.deepEqual(links("(https://example.org/a)."), ["https://example.org/a"]);
  assert.deepEqual(links("https://example.org/wiki/Tea_(drink)!"), ["https://example.org/wiki/Tea_(drink)"]);
  assert.deepEqual(links("https://example.org…"), ["https://example.org/"]);
});

test("nothing but http and https is ever a link", () => {
  assert.deepEqual(links("javascript:alert(1) data:text/html,x file:///etc ftp://a.b https:// http://x example.org"), []);
});

test("any text comes back whole", () => {
  for (const text of ["", "a", "https://", "www.", "https://a.b)))", "กhttps://example.orgข", "<a href='https://x.y'>", "http://[::1", "\n\n"]) {
    assert.equal(pieces(text).map((piece) => piece.text).join(""), text);
  }
});
