/** A load's figures from its intervals: sums, percentiles with what they leave unknown, verdicts, conditions. */
import { deflateSync, inflateSync } from "node:zlib";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { rateLine } from "../report/load_figures.ts";
import { verdictLine } from "../report/text.ts";
import { linesOfBatch } from "../stats/batches.ts";
import { Distribution } from "../stats/distribution.ts";
import { encodeHdr } from "../stats/hdr.ts";
import { decodeHdr as decodeSavedHdr } from "../stats/hdr_decoder.ts";
import { decodeHdr } from "./hdr_reader.ts";
import { LOAD_DURATIONS, LoadInterval } from "../stats/load_interval.ts";
import { LOAD_COUNTS } from "../stats/metrics.ts";
import { judgeLoad } from "../stats/load_measure.ts";
import { type LoadContext, LoadStats } from "../stats/load_stats.ts";
import { LOAD_METRICS } from "../stats/metrics.ts";
import { parseThresholdOf } from "../stats/threshold.ts";
import { test, volume } from "./harness.ts";
import { exponential, seeded } from "./paths.ts";

const random = seeded(1);

/** What {@linkcode statsOf} makes a second of. Durations in µs. */
interface Second {
  planned?: number;
  lost?: number;
  dropped?: number;
  unsent?: number;
  unsentLate?: number;
  errors?: number;
  corrupt?: number;
  pending?: number;
  response?: (line: number) => number;
  lag?: (line: number) => number;
}

function intervalOf(from: number, second: Second): LoadInterval {
  const { planned = 100, lost = 0, dropped = 0, unsent = 0, errors = 0, corrupt = 0, pending = 0 } = second;
  const { response = () => 1000, lag = () => 1, unsentLate = 0 } = second;
  const interval = new LoadInterval();
  const sent = planned - dropped - unsent;
  const received = sent - lost - errors - corrupt - pending;
  Object.assign(interval, {
    from,
    to: from + 1000,
    planned,
    sent,
    received,
    lost,
    dropped,
    unsent,
    unsentLate,
    corrupt,
    pending,
  });
  if (errors > 0) interval.errors.set("connection reset", errors);
  for (let line = 0; line < sent; line++) {
    interval.sendLag.record(lag(line));
    interval.blocked.record(0);
    if (line >= received) continue;
    interval.response.record(response(line));
    interval.service.record(response(line) - lag(line));
  }
  return interval;
}

function statsOf(seconds: number, second: (index: number) => Second, context: Partial<LoadContext> = {}) {
  const stats = new LoadStats({ loop: "open", timeout: 5000, stages: false, ...context });
  for (let i = 0; i < seconds; i++) stats.add(intervalOf(i * 1000, second(i)));
  return stats;
}

function verdictOf(text: string, stats: LoadStats) {
  return judgeLoad(parseThresholdOf(LOAD_METRICS, text), stats);
}

function assertSame(one: LoadInterval, other: LoadInterval): void {
  for (
    const name of [
      ...LOAD_COUNTS,
      "unsentLate",
      "expiredInStall",
      "from",
      "to",
      "tail",
      "sampled",
      "inFlight",
      "errors",
      "connectErrors",
    ] as const
  ) {
    assertEquals(one[name], other[name], name);
  }
  const distributions = (it: LoadInterval) => [
    ...LOAD_DURATIONS.map((name) => it[name]),
    ...[...it.servers.values()].flatMap(({ up, down }) => [up, down]),
  ];
  assertEquals([...one.servers.keys()], [...other.servers.keys()]);
  distributions(one).forEach((it, i) => {
    const same = distributions(other)[i]!;
    assertEquals([it.count, it.min, it.max], [same.count, same.min, same.max]);
    assertEquals([...it.values()], [...same.values()]);
    if (it.count > 0) {
      assert(Math.abs(it.avg - same.avg) < 1e-9 * it.max && Math.abs(it.mdev - same.mdev) < 1e-6 * it.max);
      assertEquals(it.percentile(99), same.percentile(99));
    }
  });
}

function randomInterval(from: number): LoadInterval {
  const interval = new LoadInterval();
  const some = () => Math.floor(random() * 1000);
  for (const name of LOAD_COUNTS) interval[name] = some();
  interval.unsentLate = some();
  interval.expiredInStall = some();
  Object.assign(interval, { from, to: from + 1000, sampled: some() % 2 > 0, inFlight: some() });
  interval.errors.set("not connected", some());
  interval.connectErrors.set(`refused ${some()}`, 1);
  for (const name of LOAD_DURATIONS) {
    const [lines, mean] = [some(), 10 ** (6 * random())];
    for (let i = 0; i < lines; i++) interval[name].record(exponential(random, mean), 1 + i % 3);
  }
  for (const tag of ["a", null]) {
    const server = interval.server(tag);
    server.received = some();
    for (let i = 0; i < server.received; i++) server.up.record(exponential(random, 50));
  }
  return interval;
}

