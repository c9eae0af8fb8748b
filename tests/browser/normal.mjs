// The client takes the normal forms and the case of text from the browser. They have to be those that the server has compiled in,
// or tags and searches would differ between the two.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { scenario } from "./stage.mjs";

const FORMS = ["NFC", "NFD", "NFKC", "NFKD", "case"];
// Texts with their forms, as the server has them.
const TEXTS = JSON.parse(await readFile(join(process.env.RONDO_KEPT, "normal.json"), "utf8"));

scenario("the browser's normal forms are the server's", async (stage) => {
  const client = await stage.window();
  await client.page.goto("/");
  await client.page.waitForFunction(() => globalThis.rondo);
  const compare = ([texts, forms]) => {
    // A character that this browser is too old for stays as it is.
    const known = texts.filter(([text]) => !/\p{Cn}/u.test(text));
    const differs = ([text, ...own]) => forms.some((form, at) => (form === "case" ? rondo.smallLetters(text) : text.normalize(form)) !== own[at]);
    return { known: known.length, different: known.filter(differs).map(([text]) => text) };
  };
  const { known, different } = await client.page.evaluate(compare, [TEXTS, FORMS]);
  assert.ok(known > TEXTS.length * 0.9, `${known} of ${TEXTS.length} are known`);
  assert.deepEqual(different, []);
}, { traced: false });
