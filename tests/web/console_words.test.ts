import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test, { afterEach } from "node:test";
import { loadDrafts, withDraft } from "../../console/src/state/drafts.ts";
import { initials } from "../../console/src/state/names.ts";
import { hashOf, placeFrom } from "../../console/src/state/place.ts";
import { spanWords } from "../../console/src/state/time.ts";
import { direction, speak, t } from "../../console/src/words.ts";
import { hebrew } from "../../console/src/words/hebrew.ts";

afterEach(() => speak(["en"]));

test("the first language that has words is spoken, and its direction with it", () => {
  assert.equal(speak(["xx-YY", "he-IL", "en"]), "he");
  assert.equal(direction(), "rtl");
  assert.equal(t("Mine"), "שלי");
  assert.equal(speak(["en-GB", "he"]), "en");
  assert.equal(direction(), "ltr");
});

test("values are put in, and the translator's hint is never shown", () => {
  assert.equal(t("waiting {span}", { span: "4 min" }), "waiting 4 min");
  assert.equal(t("Open|one conversation"), "Open");
});

test("a value that looks like a place isn't filled again", () => {
  assert.equal(t("{who} resolved this", { who: "{to}" }), "{to} resolved this");
});

test("a name from the left stands apart in a sentence from the right", () => {
  speak(["he"]);
  assert.match(t("{used} of {slots}", { used: 1, slots: 4 }), /^1 \S+ 4$/);
  assert.ok(t("{who} resolved this", { who: "Noa" }).includes("\u2068Noa\u2069"));
  speak(["en"]);
  assert.equal(t("{who} resolved this", { who: "Noa" }), "Noa resolved this");
});

test("every sentence of the console has Hebrew words, and no words are left over", () => {
  const room = new URL("../../console/src/", import.meta.url);
  const files = readdirSync(room, { recursive: true, encoding: "utf8" }).filter((name) => /\.tsx?$/.test(name) && !/^words\b/.test(name));
  const source = files.map((name) => readFileSync(new URL(name, room), "utf8")).join("\n");
  const said = new Set([...source.matchAll(/\bt\(\s*"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1]));
  said.delete("Shopbell"); // a name

  assert.deepEqual([...said].sort(), Object.keys(hebrew).sort());
});

test("a wait is told in the largest unit that it fills", () => {
  assert.deepEqual([0, 59_999, 60_000, 240_000, 3_600_000, 90_000_000].map(spanWords), ["0 s", "59 s", "1 min", "4 min", "1 h", "1 d"]);
});

test("initials are two at most, in any script", () => {
  assert.deepEqual(["Noa Levi", "noa", "Ana María de la Cruz", "ณัฐวุฒิ", "", "🙂 Tom"].map(initials), ["NL", "N", "AC", "ณ", "?", "T"]);
});

test("an address names a place, and a strange one leads home", () => {
  const place = { view: "team", status: "resolved", conversation: "cnv_1" } as const;

  assert.deepEqual(placeFrom(hashOf(place)), place);
  assert.deepEqual(placeFrom("#/nowhere/never/../x"), { view: "mine", status: "open", conversation: null });
  assert.deepEqual(placeFrom(""), { view: "mine", status: "open", conversation: null });
});

test("an empty draft leaves nothing behind, and broken storage isn't believed", () => {
  const written = withDraft({}, "c", { mode: "reply", reply: "Hello", note: "" });

  assert.deepEqual(withDraft(written, "c", { mode: "reply", reply: "", note: "" }), {});
  assert.deepEqual(loadDrafts({ getItem: () => '{"c":{"mode":"shout"}}', setItem() {}, removeItem() {} }), {});
  assert.deepEqual(loadDrafts({ getItem: () => "{", setItem() {}, removeItem() {} }), {});
  assert.deepEqual(loadDrafts(null), {});
});
