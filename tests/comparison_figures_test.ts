/** The statistics beneath a comparison, against values that scipy 1.17 gives, and enumeration of all cases. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { holm } from "../stats/holm.ts";
import { hodgesLehmann, mannWhitney } from "../stats/mann_whitney.ts";
import { studentLimit, studentTail, welch } from "../stats/student.ts";
import { cases, test } from "./harness.ts";
import { assertProperty } from "./properties.ts";

test("Student's t has scipy's tails and limits", () => {
  const tails: [t: number, freedom: number, tail: number][] = [
    [2.306004135, 8, 0.05000000001593551],
    [0.5, 3.7, 0.6453356333199318],
    [10, 4, 0.000562003622715991],
    [1e-3, 5.5, 0.9992373871193494],
    [40, 2.2, 0.00034231547656460564],
  ];
  for (const [t, freedom, tail] of tails) assertAlmostEquals(studentTail(t, freedom), tail, 1e-12);
  const limits: [chance: number, freedom: number, limit: number][] = [
    [0.05, 4, 2.7764451051977943],
    [0.05, 5.3, 2.527427788268118],
    [0.05, 8, 2.3060041352041662],
    [0.01, 6.6, 3.5729332637423266],
    [0.5, 1, 1],
  ];
  for (const [chance, freedom, limit] of limits) {
    assertAlmostEquals(studentLimit(chance, freedom), limit, 1e-9);
  }
});

test("Welch's test has scipy's p and interval, and no answer without variance", () => {
  const found = welch([1.02, 0.97, 1.10, 0.93, 1.05], [1.21, 1.30, 1.08, 1.26, 1.15], 0.05)!;
  assertAlmostEquals(found.value, 0.186, 1e-12);
  assertAlmostEquals(found.p, 0.006078728941730487, 1e-12);
  assertAlmostEquals(found.lower, 0.07123613918632621, 1e-9);
  assertAlmostEquals(found.upper, 0.3007638608136741, 1e-9);
  assertEquals(welch([0.1, 0.1, 0.1], [0.2, 0.2, 0.2], 0.05), undefined);
  assert(welch([0.1, 0.1, 0.1], [0.2, 0.2, 0.3], 0.05)!.p > 0.05);
});

test("the test of Mann and Whitney has scipy's exact p, and that of all permutations where values are equal", () => {
  const table: [number[], number[], number][] = [
    [[10, 12, 11, 9, 13], [14, 15, 12.5, 16, 13.5], 0.015873015873015872],
    [[3, 5, 8, 1, 9, 7], [2, 6, 10, 11, 12, 4, 13, 14], 0.14185814185814188],
    [[0, 0, 0, 0, 1], [0, 2, 3, 3, 4], 0.047619047619047616],
    [[1, 1, 2, 2, 3], [2, 3, 3, 4, 4, 5], 0.02813852813852814],
    [[0, 0, 0, 0, 0], [0, 0, 0, 0, 0], 1],
  ];
  for (const [one, other, p] of table) {
    assertAlmostEquals(mannWhitney(one, other), p, 1e-12);
    assertAlmostEquals(mannWhitney(other, one), p, 1e-12);
  }
  // The least that five against five can have is 2 in 252 orders.
  assertAlmostEquals(mannWhitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]), 2 / 252, 1e-12);
  assert(mannWhitney(Array.from({ length: 40 }, (_, i) => i), Array(40).fill(200)) < 1e-20);
});

test("a ratio is the median over all pairs, and its interval leaves out as many pairs as the exact test allows", () => {
  const { value, lower, upper } = hodgesLehmann([3, 5, 8, 1, 9, 7], [2, 6, 10, 11, 12, 4, 13, 14], 0.05);
  assertAlmostEquals(value, 1.5979898086569353, 1e-12);
  assertAlmostEquals(lower, 0.6666666666666666, 1e-12);
  assertAlmostEquals(upper, 4, 1e-12);
  assertEquals(hodgesLehmann([1, 1, 1], [2, 2, 2], 0.05), { value: 2, lower: 0, upper: Infinity });
});

test("nothing against nothing is a ratio of 1, something against nothing an infinite one", () => {
  const [none, some] = [[0, 0, 0, 0, 0], [0.1, 0.2, 0.3, 0.4, 0.5]];
  assertEquals(hodgesLehmann(none, none, 0.05), { value: 1, lower: 1, upper: 1 });
  assertEquals(hodgesLehmann(none, some, 0.05), { value: Infinity, lower: Infinity, upper: Infinity });
  assertEquals(hodgesLehmann(some, none, 0.05), { value: 0, lower: 0, upper: 0 });
});

test("exchanged samples have the reciprocal ratio and interval", () => {
  const values = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 5, maxLength: 9 });
  assertProperty(
    fc.property(values, values, (one, other) => {
      const [there, back] = [hodgesLehmann(one, other, 0.05), hodgesLehmann(other, one, 0.05)];
      assertAlmostEquals(there.value * back.value, 1, 1e-9);
      assertAlmostEquals(there.lower * back.upper, 1, 1e-9);
      assertAlmostEquals(mannWhitney(one, other), mannWhitney(other, one), 1e-12);
      assert(there.lower <= there.value && there.value <= there.upper);
    }),
    { numRuns: cases(200) },
  );
});

test("Holm multiplies the smallest probability by all, the next by one fewer, and keeps their order", () => {
  const found = holm([0.01, 0.04, 0.03, 0.005]);
  [0.03, 0.06, 0.06, 0.02].forEach((it, place) => assertAlmostEquals(found[place]!, it, 1e-12));
  assertEquals(holm([0.9, 0.8]), [1, 1]);
  assertEquals(holm([]), []);
});
