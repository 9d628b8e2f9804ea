/** Conditions under which a run has failed: how they are read, judged on what is known, and told. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ping } from "../commands/ping.ts";
import { verdictLine } from "../report/text.ts";
import { describeMetrics, PING_METRICS, valuesFor } from "../stats/metrics.ts";
import type { RunStats } from "../stats/run_stats.ts";
import { judge, parseThreshold } from "../stats/threshold.ts";
import { test } from "./harness.ts";
import { seeded, statsOf } from "./paths.ts";

/** A run of lines that take `up` and `down` µs, over clocks that are `offset` µs and `drift` ppm apart. */
function runOf(lines: number, { up = 200, down = 300, offset = 0, drift = 0 } = {}): RunStats {
  const moments = Array.from({ length: lines }, (_, i) => (i + 1) * 0.1);
  const run = { moments, up: moments.map(() => up), down: moments.map((_, i) => down + i) };
  return statsOf({ ...run, offset: (at) => offset + drift * at }, seeded(1));
}

function verdictOf(text: string, stats: RunStats): string {
  return judge(parseThreshold(text), stats).verdict;
}

test("what is known exactly breaks a threshold or keeps it, in its unit", () => {
  const stats = runOf(100);
  stats.add({ fate: "lost", seq: 101, at: 11 });
  stats.add({ fate: "pending", seq: 102, at: 12 });
  const breaking = [
    "p99>0.4ms",
    "rtt.p99>.4ms",
    "min >= 100us",
    "min<=.5ms",
    "loss>0.9%",
    "received<=100",
    "lost>=1",
  ];
  for (const text of [...breaking, "pending>0", "sent>101", "missed<1", "up.max<1ms", "avg < 1h"]) {
    assertEquals(verdictOf(text, stats), "broken", text);
  }
  for (const text of ["p99>1ms", "avg<1us", "loss>=99%", "received<100", "lost>1", "pending>1", "missed>0"]) {
    assertEquals(verdictOf(text, stats), "kept", text);
  }
});

test("an interval breaks a threshold if all of it does, keeps it if none does, and else cannot tell", () => {
  // The offset is 0, and the path takes 5 ms there and 20 ms back: between -20 and +5 ms are proven.
  const stats = runOf(60, { up: 5000, down: 20_000 });
  const cases: [condition: string, verdict: string][] = [
    ["abs(offset)>5ms", "cannot tell"],
    ["abs(offset)>30ms", "kept"],
    ["abs(offset)>=0", "broken"],
    ["offset>6ms", "kept"],
    ["offset<6ms", "broken"],
    ["offset<-21ms", "kept"],
    ["offset>-21ms", "broken"],
    ["offset<=0s", "cannot tell"],
    ["abs(drift)>50ppm", "cannot tell"], // 6 s over round trips of 25 ms say nothing of 50 ppm
    ["drift<600ppm", "cannot tell"], // at most 500 ppm is assumed, not proven
    ["abs(drift)>600ppm", "cannot tell"],
    ["drift<-600ppm", "cannot tell"],
    ["abs(drift)>=0", "broken"],
  ];
  for (const [text, verdict] of cases) assertEquals(verdictOf(text, stats), verdict, text);
  const drifting = runOf(100, { drift: 400, up: 50, down: 50 });
  const known = ["drift>50ppm", "drift>450ppm", "abs(drift)>600ppm", "drift<-600ppm"];
  assertEquals(known.map((it) => verdictOf(it, drifting)), ["broken", "kept", "kept", "kept"]);
  // The replies leave room from some 300 ppm to beyond what is assumed.
  const steep = runOf(20, { drift: 480, up: 200, down: 200 });
  const open = ["drift>50ppm", "abs(drift)<50ppm", "drift>600ppm", "abs(drift)>600ppm", "drift<-600ppm"];
  assertEquals(open.map((it) => verdictOf(it, steep)), [
    "broken",
    "kept",
    "cannot tell",
    "cannot tell",
    "kept",
  ]);
});

test("a percentile of too few lines is at least the median", () => {
  const stats = runOf(50, { up: 5000, down: 1000 });
  const cases: [condition: string, verdict: string][] = [
    ["p99>6ms", "broken"],
    ["p99>7ms", "cannot tell"],
    ["p99>=6ms", "broken"],
    ["p99<6ms", "kept"],
    ["p99<7ms", "cannot tell"],
    ["p99.9999>7ms", "cannot tell"],
    ["p90>7ms", "kept"],
    ["p50>7ms", "kept"],
  ];
  for (const [text, verdict] of cases) assertEquals(verdictOf(text, stats), verdict, text);
  assertEquals([50, 90, 99, 99.9, 99.99, 99.9999].map(valuesFor), [2, 10, 100, 1000, 10_000, 1_000_000]);
});

