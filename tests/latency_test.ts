/** The parts of the analysis, and how its results are told. */
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { InFlight } from "../probe/in_flight.ts";
import { toCsv } from "../report/csv.ts";
import { driftCell, withBound } from "../report/format.ts";
import { fitColumns } from "../report/footer.ts";
import { sparkline } from "../report/live.ts";
import { toRecord } from "../report/record.ts";
import { summaryLines } from "../report/summary.ts";
import { newStats, readRun } from "../report/transcript.ts";
import { Distribution } from "../stats/distribution.ts";
import type { ReplyEvent } from "../stats/events.ts";
import { RunStats } from "../stats/run_stats.ts";
import type { ServerSummary } from "../stats/summary.ts";
import { test } from "./harness.ts";
import { sentAt, simulate, within, type World } from "./simulation.ts";

const QUIET: World = {
  seed: 1,
  lines: 100,
  interval: 0.1,
  offset: 0,
  drift: 0,
  step: null,
  resolution: 1,
  up: { best: 200, queue: 0 },
  down: { best: 300, queue: 0 },
  loss: 0,
  duplicates: 0,
  late: 0,
};

function serverOf(world: Partial<World>): ServerSummary {
  return simulate({ ...QUIET, ...world }).run.summary().servers[0]!;
}

test("a drift is told with its sign, and how exactly it is known", () => {
  const { drift, breaks } = serverOf({ drift: -80 });
  assert(drift!.proven && within(drift!, -80) && drift!.bound < 80, JSON.stringify(drift));
  assertEquals(breaks, []);
  assertEquals(serverOf({ drift: 0 }).drift!.proven, false);
});

test("a drift beyond what clocks do is a drift, not a series of steps", () => {
  const { run, truth } = simulate({ ...QUIET, drift: 20_000, offset: 5e6 });
  const { drift, breaks, offset } = run.summary().servers[0]!;
  assert(within(drift!, 20_000), JSON.stringify(drift));
  assertEquals(breaks, []);
  assert(within(offset!, truth.offsetAt(truth.end!) / 1e6), JSON.stringify(offset));
});

test("the delays of each direction are those put in, and the direction that has them is named", () => {
  const only = serverOf({ down: { best: 300, queue: 40_000 }, lines: 1000, interval: 0.01 });
  assertEquals(only.carries, "down");
  assert(only.up!.max < 0.00002, JSON.stringify(only.up)); // the clocks' steps and lags alone
  // An exponential delay of 40 ms on average, on 70% of the lines: its p90 is 40 ms * ln(0.7 / 0.1).
  assert(Math.abs(only.down!.p90! - 0.0778) < 0.012, JSON.stringify(only.down));
  assertEquals(serverOf({ up: { best: 300, queue: 40_000 } }).carries, "up");
  const both = { best: 300, queue: 900 };
  assertEquals(serverOf({ up: both, down: both, lines: 1000 }).carries, null);
});

test("a drift is taken out of the delays of each direction", () => {
  const { up, down } = serverOf({ drift: 300, lines: 300, interval: 1 }); // 90 ms over the run
  assert(up!.max < 0.001 && down!.max < 0.001, JSON.stringify({ up, down }));
});

test("what a percentile needs is known, and a distribution is the sum of its parts", () => {
  const values = new Distribution();
  for (let i = 1; i <= 999; i++) values.record(i);
  assertEquals([50, 90, 99, 99.9].map((it) => values.hasPercentile(it)), [true, true, true, false]);
  values.record(1000);
  assert(values.hasPercentile(99.9));
  assertEquals([values.count, values.min, values.max], [1000, 1, 1000]);
  assert(Math.abs(values.avg - 500.5) < 1e-9);
  assert(Math.abs(values.mdev - 288.675) < 0.001); // as ping: the root of (n^2 - 1) / 12
  assert(Math.abs(values.percentile(99) - 990) <= 1);
  const both = new Distribution();
  both.add(values);
  both.add(values);
  assertEquals(both.count, 2000);
  assert(Math.abs(both.mdev - values.mdev) < 1e-9 && Math.abs(both.percentile(50) - 500) <= 1);
  assertEquals(sparkline([1, undefined, 8, 4.5]), "▁ █▅");
});

