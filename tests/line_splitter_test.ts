import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { LineSplitter } from "../protocol.ts";
import { test } from "./harness.ts";
import { assertProperty } from "./properties.ts";

/** What a splitter gives for pieces of a text, its rest last. */
function split(pieces: string[], maxLength: number): string[] {
  const splitter = new LineSplitter(maxLength);
  const lines = pieces.flatMap((
    piece,
  ) => [...splitter.split(new TextEncoder().encode(piece)).map((line) => new TextDecoder().decode(line))]);
  const rest = new TextDecoder().decode(splitter.takeRest());
  return rest === "" ? lines : [...lines, rest];
}

test("lines come with their LF, however the bytes arrive, and the rest is left", () => {
  assertEquals(split(["one\ntwo\n", "\nthr", "e", "e\nfo", "ur"], 100), [
    "one\n",
    "two\n",
    "\n",
    "three\n",
    "four",
  ]);
});

test("a line that is too long comes in parts, without waiting for its LF", () => {
  assertEquals(split(["abcdefgh\n"], 4), ["abcd", "efgh", "\n"]);
  assertEquals(split(["ab", "cdef", "g\nabc\nabcd"], 4), ["abcd", "efg\n", "abc\n", "abcd"]);
});

test("property: lines and parts are those of the whole text, wherever it is cut", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "\n"), maxLength: 40 });
  assertProperty(fc.property(fc.array(text), fc.integer({ min: 1, max: 12 }), (pieces, maxLength) => {
    const lines = pieces.join("").split(/(?<=\n)/).filter((it) => it !== "");
    const parts = lines.flatMap((line) => line.match(new RegExp(`[^]{1,${maxLength}}`, "g"))!);
    assertEquals(split(pieces, maxLength), parts);
  }));
});