test("a verdict is told with its interval, its unit and what would help", () => {
  const line = (text: string, stats = runOf(50, { up: 5000, down: 20_000 })) =>
    verdictLine(judge(parseThreshold(text), stats));
  const percentile = line("p99>1m")!;
  assert(
    /^Cannot tell whether "p99>1m" holds: it is at least 25\.0\d\d ms; that takes 100 values, and there were 50$/
      .test(percentile),
    percentile,
  );
  assertEquals(line("avg>1h"), undefined);
  assertEquals(line("min>0"), "Threshold broken: min>0: it is 25.000 ms");
  assertEquals(line("received>0"), "Threshold broken: received>0: it is 50");
  const offset = line("abs(offset)>5ms")!;
  assert(
    /^Cannot tell whether "abs\(offset\)>5ms" holds: it is from 0.000 ms to 20\.0\d\d ms; a path with shorter/
      .test(offset),
    offset,
  );
  const drift = line("drift>50ppm")!;
  assert(drift.endsWith("a drift of at most 500 ppm is assumed, and a longer run tells more"), drift);
  assert(drift.includes("holds: it is from -500.000 ppm to 500.000 ppm; "), drift);
  assertEquals(
    line("connect.max>1s"),
    'Cannot tell whether "connect.max>1s" holds: nothing of the kind was measured',
  );
});

test("conditions are read with every unit, and what is none is refused with what was expected", () => {
  assertEquals(
    ["loss>57%", "p99>7ns", "p99>3us", "p99>.5ms", "p99>9.ms", "p99>2m", "max>=1h", "p99.9999<-1s"].map((
      it,
    ) => parseThreshold(it).limit),
    [0.57, 7e-9, 3e-6, 0.0005, 0.009, 120, 3600, -1],
  );
  for (
    const [text, reason] of [
      ["p99>1constructor", "expected a time with its unit"],
      ["p99>1__proto__", "expected a time with its unit"],
      ["p99", "expected a metric"],
      ["p99>", "expected a metric"],
      ["p99>.", "expected a metric"],
      ["p99=5ms", "expected a metric"],
      ["p99>5", "expected a time with its unit"],
      ["p100>5ms", 'there is no metric "p100"'],
      ["speed>5ms", 'there is no metric "speed"'],
      ["abs(rtt)>5ms", 'there is no metric "abs(rtt)"'],
      ["toString>5ms", 'there is no metric "toString"'],
      ["abs(offset>5ms", 'there is no metric "abs(offset"'],
      ["loss>5ms", "expected a share"],
      ["lost>5%", "expected a number without a unit"],
    ]
  ) {
    assertThrows(() => parseThreshold(text!), Error, reason!);
  }
});

test("the help names each metric that there is, and each that it names is read", () => {
  const help = ping.help.replaceAll(/\s+/g, " ");
  assertStringIncludes(help, describeMetrics(PING_METRICS));
  for (const name of describeMetrics(PING_METRICS).match(/[a-z_]+[\d.]*(?:\([a-z]+\))?(?=[,) ;]|$)/g)!) {
    const metric = [
      "and",
      "so",
      "on",
      "of",
      "the",
      "round",
      "trip",
      "or",
      "another",
      "duration",
      "as",
      "in",
      "a",
      "count",
    ];
    if (metric.includes(name)) continue;
    const text = ["rtt", "response", "lag", "blocked", "connect", "handshake", "up", "down"].includes(name)
      ? `${name}.p99>0`
      : `${name}>0`;
    parseThreshold(text);
  }
});

test("a percentile that -c is too small for is a usage error that names the number", () => {
  const read = (...args: string[]) => ping.read(args);
  const refused: [args: string[], reason: string][] = [
    [
      ["-c", "99", "--fail-if", "p99>5ms"],
      'Cannot use --fail-if "p99>5ms": that takes 100 lines or more, and -c is 99',
    ],
    [["-c", "999", "--fail-if", "up.p99.9>5ms"], "that takes 1,000 lines or more, and -c is 999"],
    [["--fail-if", "connect.p50>5ms"], "that takes 2 connections: use --reconnect"],
    [["--lenient"], 'Cannot use option "--lenient": it needs --fail-if'],
  ];
  for (const [args, reason] of refused) assertThrows(() => read(...args), Error, reason);
  for (const args of [["-c", "100", "--fail-if", "p99>5ms", "--lenient"], ["--fail-if", "p99.9>5ms"]]) {
    read(...args);
  }
  read("-c", "2", "--reconnect", "--fail-if", "connect.p50>5ms");
});