test("replies are told apart by their lines, and lines that are far behind are forgotten", () => {
  const inFlight = new InFlight(5000);
  for (let i = 0; i < 70_000; i++) {
    // A line whose place is taken while it waits is lost.
    assertEquals(inFlight.send(sentAt(i, i)), i < 65_536 ? undefined : i - 65_536 + 1);
  }
  assertEquals(inFlight.receive(1), "duplicate");
  assertEquals(inFlight.when(1), undefined);
  const fates = [70_000, 69_999, 69_999, 0, 70_001, NaN].map((seq) => inFlight.receive(seq));
  assertEquals(fates, ["received", "reordered", "duplicate", "corrupt", "corrupt", "corrupt"]);
  assertEquals(inFlight.oldest(), 70_000 - 65_536 + 1);
  inFlight.giveUp(inFlight.oldest()!);
  assertEquals(inFlight.receive(70_000 - 65_536 + 1), "late");
});

test("servers are told apart by their tags, but not more of them than memory should hold", () => {
  const run = new RunStats(false);
  for (let i = 1; i <= 1000; i++) {
    const offset = i % 2 * 1e6; // two servers without tags behind a balancer
    const [sent, received] = [i * 1e6, i * 1e6 + 400];
    const common = {
      fate: "received",
      seq: i,
      at: i,
      rtt: 400,
      sent,
      received,
      stamp: sent + 200 + offset,
    } as const;
    run.add({ ...common, format: "iso" });
    run.add({ ...common, format: "iso", tag: `tag-${i}` });
  }
  const { servers } = run.summary();
  assertEquals(servers.length, 33);
  assertStringIncludes(servers.find(({ tag }) => tag === "further tags")!.note!, "more than 32 tags");
  const untagged = servers.find(({ tag }) => tag === null)!;
  assertEquals([untagged.received, untagged.break_count, untagged.breaks.length], [1000, 999, 16]);
  assertStringIncludes(summaryLines(run.summary()).join("\n"), "so many changes look like several servers");
});

/** A run whose replies took so long in each direction, in µs, with stamps of a clock that is ahead. */
function runOf(
  delays: { up: number; down: number }[],
  { ahead = 0, synced = false, ...reply }: { ahead?: number; synced?: boolean } & Partial<ReplyEvent> = {},
): RunStats {
  const run = new RunStats(synced);
  delays.forEach(({ up, down }, i) => {
    const sent = (i + 1) * 1e6;
    const times = { sent, stamp: sent + up + ahead, received: sent + up + down, rtt: up + down };
    run.add({ fate: "received", seq: i + 1, at: i + 1, format: "iso", ...times, ...reply });
  });
  return run;
}

test("a server's own tag never stands for further tags", () => {
  const run = new RunStats(false);
  for (const tag of ["...", "(others)", "further"]) {
    run.add({ fate: "received", seq: 1, at: 1, rtt: 400, tag });
  }
  for (let i = 0; i < 40; i++) run.add({ fate: "received", seq: 2, at: 1, rtt: 400, tag: `tag-${i}` });
  const { servers } = run.summary();
  assert(servers.some(({ tag }) => tag === "..."));
  assertEquals(
    servers.filter(({ note }) => note?.startsWith("more than")).map(({ tag, received }) => [tag, received]),
    [
      ["further tags", 11],
    ],
  );
});

test("negative one-way delays have no percentiles, for a histogram cannot hold them", () => {
  const delays = Array.from({ length: 20 }, () => ({ up: 200, down: 300 }));
  const { up, down } = runOf(delays, { ahead: 5000, synced: true }).summary().servers[0]!.one_way!;
  assertEquals([up.p50, up.p90, down.min, down.p50, down.p90], [0.0052, 0.0052, -0.0047, null, null]);
});

