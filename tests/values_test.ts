/** The values of options: sizes and times, as they are read and written. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { formatSize, formatTime, parseRate, parseSize, parseTime } from "../cli/values.ts";
import { exactPercent, percent } from "../report/format.ts";
import { test } from "./harness.ts";

test("a percentage has two decimals, unless they would make it none or all", () => {
  const shares = [0, 0.5, 0.101278, 0.0000012, 0.999999, 1 / 3, 1];
  assertEquals(shares.map(percent), ["0%", "50%", "10.13%", "0.00012%", "99.9999%", "33.33%", "100%"]);
  assertEquals(exactPercent(0.101278), "10.1278%");
});

test("rates are read in powers of ten and in thousands", () => {
  const rate = (text: string) => parseRate(text, 1e7);
  assertEquals(["5", "0.5", "2e4", "2k", "1.5K", "3m"].map(rate), [5, 0.5, 20_000, 2000, 1500, 3_000_000]);
  for (const text of ["0", "0k", "-5", "k", "2kk", "2 k", "11m"]) {
    assertThrows(() => rate(text), Error, "expected a number a second");
  }
});

test("an error about a size has examples that the option takes", () => {
  for (const [min, max] of [[1, 65000], [1, 2 ** 26], [2 ** 20, 2 ** 40]] as const) {
    const { message } = assertThrows(() => parseSize("x", min, max), Error);
    const [, examples] = /such as (.*), from/.exec(message)!;
    for (const it of examples!.split(/, | or /)) assert(parseSize(it, min, max) >= min, message);
  }
});

test("sizes and times are read in every unit", () => {
  const size = (text: string) => parseSize(text, 1, 1e12);
  assertEquals(["1", "65536", "64k", "64K", "64KiB", "2m", "2MiB", "3g"].map(size), [
    1,
    65536,
    65536,
    65536,
    65536,
    2 ** 21,
    2 ** 21,
    3 * 2 ** 30,
  ]);
  assertEquals(
    ["0", "0.2", "5", ".5", "1ms", "500ms", "10s", "1.5s", "5m", "2H"].map((it) => parseTime(it)),
    [
      0,
      200,
      5000,
      500,
      1,
      500,
      10_000,
      1500,
      300_000,
      7_200_000,
    ],
  );
  for (const text of ["", ".", "ms", "-1s", "1d", "s1", "1 s", "1e3s", "Infinity", "NaN", "0.0001"]) {
    assertThrows(() => parseTime(text), Error, "expected a time");
  }
  assertEquals([0, 200, 1500, 10_000, 600_000, 7_200_000].map(formatTime), [
    "0s",
    "200ms",
    "1500ms",
    "10s",
    "10m",
    "2h",
  ]);
  for (const bytes of [1, 1023, 1024, 65536, 2 ** 20, 3 * 2 ** 30]) {
    assertEquals(size(formatSize(bytes)), bytes);
  }
});