test("an interval comes out of another thread as it went in, and can be added to from there on", {
  level: "heavy",
}, () => {
  const intervals = Array.from({ length: 6 }, (_, i) => randomInterval(i * 1000));
  const [direct, encoded] = [new LoadInterval(), new LoadInterval()];
  for (const interval of intervals) {
    const copy = LoadInterval.decode(structuredClone(interval.encode()));
    assertSame(copy, interval);
    direct.extend(interval);
    encoded.extend(copy);
  }
  assertSame(encoded, direct);
  assertEquals([direct.to, direct.inFlight], [6000, intervals.at(-1)!.inFlight]);
  // The library's own figures hold too, which its formats are written by.
  assertEquals(direct.service.histogram.totalCount, direct.service.count);
  assert(direct.service.histogram.maxValue >= 9.99 * direct.service.max - 1);
  assertEquals(direct.sent, intervals.reduce((sum, it) => sum + it.sent, 0));
  const [one, other] = [randomInterval(0), randomInterval(0)];
  const inFlight = one.inFlight + other.inFlight;
  one.add(other);
  assertEquals([one.inFlight, one.to], [inFlight, 1000]);
});

test(
  "a small text that unfolds to hundreds of megabytes is refused as a histogram",
  { level: "heavy" },
  () => {
    const bytes = Uint8Array.fromBase64(encodeHdr(new Distribution()));
    const data = deflateSync(new Uint8Array(300 * 1024 ** 2));
    const bomb = new Uint8Array(8 + data.length);
    bomb.set(bytes.subarray(0, 4));
    new DataView(bomb.buffer).setInt32(4, data.length);
    bomb.set(data, 8);
    assertThrows(() => decodeSavedHdr(bomb.toBase64()), RangeError);
    assertThrows(() => decodeSavedHdr(new Uint8Array(20).toBase64()), Error, "no compressed histogram");
  },
);

test("a distribution goes through HDR's format with equal counts and percentiles, in nanoseconds", () => {
  const values = new Distribution();
  for (let i = 0; i < 50_000; i++) values.record(exponential(random, 10 ** (i % 7)));
  const read = decodeHdr(encodeHdr(values));
  assertEquals(read.count, values.count);
  for (const percent of [1, 50, 90, 99, 99.9]) {
    const [one, other] = [read.percentile(percent), values.percentile(percent)];
    assert(Math.abs(one - other) <= 0.1 + other / 1000, `p${percent}: ${one} for ${other}`);
  }
  assertEquals(decodeHdr(encodeHdr(new Distribution())).count, 0);
});

test("the header of HDR's format has no index offset, and a ratio of 1: libraries for C and Rust rely on it", () => {
  for (const micros of [[], [0], [0.1, 7, 250_000, 3.6e9]]) {
    const values = new Distribution();
    for (const it of micros) values.record(it);
    const whole = Uint8Array.fromBase64(encodeHdr(values));
    const outer = new DataView(whole.buffer);
    assertEquals([outer.getUint32(0), outer.getInt32(4)], [0x1c849314, whole.length - 8]);
    const inner = new Uint8Array(inflateSync(whole.subarray(8)));
    const header = new DataView(inner.buffer);
    assertEquals([0, 4, 8, 12].map((at) => header.getInt32(at)), [0x1c849313, inner.length - 40, 0, 3]);
    assertEquals([header.getBigInt64(16), header.getFloat64(32)], [1n, 1]);
    assert(Number(header.getBigInt64(24)) >= 999 * Math.max(0, values.max));
  }
});

