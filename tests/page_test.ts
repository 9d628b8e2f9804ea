import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { renderPage } from "../report/page/document.ts";
import { markup } from "../report/page/markup.ts";
import type { Page } from "../report/page/model.ts";
import { test } from "./harness.ts";

const EMPTY: Page = {
  title: "",
  facts: [],
  verdicts: [],
  sections: [],
  document: { name: "run.json", json: "{}" },
};

/** What a peer could try to leave the element, the attribute or the script in which its text stands. */
const HOSTILE = `</script><!-- ]]> "'&\u2028\u202e\x1b[31m`;

test("text is escaped for elements and attributes, and its control characters are shown", () => {
  assertEquals(
    markup(HOSTILE),
    "&lt;/script&gt;&lt;!-- ]]&gt; &quot;&#39;&amp;\\u2028\\u202e\\x1b[31m",
  );
});

test("a page has nothing of a peer's text unescaped", () => {
  const html = renderPage({
    ...EMPTY,
    title: HOSTILE,
    facts: [{ name: HOSTILE, value: HOSTILE }],
    verdicts: [{ topic: HOSTILE, tone: "bad", text: HOSTILE }],
    sections: [{
      heading: HOSTILE,
      parts: [{ kind: "text", text: HOSTILE }, {
        kind: "table",
        table: {
          caption: HOSTILE,
          columns: [{ name: HOSTILE }, { name: HOSTILE }],
          rows: [[HOSTILE, HOSTILE]],
        },
      }],
    }],
  });
  assert(!html.includes(HOSTILE.slice(0, 16)), html);
  // deno-lint-ignore no-control-regex
  assert(!/[\x00-\x09\x0b-\x1f\u2028\u202e]/.test(html), html);
  assertStringIncludes(html, "]]&gt;");
});
