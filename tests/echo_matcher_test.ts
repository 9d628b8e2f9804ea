/** What comes back is matched with the lines that were sent, whatever happened to it on the way. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { EchoMatcher, LineRing, type MatchKind } from "../protocol.ts";
import { cases, test } from "./harness.ts";
import { assertProperty } from "./properties.ts";

const STAMP = "[2026-11-23T03:37:00.123456Z] ";
const OTHER = "[2026-11-23T03:37:00.123457Z] ";
const encode = (text: string) => new TextEncoder().encode(text);
const LINES = Array.from({ length: 20 }, (_, i) => `line-number-${i * 7919}`);

/** The lines in the kernel's memory, which has two such places: they are given back for the tests that follow. */
let ring: LineRing;

function matchTest(name: string, fn: () => void): void {
  test(name, () => {
    ring = LineRing.of(LINES.map(encode));
    try {
      fn();
    } finally {
      ring.close();
    }
  });
}

/** What a matcher makes of replies to the first lines: a kind for each match or stray, with the lines it is about. */
function matchAll(replies: string, sent: number, pieces: number[] = []): string[] {
  const matcher = new EchoMatcher(ring, 0);
  const all = encode(replies);
  const found: string[] = [];
  let from = 0;
  for (const end of [...pieces.map((it) => it % (all.length + 1)).sort((a, b) => a - b), all.length]) {
    for (let kind: MatchKind; (kind = matcher.match(all, from, end, sent)) !== "partial";) {
      from += matcher.taken;
      for (let strays = kind === "stray" ? matcher.lines : 1; strays > 1; strays--) found.push(kind);
      const about = kind === "echoes" || kind === "passed" ? ` ${matcher.lines}` : "";
      found.push(kind === "found" || kind === "spoilt" ? `${kind} ${matcher.line}` : kind + about);
    }
    from += matcher.taken;
  }
  return found;
}

const reply = (i: number, stamp = STAMP) => `${stamp}${LINES[i]}\n`;

matchTest("replies are taken together as far as they have one stamp", () => {
  assertEquals(matchAll(reply(0) + reply(1) + reply(2, OTHER), 3), ["echoes 2", "echoes 1"]);
  assertEquals(matchAll([0, 1, 2].map((i) => reply(i, "")).join(""), 5), ["echoes 3"]);
});

matchTest("what is no reply to the next line is told by its payload", () => {
  assertEquals(matchAll(reply(0) + reply(2) + reply(3), 4), ["echoes 1", "passed 1", "echoes 2"]);
  assertEquals(matchAll(reply(1) + reply(0), 2), ["passed 1", "echoes 1", "found 0"]);
  assertEquals(matchAll(reply(0) + reply(0) + reply(1), 2), ["echoes 1", "duplicate", "echoes 1"]);
  assertEquals(matchAll(reply(0).replace("line", "Line") + reply(1), 2), ["corrupt", "echoes 1"]);
  assertEquals(matchAll(reply(1) + reply(0).replace("line", "Line"), 2), [
    "passed 1",
    "echoes 1",
    "spoilt 0",
  ]);
  assertEquals(matchAll(`${STAMP}something else\n${reply(1)}`, 2), ["corrupt", "echoes 1"]);
  assertEquals(matchAll("nobody asked\n", 0), ["stray"]);
  assertEquals(matchAll("nobody\nasked\nerror? no\nfor err", 0), ["stray", "stray", "stray"]);
  assertEquals(matchAll("nobody\nasked\nerror: too many lines\ny\n", 0), ["stray", "stray", "error"]);
  assertEquals(matchAll(`${reply(0)}nobody\nasked\n${reply(0)}`, 1), ["echoes 1", "stray", "stray", "stray"]);
  assertEquals(matchAll(`${reply(0)}error: too many lines\n`, 3), ["echoes 1", "error"]);
  assertEquals(matchAll(`${"x".repeat(1000)}\n${reply(1)}`, 2, [700]), ["corrupt", "echoes 1"]);
});

/** What a matcher makes of replies to lines of a ring, of which so many were sent, each a datagram. */
function matchDatagrams(lines: LineRing, sent: number, replies: readonly number[]): string {
  const matcher = new EchoMatcher(lines, 0);
  const kinds: string[] = [];
  for (const line of replies) {
    const bytes = encode(STAMP + new TextDecoder().decode(lines.line(line).subarray(0, -1)));
    for (let kind: MatchKind | "" = "passed"; kind === "passed"; kinds.push(kind)) {
      kind = matcher.matchDatagram(bytes, sent);
    }
  }
  lines.close();
  return kinds.join(" ");
}

test("lines that come again soon are told apart as far as their neighbours differ", () => {
  const digits = () => LineRing.ofSize(1);
  assertEquals(matchDatagrams(digits(), 30, [0, 2, 3]), "echoes passed echoes echoes");
  assertEquals(matchDatagrams(digits(), 30, [0, 0, 1]), "echoes duplicate echoes");
  assertEquals(matchDatagrams(digits(), 30, [1, 0, 2]), "passed echoes found echoes");
  assertEquals(matchDatagrams(digits(), 30, [9, 10, 10, 11]), "passed echoes echoes duplicate echoes");
  const requests = () => LineRing.of(["login", "status", "items", "status", "logout"].map(encode));
  assertEquals(matchDatagrams(requests(), 10, [0, 1, 3, 4]), "echoes echoes passed echoes echoes");
  assertEquals(matchDatagrams(requests(), 10, [0, 0, 1, 2]), "echoes duplicate echoes echoes");
  const alike = () => LineRing.of([encode("a"), encode("a")]);
  assertEquals(matchDatagrams(alike(), 2, [0, 0, 0]), "echoes echoes duplicate");
});