test("a percentile that lost lines leave no room for is beyond the time-out, and above every limit", {
  level: "heavy",
}, () => {
  for (
    const [second, beyond] of [
      [{ lost: 10 }, []],
      [{ lost: 11 }, ["p99"]],
      [{ dropped: 11 }, ["p99"]],
      [{ errors: 11 }, ["p99"]],
      [{ corrupt: 11 }, ["p99"]],
      [{ lost: 4, dropped: 4, errors: 2, unsent: 1 }, ["p99"]],
      [{ lost: 51 }, ["p95", "p99"]],
      [{ lost: 100 }, ["p95", "p99"]],
      [{ lost: 501 }, ["p50", "p90", "p95", "p99"]],
    ] as [Second, string[]][]
  ) {
    const stats = statsOf(10, () => ({ planned: 1000, ...second }));
    const { response } = stats.summary();
    const never = 10 * Object.values(second).reduce((sum, it) => sum + (it as number), 0);
    const more = never > 10 ? ["p99_9"] : [];
    assertEquals([response!.beyond, response!.never], [[...beyond, ...more], never] as const as never);
    for (const name of ["p50", "p90", "p95", "p99"] as const) {
      assertEquals(response![name] === null, beyond.includes(name), name);
      for (const condition of [`${name}>1h`, `response.${name}>=1h`]) {
        assertEquals(verdictOf(condition, stats).broken, beyond.includes(name), condition);
      }
      const below = verdictOf(`${name}<1h`, stats);
      assertEquals(below.verdict, beyond.includes(name) ? "kept" : "broken");
    }
  }
  const dropped = statsOf(10, () => ({ planned: 1000, dropped: 100 })).summary();
  assertEquals(dropped.service!.beyond, []); // what was not sent has no service time
  const nothing = statsOf(3, () => ({ lost: 100 }));
  assertEquals([nothing.summary().response, verdictOf("p50>5ms", nothing).broken], [null, true]);
  assertEquals(
    verdictLine(verdictOf("p50>5ms", nothing), LOAD_METRICS),
    "Threshold broken: p50>5ms: it is at least 5000.000 ms: 300 of 300 lines were not answered in time",
  );
});

test("a percentile is not known if lines that were broken off might have made the difference", () => {
  for (
    const [second, known] of [[{ pending: 10 }, true], [{ pending: 11 }, false], [
      { lost: 4, pending: 7 },
      false,
    ]] as const
  ) {
    const stats = statsOf(1, () => ({ planned: 1000, ...second }));
    const { response, service } = stats.summary();
    for (const values of [response!, service!]) {
      assertEquals([values.p90 !== null, values.p99 !== null, values.beyond.includes("p99")], [
        true,
        known,
        false,
      ]);
    }
    assertEquals(verdictOf("p99>1h", stats).verdict, known ? "kept" : "cannot tell");
    assertEquals(verdictOf("p99<1h", stats).verdict, known ? "broken" : "cannot tell");
  }
});

test("lines that never came are above the maximum too, and those broken off may be", () => {
  for (
    const [second, verdict] of [[{}, "kept"], [{ lost: 1 }, "broken"], [
      { pending: 1 },
      "cannot tell",
    ]] as const
  ) {
    assertEquals(verdictOf("max>1h", statsOf(1, () => second)).verdict, verdict);
  }
});

test("conditions are judged on the counts, and on response in an open loop, service in a closed one", () => {
  const second: Second = { planned: 1000, lost: 3, errors: 2, response: () => 9000, lag: () => 2000 };
  const open = statsOf(5, () => second);
  open.total.connectErrors.set("refused", 4);
  const closed = statsOf(5, () => second, { loop: "closed" });
  for (
    const [condition, inOpen, inClosed] of [
      ["p90>8ms", true, false],
      ["avg>=9ms", true, false],
      ["service.p50>8ms", false, false],
      ["send_lag.p50>=2ms", true, true],
      ["planned<=5000", true, true],
      ["received<4976", true, true],
      ["lost>14", true, true],
      ["errors>9", true, true],
      ["connect_errors>3", true, false],
      ["loss>=.5%", true, true],
      ["loss>.5%", false, false],
      ["rate<995.1", true, true],
      ["rate<995", false, false],
      ["dropped>0", false, false],
    ] as [string, boolean, boolean][]
  ) {
    assertEquals(verdictOf(condition, open).broken, inOpen, `${condition} in an open loop`);
    assertEquals(verdictOf(condition, closed).broken, inClosed, `${condition} in a closed loop`);
  }
  assertEquals(verdictOf("p99.99>1s", open).verdict, "broken"); // lost lines are beyond it
  assertEquals(verdictOf("send_lag.p99.99>1s", open).verdict, "cannot tell");
  assertEquals(verdictOf("up.p99>1s", open).verdict, "cannot tell");
  const { response, send_lag, blocked, loop } = closed.summary();
  assertEquals([response, send_lag, blocked, loop], [null, null, null, "closed"]);
});

