import assert from "node:assert/strict";
import test from "node:test";
import { paint } from "../../widget/src/colour.ts";
import { words } from "../../widget/src/loader/words.ts";
import { sentences } from "../../widget/src/words/en.ts";
import { he } from "../../widget/src/words/he.ts";
import { th } from "../../widget/src/words/th.ts";
import { tr } from "../../widget/src/words/tr.ts";

const parts = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();

for (const [language, dictionary] of Object.entries({ he, th, tr })) {
  test(`every sentence is said in ${language}, with the same parts`, () => {
    assert.deepEqual(Object.keys(dictionary).sort(), [...sentences].sort());
    for (const sentence of sentences) {
      assert.notEqual(dictionary[sentence].trim(), "");
      assert.deepEqual(parts(dictionary[sentence]), parts(sentence), sentence);
    }
  });
}

test("the launcher speaks the first language that it knows", () => {
  assert.equal(words("th-TH").close, "ปิดแชต");
  assert.equal(words("fr", "he").chat, "צ׳אט");
  assert.equal(words("", "xx").chat, "Chat");
});

test("ink can be read on every colour that a merchant may choose", () => {
  const light = (hex: string): number => {
    const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  for (let value = 0; value <= 0xffffff; value += 0x1357) {
    const { colour, ink } = paint(`#${value.toString(16).padStart(6, "0")}`);
    const [dark = 0, bright = 0] = [light(colour), light(ink)].sort((a, b) => a - b);
    assert.ok((bright + 0.05) / (dark + 0.05) >= 4.5, colour);
  }
});

test("what is no colour isn't painted", () => {
  for (const wanted of [undefined, "", "red", "#fff", "#12345g", "#123456;x"]) assert.equal(paint(wanted).colour, "#4f46e5");
});
