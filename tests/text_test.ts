import { assertEquals } from "@std/assert";
import { cannot, escapeLines, escapeText } from "../failure.ts";
import { formatMillis } from "../time/duration.ts";
import { test } from "./harness.ts";

test("control characters and those that reorder text are shown, not obeyed", () => {
  assertEquals(escapeText("a\x1b[31mb\rc\n\x00\x7f\x9b"), "a\\x1b[31mb\\x0dc\\x0a\\x00\\x7f\\x9b");
  assertEquals(escapeText("\u202egnp.exe\u2066\u2028"), "\\u202egnp.exe\\u2066\\u2028");
  assertEquals(escapeText("plain, grüße, 日本, 🙂"), "plain, grüße, 日本, 🙂");
});

test("in lines of text, line feeds and tabs stay", () => {
  assertEquals(escapeLines("a\tb\r\n\x1b]0;title\x07\n"), "a\tb\\x0d\n\\x1b]0;title\\x07\n");
});

test("an error is one line whatever stands in it", () => {
  assertEquals(cannot("use --tag", "a\nb", "it\nis"), 'Cannot use --tag "a\\x0ab": it\\x0ais');
});

test("durations are short", () => {
  assertEquals([0, 500, 999.6, 10_000, 1500, 600_000].map(formatMillis), [
    "0ms",
    "500ms",
    "1000ms",
    "10s",
    "1.5s",
    "600s",
  ]);
});
