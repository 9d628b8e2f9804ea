import { assertEquals } from "@std/assert";
import { cannot, escapeLines, escapeText, reasonOf, reasonOfFile } from "../failure.ts";
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

test("what Deno does not allow is told by the name of the permission", { permissions: "none" }, () => {
  const reasonFor = (attempt: () => unknown) => {
    try {
      attempt();
    } catch (error) {
      assertEquals(reasonOfFile(error), reasonOf(error));
      return reasonOf(error);
    }
  };
  const attempts = {
    read: () => Deno.readTextFileSync("run.json"),
    write: () => Deno.writeTextFileSync("run.json", ""),
    env: () => Deno.env.get("TERM"),
    sys: () => Deno.hostname(),
    run: () => new Deno.Command("true").outputSync(),
    net: () => Deno.listen({ port: 0 }),
  };
  for (const [name, attempt] of Object.entries(attempts)) {
    assertEquals(reasonFor(attempt), `Deno was not given the permission --allow-${name} for it`);
  }
  // Files that take all permissions.
  const message = 'Requires all access to "/proc/self/environ", run again with the --allow-all flag';
  assertEquals(
    reasonOf(new Deno.errors.NotCapable(message)),
    "Deno lets only programs with all permissions use it",
  );
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