test("stamps of several formats are told as such, in one note", () => {
  const run = runOf([{ up: 200, down: 300 }], { format: "none", stamp: undefined });
  for (const format of ["iso", undefined, "ctime"] as const) {
    const times = { rtt: 500, sent: 5e6, stamp: format && 5e6, received: 5e6 + 500 };
    run.add({ fate: "received", seq: 2, at: 5, format, ...times });
  }
  const [server] = run.summary().servers;
  assertEquals([server!.stamp, server!.up, server!.offset !== null], [null, null, true]);
  assertStringIncludes(server!.note!, "stamps of several formats");
});

test("a live line is cut between its parts, never within one", () => {
  const parts = ["▁█", "10/20", "offset +12.345 ms ± 0.206 ms"];
  const whole = parts.join("  ");
  assertEquals(fitColumns(parts, whole.length + 1), whole);
  assertEquals(fitColumns(parts, whole.length), "▁█  10/20");
  assertEquals([fitColumns(parts, 0), fitColumns(parts, 2)], [whole, ""]);
});

test("an estimate is shown with its bound, rounded so that it still holds", () => {
  assertEquals(withBound({ value: 0.0123454, bound: 0.0002061 }), "+12.345 ms ± 0.207 ms");
  assertEquals(withBound({ value: -0.0000001, bound: 0.00001 }), "+0.000 ms ± 0.011 ms");
  assertEquals(withBound({ value: 90.0000007, bound: 0.000001 }), "+90000.001 ms ± 0.002 ms");
  assertEquals(driftCell({ value: 7.242, bound: 39.128 }), "+7.2 ± 39.2 ppm");
  assertEquals(driftCell({ value: -0.04, bound: 0.01 }), "+0.0 ± 0.1 ppm");
});

