import { assert, assertEquals, assertMatch } from "@std/assert";
import { systemMicros, wallMicros, wallOrigin } from "../time/clock.ts";
import { Prefix, prefixLength, PrefixReader, STAMP_FORMATS, type StampFormat } from "../protocol.ts";
import { test } from "./harness.ts";
import { run } from "./helpers.ts";

const MOMENT = 1795405020_123456; // 2026-11-23T03:37:00.123456Z

function prefix(format: StampFormat, micros = MOMENT, tag?: string): string {
  return new TextDecoder().decode(new Prefix(format, tag).at(micros));
}

test("each format is written as the protocol says", () => {
  assertEquals(prefix("iso"), "[2026-11-23T03:37:00.123456Z] ");
  assertEquals(prefix("unix"), "[1795405020.123456] ");
  assertEquals(prefix("none"), "");
  assertMatch(prefix("ctime"), /^\[[A-Z][a-z]{2} Nov 2[23] \d\d:\d\d:00 2026\] $/);
});

test("a tag stands behind the stamp, and nowhere without one", () => {
  assertEquals(prefix("iso", MOMENT, "web-2"), "[2026-11-23T03:37:00.123456Z web-2] ");
  assertEquals(prefix("unix", MOMENT, "web-2"), "[1795405020.123456 web-2] ");
  assertEquals(prefix("none", MOMENT, "web-2"), "");
});

test("one prefix follows the clock within a second, to the next, and back", () => {
  const iso = new Prefix("iso");
  const at = (micros: number) => new TextDecoder().decode(iso.at(micros));
  assertEquals(at(MOMENT), "[2026-11-23T03:37:00.123456Z] ");
  assertEquals(at(MOMENT - 123456), "[2026-11-23T03:37:00.000000Z] ");
  assertEquals(at(MOMENT + 876543), "[2026-11-23T03:37:00.999999Z] ");
  assertEquals(at(MOMENT + 876544), "[2026-11-23T03:37:01.000000Z] ");
  assertEquals(at(MOMENT), "[2026-11-23T03:37:00.123456Z] ");
  assertEquals(at(-1), "[1969-12-31T23:59:59.999999Z] ");
});

test("ctime is what Python's time.ctime says, days of one digit included", {
  needs: ["--allow-run", "python3"],
}, async () => {
  const seconds = [0, 951782400, 1795405020, 1793500000, 1767225599, 4102444799];
  const { stdout } = await run([
    "python3",
    "-c",
    `import time\nfor s in ${JSON.stringify(seconds)}: print(time.ctime(s))`,
  ]);
  assertEquals(
    seconds.map((s) => prefix("ctime", s * 1e6)),
    stdout.trimEnd().split("\n").map((line) => `[${line}] `),
  );
});

test("the wall clock counts microseconds, is never ahead of the system's and hardly behind it", () => {
  let nearest = Infinity;
  for (let i = 0; i < 20_000; i++) {
    const before = systemMicros();
    const micros = wallMicros();
    const after = systemMicros();
    assert(Number.isSafeInteger(micros));
    assert(micros <= after, `${micros - after} µs ahead`);
    nearest = Math.min(nearest, before - micros);
  }
  assert(nearest <= 5, `${nearest} µs behind at best`);
});

test("a message that begins with a prefix is told from others", () => {
  const length = (text: string) => prefixLength(new TextEncoder().encode(text));
  for (const format of STAMP_FORMATS.filter((it) => it !== "none")) {
    for (const tag of [undefined, "web-2", "~".repeat(64)]) {
      const text = prefix(format, MOMENT, tag);
      assertEquals(length(`${text}hello`), text.length, text);
      assertEquals(length(text), text.length);
      for (const other of [text.slice(1), text.slice(0, -1), ` ${text}`]) {
        assertEquals(length(other), 0, other);
      }
    }
  }
  for (const text of ["", "[", "[x] y", "[2026-11-23] x", "[12] x"]) assertEquals(length(text), 0, text);
});

test("the reader reads what the prefix writes, in every format, the same second and the next", () => {
  const reader = new PrefixReader();
  const line = (prefix: Uint8Array) =>
    new Uint8Array([...prefix, ...new TextEncoder().encode("[x] payload")]);
  for (const format of ["iso", "unix", "ctime"] as const) {
    for (const tag of [undefined, "web-2"]) {
      const prefix = new Prefix(format, tag);
      for (const micros of [1795405020_123456, 1795405020_999999, 1795405021_000000, 1795491420_000001]) {
        const bytes = prefix.at(micros);
        const told = format === "ctime" ? Math.floor(micros / 1e6) * 1e6 : micros;
        const expected = { length: bytes.length, format, micros: told, tag };
        assertEquals(reader.read(line(bytes)), expected);
        assertEquals(reader.read(line(bytes)), expected); // and again from what it remembers
      }
    }
  }
});

test("the reader takes nothing for a stamp that is none", () => {
  const reader = new PrefixReader();
  const read = (text: string) => reader.read(new TextEncoder().encode(text));
  assertEquals(read("[2026-11-23T03:37:00.123456Z] x").format, "iso");
  assertEquals(read("x [1.000000] x"), { length: 0, format: "none" });
  assertEquals(read(""), { length: 0, format: "none" });
  assertEquals(read("[hello] x"), { length: 8 });
  assertEquals(read("[2026-11-23T03:37:00.12345xZ] x"), { length: 30 });
  assertEquals(read("[2026-13-45T03:37:00.123456Z] x"), { length: 30 }); // no such day
  assertEquals(read("[2026-11-23T03:37:00.123456Z"), { length: 0 });
  for (
    const second of [
      "2026-02-31T00:00:00",
      "2026-02-29T00:00:00",
      "2026-04-31T00:00:00",
      "2026-11-23T24:00:00",
    ]
  ) {
    assertEquals(read(`[${second}.000000Z] x`), { length: 30 }, second); // dates roll over in JavaScript
  }
  assertEquals(read("[2028-02-29T00:00:00.000000Z] x").format, "iso");
  assertEquals(read("[Sat Feb 28 10:00:00 2026] x").format, "ctime");
  for (const text of ["Tue Mar 31 24:00:00 2026", "Sat Feb 31 10:00:00 2026", "Tue Feb 28 10:00:00 2026"]) {
    assertEquals(read(`[${text}] x`), { length: 27 }, text); // no such day, or not that day of the week
  }
});

test("what another clock's 0 is on the wall clock is right although the process is held up between two readings", () => {
  for (const held of [[7], [0, 0, 0.2, 40], [3, 3, 3, 3, 3]]) {
    let at = 5;
    const hold = () => at += held.shift() ?? 0.0001;
    const now = () => (hold(), at);
    const origin = wallOrigin(now, () => (hold(), 1e9 + Math.floor(at * 1000)));
    assert(Math.abs(origin - 1e9) < 2, `${origin}`);
  }
});