test(
  "percentiles have intervals from 30 s on, if each fifth of the run has lines enough",
  { level: "heavy" },
  () => {
    assertEquals([50, 90, 95, 99, 99.9].map(linesOfBatch), [6, 36, 72, 368, 3688]);
    const noisy = (rate: number): Second => ({ planned: rate, response: () => exponential(random, 1000) });
    const intervals = (seconds: number, rate: number) =>
      Object.entries(statsOf(seconds, () => noisy(rate)).summary().response!.intervals)
        .filter(([, it]) => it !== null).map(([name]) => name);
    assertEquals(intervals(29, 1000), []);
    assertEquals(intervals(30, 61), ["p50", "p90", "p95"]); // 366 lines a batch
    assertEquals(intervals(30, 62), ["p50", "p90", "p95", "p99"]);
    assertEquals(intervals(40, 461), ["p50", "p90", "p95", "p99", "p99_9"]);
    const { p99, intervals: all } = statsOf(60, () => noisy(1000)).summary().response!;
    const [lower, upper] = all.p99!;
    assert(
      lower < p99! && p99! < upper && upper / lower < 1.3 && upper / lower > 1.005,
      `${lower} to ${upper}`,
    );
  },
);

test("the generator is judged by how late its lines were, or by the processor it used", () => {
  const cases: [verdict: string, second: Second, reason?: string][] = [
    ["ok", {}],
    ["ok", { lag: () => 900, response: () => 1e5 }],
    ["ok", { lag: (line) => line < 2 ? 190 : 1 }],
    [
      "strained",
      { lag: (line) => line < 2 ? 210 : 1 },
      "1% of its lines were more than 0.210 ms late, 21.0%",
    ],
    ["strained", { lag: (line) => line < 2 ? 1100 : 1, response: () => 1e5 }, "more than 1.100 ms late"],
    ["limited", { lag: (line) => line < 51 ? 1100 : 1 }, "half of its lines were more than 1.100 ms late"],
    [
      "limited",
      { unsent: 1, dropped: 1, unsentLate: 2 },
      "it sent 98.0% of the planned lines, and was late with",
    ],
    ["limited", { dropped: 100, unsentLate: 100 }, "it sent 0.0% of the planned lines"],
    [
      "strained",
      { lag: (line) => line < 40 ? 12_000 : 1, unsent: 1, unsentLate: 1 },
      "more than 12.000 ms late",
    ],
    // It was on time with most: the path took no more.
    [
      "strained",
      { lag: (line) => line < 2 ? 3000 : 1, unsent: 30, unsentLate: 9 },
      "more than 3.000 ms late",
    ],
    ["ok", { dropped: 50 }],
    // Eight lines in all have no p99.
    [
      "strained",
      { planned: 8, lag: (line) => line < 1 ? 6685 : 1, response: () => 1e5 },
      "its latest line was 6.685 ms late",
    ],
    [
      "strained",
      { planned: 8, lag: (line) => line < 1 ? 210 : 1 },
      "its latest line was 0.210 ms late, 21.0% of the longest response",
    ],
  ];
  for (const [verdict, second, reason = ""] of cases) {
    const { generator } = statsOf(10, () => second).summary();
    assertEquals(generator.verdict, verdict, JSON.stringify(generator));
    assert(generator.reasons.join().includes(reason), generator.reasons.join());
    assertEquals(generator.reasons.length > 0, verdict !== "ok");
  }
  const single = statsOf(1, () => ({ planned: 1, lag: () => 2487 })).summary().generator;
  assertEquals([single.verdict, single.reasons], ["strained", ["its only line was 2.487 ms late"]]);
  for (const [cpu, verdict] of [[0.79, "ok"], [0.8, "strained"], [0.95, "limited"]] as const) {
    assertEquals(statsOf(1, () => ({}), { loop: "closed", cpu: () => cpu }).generator().verdict, verdict);
  }
});

test("a run is steady, or its 99th percentile rises or falls, or it is too short or too changeable to tell", {
  level: "heavy",
}, () => {
  const rising = (index: number): Second => ({ response: () => 1000 * (1 + index / 30) });
  const level = (...run: Parameters<typeof statsOf>) => {
    const { steady, trend } = statsOf(...run).summary();
    return [steady, trend];
  };
  assertEquals(level(30, rising), [false, "rises"]);
  assertEquals(level(30, () => ({})), [true, null]);
  assertEquals(level(30, (index) => rising(30 - index)), [false, "falls"]);
  assertEquals(level(30, (index) => rising(index / 6)), [true, null]); // by 17%
  assertEquals(level(29, rising), [null, null]);
  assertEquals(level(30, (index) => ({ ...rising(index), planned: 33 })), [null, null]);
  assertEquals(level(30, rising, { stages: true }), [null, null]);
});