test("numbered lines are told apart however many were lost, and as many late or twice", () => {
  for (const size of [6, 40]) {
    const lines = LineRing.ofSize(size, true);
    const room = new Uint8Array(lines.longest);
    const matcher = new EchoMatcher(lines, 14);
    const kindsOf = (line: number, change = (bytes: Uint8Array) => bytes) => {
      const reply = encode(STAMP + new TextDecoder().decode(change(lines.copy(line, room).subarray(0, -1))));
      const kinds = [];
      do kinds.push(matcher.matchDatagram(reply, 40_000)); while (kinds.at(-1) === "passed");
      return kinds.join(" ");
    };
    assertEquals([14, 15, 15].map((it) => kindsOf(it)), ["echoes", "echoes", "duplicate"]);
    assertEquals(kindsOf(30_000), "passed echoes");
    assertEquals([matcher.lines, matcher.next, matcher.isDoubtful], [1, 30_001, false]);
    assertEquals(kindsOf(29_999), "found");
    assertEquals([29_999, 16, 16].map((it) => kindsOf(it)), ["duplicate", "found", "duplicate"]);
    matcher.forget(17);
    assertEquals(kindsOf(17), "duplicate");
    const flip = (at: number) => (bytes: Uint8Array) => bytes.with(at, bytes[at]! ^ 1);
    if (size >= 40) {
      assertEquals(kindsOf(30_003, flip(size - 1)), "passed corrupt");
      assertEquals(kindsOf(30_005, flip(0)), "passed corrupt");
      assertEquals(kindsOf(30_004, flip(3)), "spoilt");
    }
    lines.close();
  }
});

test("lines of a file are found however far away, and where payloads come again those that had no reply", () => {
  const payloads = Array.from({ length: 20_000 }, (_, i) => encode(`request ${i % 19_900}`));
  const lines = LineRing.of(payloads, true);
  const matcher = new EchoMatcher(lines, 0);
  const kindsOf = (line: number, sent: number) => {
    const reply = encode(STAMP + new TextDecoder().decode(payloads[line % 20_000]));
    const kinds = [];
    do kinds.push(matcher.matchDatagram(reply, sent)); while (kinds.at(-1) === "passed");
    return [kinds.join(" "), matcher.isDoubtful] as const;
  };
  assertEquals([kindsOf(0, 9000), kindsOf(6000, 9000)], [["echoes", false], ["passed echoes", false]]);
  assertEquals([kindsOf(2, 9000), kindsOf(2, 9000)], [["found", false], ["duplicate", false]]);
  // Either that of line 50, which had none, or of line 19,950, whose payload is the same.
  assertEquals(kindsOf(19_950, 19_960), ["found", true]);
  assertEquals(kindsOf(19_951, 19_960)[1], true);
  lines.close();
});

test("a short reply that was changed stands for the line whose turn it was", () => {
  const lines = LineRing.ofSize(2);
  const replies = encode(`${STAMP}00\n${STAMP}xy\n${STAMP}02\n`);
  const matcher = new EchoMatcher(lines, 0);
  const kinds = [];
  for (let from = 0, kind; (kind = matcher.match(replies, from, replies.length, 5)) !== "partial";) {
    from += matcher.taken;
    kinds.push(kind);
  }
  assertEquals(kinds, ["echoes", "corrupt", "echoes"]);
  lines.close();
});

matchTest("it makes no difference where the bytes are cut, nor in what ring they lie", () => {
  assertProperty(
    fc.property(
      fc.array(fc.constantFrom(0, 1, 2, 3, 4, 5), { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 6 }),
      (order, pieces) => {
        const lines = (kinds: string[]) =>
          kinds.flatMap((it) => it.startsWith("echoes") ? Array(Number(it.slice(7))).fill("echo") : it);
        const whole = order.map((i) => reply(i)).join("");
        assertEquals(lines(matchAll(whole, 6, pieces)), lines(matchAll(whole, 6)));
      },
    ),
    { numRuns: cases(500) },
  );
});

test(
  "generated lines have their size, and differ from each other as far as it allows",
  { level: "heavy" },
  () => {
    for (const size of [1, 2, 7, 8, 31, 4095, 65_000]) {
      const ring = LineRing.ofSize(size);
      const { count, bytes, period } = ring;
      assertEquals(bytes.length, count * (size + 1));
      const texts = new TextDecoder().decode(bytes).split("\n");
      assertEquals([texts.length, texts.pop()], [count + 1, ""]);
      assertEquals(texts.every((it) => it.length === size), true);
      assertEquals(period, Math.min(count, 10 ** size));
      assertEquals(new Set(texts).size, period);
      assertEquals(new Set(texts.slice(-period)).size, period);
      assertEquals(count % period, 0);
      ring.close();
    }
  },
);