test("a summary's text says what is proven, and what is not", () => {
  const text = (world: Partial<World>) =>
    summaryLines(simulate({ ...QUIET, ...world }).run.summary()).join("\n");
  assertMatch(text({ offset: 12_345 }), /^clock offset \+12\.\d{3} ms ± 0\.\d{3} ms, server ahead$/m);
  assertMatch(
    text({ drift: 100 }),
    /^clock drift \+\d+\.\d{3} ppm ± \d+\.\d{3} ppm: the server's clock gains/m,
  );
  const step = text({ step: { where: 0.5, size: 50 } });
  assertMatch(
    step,
    /^clock step \+\d+\.\d{3} ms ± \d+\.\d{3} ms at reply \d\d: the server's clock was stepped$/m,
  );
  assertMatch(text({ resolution: 1e6 }), /^the stamps are whole seconds of the server's local time: /m);
});

test("a run survives being written as JSON and read again", () => {
  const event: ReplyEvent = {
    fate: "received",
    seq: 7,
    at: 1.123456789,
    rtt: 143.207,
    sent: 1795405020123456,
    stamp: 1795405020123500,
    received: 1795405020123600,
    format: "iso",
    tag: 'a,"b"',
  };
  const record = toRecord(event);
  assertEquals([record.rtt, record.sent, record.stamp], [0.000143207, 1795405020.123456, 1795405020.1235]);
  const csv =
    '7,received,1.123456789,0.000143207,1795405020.123456,1795405020.1235,1795405020.1236,iso,"a,""b""",,,,,,,';
  assertEquals(toCsv(event), csv);
  const run = new RunStats(false);
  run.add(event);
  const read = readRun(
    `${JSON.stringify(START)}\n${JSON.stringify(record)}\n${JSON.stringify({ type: "end" })}`,
  );
  assertEquals(read.events, [event]);
  const again = newStats(read.start);
  read.events.forEach((it) => again.add(it));
  assertEquals(again.summary(), run.summary());
});

test("a run of version 1 is read in the terms of this one", () => {
  const times = { sent: 1795405020, stamp: 1795405020, received: 1795405025.1, format: "iso" };
  const lines = [
    { ...START, version: 1 },
    { ...RECORD, rtt: 5 },
    { ...RECORD, ...times, seq: 2, rtt: 5.000000001, connect: 0.001 }, // received, though its time-out had passed
    { ...RECORD, seq: 3, fate: "lost", rtt: undefined, reason: "the run has ended" },
    { ...RECORD, seq: 4, fate: "lost", rtt: undefined },
    { ...RECORD, seq: 4, fate: "late", rtt: 6 },
  ];
  const { start, events } = readRun(lines.map((it) => JSON.stringify(it)).join("\n"));
  assertEquals([start.version, events.map(({ seq, fate }) => `${seq} ${fate}`)], [
    2,
    ["1 received", "2 lost", "2 late", "3 pending", "4 lost", "4 late"],
  ]);
  const run = newStats(start);
  events.forEach((it) => run.add(it));
  const { sent, received, lost, late, pending, loss, connect } = run.summary();
  assertEquals([sent, received, lost, late, pending, loss, connect?.count], [4, 1, 2, 2, 1, 2 / 3, 1]);
  const version2 = lines.slice(1).map((it) => JSON.stringify(it)).join("\n");
  assertEquals(readRun(`${JSON.stringify(START)}\n${version2}`).events.length, 5); // as it stands
});

const START = {
  type: "start",
  version: 2,
  time: 1795405020,
  endpoint: "tcp://x:1",
  interval: 1,
  pace: null,
  size: 56,
  timeout: 5,
  clocks_synced: false,
  connect: null,
  handshake: null,
};
const RECORD = { type: "reply", seq: 1, fate: "received", at: 0.1, rtt: 0.0001 };

test("a run whose end is missing is read up to its last whole line", () => {
  const [start, reply] = [JSON.stringify(START), JSON.stringify(RECORD)];
  const document =
    `{"start":${start},"replies":[\n${reply},\n${reply}\n],"end":{"type":"end","ended":"gone"}}\n`;
  const stream = `${start}\n${reply}\n${reply}\n{"type":"end","ended":"gone"}\n`;
  for (const text of [document, stream]) {
    const whole = readRun(text);
    assertEquals([whole.events.length, whole.ended, whole.cut], [2, "gone", false]);
    const second = text.indexOf(reply, text.indexOf(reply) + 1);
    for (let length = second; length < text.length - 2; length++) {
      const { events, ended, cut } = readRun(text.slice(0, length));
      assertEquals([events.length, ended, cut], [length < second + reply.length ? 1 : 2, null, true]);
    }
  }
});

test("what a saved run must not hold is refused by name", () => {
  const text = (start: unknown, reply: unknown) =>
    `${JSON.stringify(start)}\n${JSON.stringify(reply)}\n{"type":"end"}`;
  for (
    const [field, value, reason] of [
      ["rtt", "x", `a reply's "rtt" is no number`],
      ["rtt", -1, `a reply's "rtt" is out of range`],
      ["at", 1e300, `a reply's "at" is out of range`],
      ["sent", null, `a reply's "sent" is no number`],
      ["tag", 5, `a reply's "tag" is no string`],
      ["seq", 1.5, "a reply has no seq"],
      ["stamp", 5, "a reply has a stamp and no format"],
      ["fate", "missed", "missed lines have no count"],
    ] as const
  ) {
    assertThrows(() => readRun(text(START, { ...RECORD, [field]: value })), Error, reason);
  }
  for (
    const [field, value, reason] of [
      ["connect", "x", `the start's "connect" is no number`],
      ["endpoint", 5, `the start's "endpoint" is no string`],
      ["clocks_synced", 1, `the start's "clocks_synced" is no boolean`],
    ] as const
  ) {
    assertThrows(() => readRun(text({ ...START, [field]: value }, RECORD)), Error, reason);
  }
  assertThrows(() => readRun(text(START, RECORD).replace("0.0001", "1e999")), Error, "out of range");
  for (
    const junk of ["null", "5", "[]", "[null]", '{"start":5}', '{"start":{"type":"start"},"replies":[5]}']
  ) {
    assertThrows(() => readRun(junk), Error, "of tsecho ping");
  }
});
