import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { renderPage } from "../report/page/document.ts";
import { markup } from "../report/page/markup.ts";
import { amountText, rangeText, reading, snapped } from "../report/page/browser/values.ts";
import type { Layer, Page, Part, Plot, Value } from "../report/page/model.ts";
import { SCRIPT } from "../report/page/script.ts";
import { STYLE } from "../report/page/style.ts";
import { test } from "./harness.ts";
import { HOSTILE, hostilePage, samplePage } from "./sample_page.ts";

const BROWSER_FOLDER = new URL("../report/page/browser/", import.meta.url);

test("text is escaped for elements and attributes, and its control characters are shown", () => {
  assertEquals(
    markup(HOSTILE),
    "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;!-- ]]&gt; &quot;&#39;&amp;\\u2028\\u202e\\x1b[31m",
  );
});

test("a page has nothing of a peer's text unescaped", () => {
  const html = renderPage(hostilePage());
  assert(!html.includes("<script>alert"), html);
  assert(!html.includes("</script><!--"), html);
  for (const char of "\u2028\u202e\x1b") assert(!html.includes(char), html);
  assertStringIncludes(html, "]]&gt;");
  assertEquals(html.split("</script>").length, 4, "three scripts end");
});

test("a chart has a heading that names it, and its note; the JSON is saved under its own name", () => {
  const page = samplePage();
  const plot: Plot = {
    ...{ title: "One & two", note: "What a < is.", description: "", layers: [] },
    ...{ x: { label: "", quantity: "time" }, y: { label: "", quantity: "count" } },
  };
  const parts: Part[] = [{ kind: "plot", plot }, { kind: "saved", text: "All." }];
  const html = renderPage({ ...page, sections: [{ heading: "A", parts }] });
  assertStringIncludes(html, '<figure aria-labelledby="chart-1">');
  assertStringIncludes(
    html,
    '<h3 id="chart-1">One &amp; two</h3></div>\n<p class="note">What a &lt; is.</p>',
  );
  assertMatch(html, /All\.<\/p>\n<p [^>]*><button [^>]*>Save this run as JSON/);
  const compared = renderPage({ ...page, document: { ...page.document, of: "comparison" } });
  assertStringIncludes(compared, "Save this comparison as JSON");
  assert(!compared.includes("this run"));
});

test("what a page says of its JSON is true with scripts and without, and of none", () => {
  const page = samplePage();
  const sections: Page["sections"] = [{ heading: "JSON", parts: [{ kind: "saved", text: "Saved is all." }] }];
  const html = renderPage({ ...page, sections });
  const without = html.replaceAll(/<p class="scripted" hidden>.*?<\/p>/gs, "");
  assertStringIncludes(html, '<p class="scripted" hidden>Saved is all.</p>');
  assertEquals(without.match(/[^>]*(?:be saved|Saved is|Save this)[^<]*/g), [
    "Scripts are blocked: it cannot be saved from this page. --json saves it.",
  ]);
  const none = renderPage({ ...page, sections: [], document: { ...page.document, json: "" } });
  assert(!/Save this|be saved/.test(none.replaceAll(/<script[^]*?<\/script>/g, "")));
});

test("the cursor goes to the nearest point and says which it is, but beside time", () => {
  const points = (name: string, x: number[], y: Value[], names: string[]): Layer => ({
    ...{ kind: "points", name, colour: 0 },
    ...{ x, y, names },
  });
  const layers = [
    points("before", [1, 3], [10, 11], ["before-1", "before-2"]),
    points("after", [2, 4], [12, null], ["after-1", "after-2"]),
  ];
  const plot: Plot = {
    ...{ title: "", description: "", layers },
    ...{ x: { label: "run", quantity: "count" }, y: { label: "", quantity: "duration" } },
  };
  const readAt = (x: number, of: Plot) => layers.map((it) => reading(it, of, { x: snapped(of, x), y: 0 }, 0));
  assertEquals([1.4, 1.8, 4].map((it) => snapped(plot, it)), [1, 2, 3]);
  assertEquals(readAt(2.2, plot), ["", "after-1: 12.00 ms"]);
  assertEquals(readAt(3.6, plot), ["before-2: 11.00 ms", ""]);
  const overTime = { ...plot, x: { label: "", quantity: "time" as const } };
  assertEquals([snapped(overTime, 1.4), snapped({ ...plot, layers: [] }, 1.4)], [1.4, 1.4]);
});

test("the cursor reads nothing where a line is broken, and a range with its unit once", () => {
  const line: Layer = { kind: "line", name: "", colour: 0, x: [0, 1, 2, 5, 6], y: [4, 4, null, 7, 7] };
  const plot: Plot = {
    ...{ title: "", description: "", layers: [line] },
    ...{ x: { label: "", quantity: "time" }, y: { label: "", quantity: "duration" } },
  };
  const at = (x: number) => reading(line, plot, { x, y: 0 }, 0.1);
  assertEquals([0.6, 1.05, 1.4, 2, 4.5, 4.95, 5.5].map(at), [
    ...["4.000 ms", "4.000 ms", "–", "–", "–", "7.000 ms", "7.000 ms"],
  ]);
  assertEquals(
    [rangeText("3.588 ms", "5.439 ms"), rangeText("900.0 µs", "1.000 ms"), rangeText("1%", "2%")],
    [
      ...["3.588 to 5.439 ms", "900.0 µs to 1.000 ms", "1% to 2%"],
    ],
  );
  assertEquals([amountText(1, "count"), amountText(1200, "count"), amountText(0.5, "share")], [
    ...["1 line", "1,200 lines", "50%"],
  ]);
});

test(
  "the page's script has every function of its folder, each under a name of its own, and nothing that ends it",
  { needs: ["--allow-read"] },
  async () => {
    assert(!/<\/script|<!--|\r/i.test(SCRIPT + STYLE));
    new Function(SCRIPT);
    const names: string[] = [];
    for await (const { name } of Deno.readDir(BROWSER_FOLDER)) {
      const source = await Deno.readTextFile(new URL(name, BROWSER_FOLDER));
      names.push(
        ...[...source.matchAll(/^(?:export )?(?:async )?(?:function|class) (\w+)/gm)].map(([, it]) => it!),
      );
      // A constant would be missing in the page.
      const constants = [...source.matchAll(/^(?:export )?(?:const|let|var) (\w+)/gm)].map(([, it]) => it);
      assertEquals(constants, [name.replace(".ts", "").toUpperCase()]);
    }
    assertEquals(names.length, new Set(names).size, names.join());
    for (const name of names) assert(new RegExp(`^(?:function|const) ${name}\\b`, "m").test(SCRIPT), name);
  },
);

test("numbers of a chart keep the digits that a screen can show, and the whole page stays small", () => {
  const page = samplePage();
  const html = renderPage(page);
  assertStringIncludes(html, '"planned"');
  assert(!/\d\.\d{8,}/.test(html.slice(html.indexOf('id="plots"'), html.indexOf('id="run"'))));
  assert(html.length < 200_000, `${html.length}`);
});