test("replies that come after the plan's end are in no rate, neither of the summary, nor of its text, nor of a condition", () => {
  const stats = statsOf(2, () => ({ planned: 1000, response: () => 1000 }));
  const before = stats.summary().rate.received;
  const tail = intervalOf(2000, { planned: 0 });
  stats.add(Object.assign(tail, { tail: true, to: 2123, received: 500 }));
  const summary = stats.summary();
  assertEquals([summary.rate.received, before], [1000, 1000]);
  assertEquals(
    rateLine(summary, stats.receivedLater),
    "1000 lines/s planned, 1000 lines/s received in the time of the plan, and 500 lines after its end",
  );
  assert(verdictOf("rate<=1000", stats).broken && !verdictOf("rate>1000", stats).broken);
});

test("the seconds of a long run are merged by twos, and nothing is lost of them", { level: "sized" }, () => {
  const runs = [[601, 2, 301], [600, 1, 600], [1201, 4, 301], [5000, 16, 313]] as const;
  for (const [seconds, width, entries] of runs.slice(0, volume(1, 4))) {
    const stats = statsOf(seconds, (index) => ({ planned: 1 + index % 3, response: () => 1000 + index }));
    const tail = intervalOf(seconds * 1000, { planned: 0 });
    Object.assign(tail, { tail: true, to: seconds * 1000 + 123, received: 7, lost: 3 });
    stats.add(tail);
    const all = [...stats.seconds()];
    assertEquals(all.length, seconds === 600 ? 301 : entries + 1);
    assertEquals(all[0]!.to, seconds === 600 ? 2000 : width * 1000);
    all.forEach((it, i) => assertEquals(it.from, all[i - 1]?.to ?? 0));
    for (const name of LOAD_COUNTS) {
      assertEquals(all.reduce((sum, it) => sum + it[name], 0), stats.total[name]);
    }
    const merged = new Distribution();
    for (const { response } of all) merged.add(response);
    const { response } = stats.total;
    assertEquals([...merged.values()], [...response.values()]);
    assert(Math.abs(merged.avg - response.avg) < 1e-6 && Math.abs(merged.mdev - response.mdev) < 1e-6);
    const { duration, rate } = stats.summary();
    assertEquals([duration, rate.planned], [
      seconds,
      Math.round(stats.total.planned / seconds * 1000) / 1000,
    ]);
    assertEquals(rate.received, rate.sent); // what came after the end is not of the rate
  }
});

test("from where replies could not be told apart, the stamps tell nothing of the run", () => {
  const stats = new LoadStats({ loop: "open", timeout: 5000, stages: false });
  const seconds = [0, 1000, 2000].map((from) => intervalOf(from, {}));
  for (const [place, second] of seconds.entries()) {
    const server = second.server("web-1");
    server.received = 100;
    server.up.record(300, 100);
    server.down.record(200, 100);
    second.alike = place > 0;
    stats.add(second);
  }
  const { alike, servers } = stats.summary();
  assertEquals(alike, true);
  assertEquals(servers.map(({ tag, received, up, down, offset }) => [tag, received, up, down, offset]), [
    ["web-1", 300, null, null, null],
  ]);
  assertEquals(seconds.map((it) => it.server("web-1").up.count), [100, 0, 0]);
});

test("a condition on replies that may be mixed up cannot be told", () => {
  const of = (alike: boolean, lost: number, duplicates = 0) => {
    const stats = statsOf(2, () => ({ lost }), { alike });
    stats.total.duplicates = duplicates;
    const conditions = [
      "p50>1s",
      "response.avg>1s",
      "service.max>1s",
      "loss>50%",
      "late>9",
      "rate<1",
      "sent<1",
    ];
    return [...conditions, "send_lag.p50>1s"].map((it) => verdictOf(it, stats).verdict);
  };
  const [kept, broken, unknown] = ["kept", "broken", "cannot tell"] as const;
  assertEquals(of(true, 0), [unknown, unknown, unknown, kept, kept, kept, kept, kept]);
  assertEquals(of(false, 1, 1), [kept, kept, broken, kept, kept, kept, kept, kept]);
  for (const [lost, duplicates] of [[0, 1], [5, 0]] as const) {
    assertEquals(of(true, lost, duplicates), [...Array(6).fill(unknown), kept, kept]);
  }
});
