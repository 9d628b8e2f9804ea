/** What load writes: text, JSON, CSV, an HDR log and the block on a terminal. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
// deno-lint-ignore no-import-prefix
import readers from "npm:hdr-histogram-js@3.0.1/dist/HistogramLogReader.js";
import { LOAD_COLUMNS, LoadTable } from "../report/load_csv.ts";
import { HdrLog } from "../report/load_hdr.ts";
import { LoadDocument, loadStream } from "../report/load_json.ts";
import { LoadLive } from "../report/load_live.ts";
import { LoadText } from "../report/load_text.ts";
import { Distribution } from "../stats/distribution.ts";
import type { LoadFound, LoadTrial } from "../stats/load_trial.ts";
import { decodeHdr } from "./hdr_reader.ts";
import { test } from "./harness.ts";
import { answer, runOf, START, written } from "./load_helpers.ts";

const text = (...run: [ReturnType<typeof runOf>, typeof START?]) =>
  written((sink) => new LoadText(sink, { rows: true }), ...run);

/** 1,000 lines a second, most of them after 200 µs, a few later. */
const ordinary = (seconds: number) =>
  runOf(seconds, (interval, place) => {
    answer(interval, 980, 200 + place % 3);
    answer(interval, 20, 900 + place % 7);
  });

test("the text begins with what is measured, and judges the generator before the figures", () => {
  const lines = text(ordinary(3)).split("\n");
  assertEquals(lines.slice(0, 6), [
    "LOAD tcp://web:21567 open loop, 1000 lines/s, 50 connections, 3 s, 56 bytes a line",
    "",
    "--- tcp://web:21567 load statistics ---",
    "3000 lines planned, 3000 sent, 3000 received, time 3 s",
    "1000 lines/s planned, 1000 lines/s received",
    "generator ok: the figures are those of the path and the server",
  ]);
  assertEquals(lines.slice(6, 8), ["response, from planned moment to reply:", "  p50    0.201 ms"]);
  assertStringIncludes(
    lines.join("\n"),
    "95% intervals: none (they take a run of 30 s or more, and enough lines)",
  );
  const order = ["response,", "service ", "send lag ", "blocked ", "upstream ", "downstream "];
  const found = order.map((it) => lines.findIndex((line) => line.startsWith(it)));
  assertEquals(found, found.toSorted((a, b) => a - b));
  assert(found[0]! > 0);
});

test("a closed loop's latency is called what it is", () => {
  const run = runOf(2, (interval) => {
    answer(interval, 500, 300);
    interval.response.clear();
  }, { loop: "closed", cpu: () => 0.99 });
  const told = text(run, { ...START, loop: "closed", rate: null, depth: 1, count: 1000, duration: null });
  assertStringIncludes(
    told,
    "\nservice time, closed loop: excludes waiting caused by slow replies; use --rate to include it:\n",
  );
  assertMatch(told, /^LOAD \S+ closed loop, 50 connections, 1000 lines, 56 bytes a line$/m);
  assertMatch(
    told,
    /^generator limited: .*99\.0% of a core.*, so the server can do at least 500 lines\/s$/m,
  );
  assert(!told.includes("planned"), told);
});

test("a percentile for which too many lines never came is above the time-out, and says how many", () => {
  const run = runOf(3, (interval) => {
    answer(interval, 990, 200);
    interval.planned += 10;
    interval.sent += 10;
    interval.lost += 9;
    interval.errors.set("not connected", 1);
    interval.connectErrors.set("connection refused", 2);
  });
  const told = text(run);
  assertMatch(told, /^ {2}p90 +0\.200 ms$/m);
  assertMatch(told, /^ {2}p99\.9 +> 5 s {2}\(30 lines not answered in time\)$/m);
  assertMatch(told, /^ {2}max .* of received lines$/m);
  assertStringIncludes(told, "3000 lines planned, 3000 sent, 2970 received, 27 lost, 3 errors, time 3 s");
  assertStringIncludes(
    told,
    "\nerrors: 3 × not connected\nfailed connects: 6 × connection refused\n",
  );
  assertMatch(told, /^service p50\/p90\/p99 = [\d./]+ ms, p99\.9 > 5 s \(30 lines not answered in time\)$/m);
});

test("from 30 s on percentiles have 95% intervals, where batches have lines enough for them", () => {
  const told = text(ordinary(60));
  assertMatch(told, /^ {2}p50 +0\.201 ms {2}0\.\d{3} to 0\.\d{3} ms$/m);
  assertMatch(told, /^ {2}p99 +0\.9\d\d ms {2}0\.\d{3} to 0\.\d{3} ms$/m);
  assertMatch(told, /^ {2}with 95% intervals$/m);
  assertStringIncludes(told, "\nsteady: p99 shows no trend\n");
  const few = text(runOf(60, (interval, place) => answer(interval, 50, 200 + place % 5)));
  assertMatch(few, /^ {2}p99\.9 .*too short for an interval$/m);
  const rising = text(runOf(60, (interval, place) => answer(interval, 100, 200 + 10 * place + place % 3)));
  assertStringIncludes(rising, "\np99 rises: not a steady state\n");
  const falling = text(runOf(60, (interval, place) => answer(interval, 100, 900 - 10 * place + place % 3)));
  assertStringIncludes(falling, "\np99 falls: not a steady state; a longer --warmup?\n");
});

test("a direction's delay above its best is told from three lines on, as ping's is", () => {
  const told = (lines: number) => text(runOf(1, (interval) => answer(interval, lines, 200)));
  for (const lines of [1, 2]) assert(!told(lines).includes("above its best"), told(lines));
  assertMatch(told(3), /^upstream delay above its best p50 = 0\.020 ms$/m);
  assertMatch(told(3), /^downstream delay above its best /m);
});

test("several servers stand in a table, with their share of the connections", () => {
  const run = runOf(2, (interval) => {
    answer(interval, 750, 200, "web-1");
    answer(interval, 250, 900, "web-2\x1b[31m");
  }, { connections: () => new Map([["web-1", 30], ["web-2\x1b[31m", 20]]) });
  const told = text(run);
  assertMatch(told, /^server +connections +lines +upstream p50\/p99 +downstream p50\/p99, ms$/m);
  assertMatch(told, /^web-1 +30 \(60%\) +1500 \(75%\) +0\.020\/0\.020 +0\.040\/0\.040$/m);
  assertMatch(told, /^web-2\\x1b\[31m +20 \(40%\) +500 \(25%\)/m);
});

test("each trial of a search is a row, and what the search came to stands above the figures", () => {
  const trial = {
    ...{
      rate: 1000,
      purpose: "search",
      passed: true,
      cut_short: false,
      ...{ reasons: [] as string[], reason_codes: [] },
      value: 0.001,
    },
    ...{
      duration: 10,
      planned: 10_000,
      sent: 10_000,
      received: 9998,
      lost: 0,
      dropped: 0,
      p50: 0.0002,
      p99: 0.001,
    },
    generator: { verdict: "ok", reasons: [] },
  } as LoadTrial;
  const failed: LoadTrial = {
    ...{
      ...trial,
      rate: 2000,
      passed: false,
      cut_short: true,
      ...{ reasons: ["p99<5ms not kept"], reason_codes: ["not-kept"] },
      received: 0,
      p99: null,
    },
    generator: { verdict: "limited", reasons: ["it was late"] },
  };
  const late: LoadTrial = {
    ...{ ...failed, received: 1998, received_rate: 1998, p99: 0.109, cut_short: false },
    reasons: ["p99<5ms not kept", "this machine was late: p99 108.900 ms of send lag"],
    reason_codes: ["not-kept", "generator-late"],
    generator: { verdict: "strained", reasons: ["1% of its lines were more than 108.900 ms late"] },
  };
  const rows = (found: LoadFound, shown = true) => {
    let text = "";
    const report = new LoadText({ write: (more) => text += more }, { rows: shown });
    const { stats } = ordinary(3);
    report.start({ ...START, find: "p99<5ms" });
    for (const it of found.trials) report.event(it);
    report.end({ ended: null, stats, summary: stats.summary(), thresholds: [], found });
    return text.split("\n");
  };
  const confirmed: LoadTrial = { ...trial, purpose: "confirm", duration: 30 };
  const found: LoadFound = { outcome: "found", rate: 1000, trials: [trial, failed, confirmed] };
  assertEquals(rows(found).slice(0, 8), [
    "LOAD tcp://web:21567 search for the highest rate that keeps p99<5ms, 50 connections, 3 s, 56 bytes a line",
    "   lines/s  received     p50 ms     p99 ms",
    "      1000      1000      0.200      1.000  passed",
    "      2000         0      0.200          -  failed: p99<5ms not kept, cut short, generator limited",
    "      1000       333      0.200      1.000  passed, for 30 s",
    "highest rate that keeps p99<5ms: 1000 lines/s",
    "",
    "--- tcp://web:21567 load statistics ---",
  ]);
  assertEquals(
    rows({ outcome: "at least", rate: 1000, trials: [late] })[2],
    "      2000      1998      0.200    109.000  failed: p99<5ms not kept, " +
      "this machine was late: p99 108.900 ms of send lag",
  );
  const interrupted: LoadFound = {
    outcome: "interrupted",
    rate: null,
    trials: [{ ...trial, passed: false, reasons: ["it was interrupted"], reason_codes: ["interrupted"] }],
  };
  assertEquals(rows(interrupted)[2], "      1000      1000      0.200      1.000  interrupted");
  assertEquals(rows(found, false)[1], "highest rate that keeps p99<5ms: 1000 lines/s");
  const lines: [outcome: LoadFound["outcome"], rate: number | null, line: string][] = [
    ["at least", 500, "p99<5ms is kept up to at least 500 lines/s; beyond that this generator was the limit"],
    ["at least", null, "p99<5ms: cannot tell: this generator was at its limit"],
    ["none", null, "no rate keeps p99<5ms"],
    [
      "unconfirmed",
      500,
      "no rate keeps p99<5ms for longer than a trial; the highest that did for one: 500 lines/s",
    ],
    ["interrupted", 500, "search interrupted; 500 lines/s kept p99<5ms"],
    ["interrupted", null, "search interrupted; no rate has kept p99<5ms"],
  ];
  for (const [outcome, rate, line] of lines) assertEquals(rows({ outcome, rate, trials: [] })[1], line);
  const { end } = JSON.parse(written((sink) => new LoadDocument(sink), ordinary(1), START, { found }));
  assertEquals([end.found, end.trials], [{ outcome: "found", rate: 1000 }, [trial, failed, confirmed]]);
});

test("the JSON document has the seconds, and an end that is their sum", () => {
  const run = runOf(5, (interval, place) => {
    answer(interval, 100 + place, 200 + 50 * place, "web-1");
    interval.planned += 3;
    interval.dropped += 1;
    interval.unsent += 2;
    interval.inFlight = place;
  });
  const { start, seconds, end } = JSON.parse(written((sink) => new LoadDocument(sink), run));
  assertEquals(start, START);
  assertEquals(seconds.map(({ from, to, in_flight }: Record<string, number>) => [from, to, in_flight]), [
    [0, 1, 0],
    [1, 2, 1],
    [2, 3, 2],
    [3, 4, 3],
    [4, 5, 4],
  ]);
  const sum = (field: string) =>
    seconds.reduce((all: number, it: Record<string, number>) => all + it[field]!, 0);
  for (const field of ["planned", "sent", "received", "lost", "dropped", "unsent"]) {
    assertEquals(sum(field), end[field], field);
  }
  assertEquals([end.planned, end.received, end.dropped, end.unsent], [525, 510, 5, 10]);
  assertEquals([end.type, end.loop, end.generator.verdict, end.errors], ["end", "open", "ok", {}]);
  const all = seconds.map((it: { response: { histogram: string } }) => decodeHdr(it.response.histogram));
  assertEquals(all.map((it: { count: number }) => it.count), [100, 101, 102, 103, 104]);
  assertEquals(Object.keys(seconds[0].servers[0]), ["tag", "received", "up", "down"]);
  assertEquals(Object.keys(seconds[0].response), [
    ..."count min avg max mdev p50 p90 p95 p99 p99_9 histogram".split(" "),
  ]);
});

test("a JSON stream has an object a second, and none with -q", () => {
  for (
    const [seconds, types] of [[true, ["start", "interval", "interval", "end"]], [false, [
      "start",
      "end",
    ]]] as const
  ) {
    const lines = written((sink) => loadStream(sink, seconds), ordinary(2)).trimEnd().split("\n");
    assertEquals(lines.map((it) => JSON.parse(it).type), [...types]);
  }
});

test("the table has a row a second, of which unknown values are empty", () => {
  const run = runOf(2, (interval, place) => {
    if (place === 0) answer(interval, 100, 250);
  });
  const [header, first, second, rest] = written((sink) => new LoadTable(sink), run).split("\n");
  assertEquals(header, LOAD_COLUMNS.join(","));
  const cell = (row: string, name: string) => row.split(",")[LOAD_COLUMNS.indexOf(name)];
  const names = ["from", "to", "received", "response_p99", "response_p99_9", "response_max", "send_lag_avg"];
  assertEquals(names.map((it) => cell(first!, it)), ["0", "1", "100", "0.00025", "", "0.00025", "0.000003"]);
  assertEquals(names.map((it) => cell(second!, it)), ["1", "2", "0", "", "", "", ""]);
  assertEquals(rest, "");
});

test("HdrHistogram's own reader reads the log back, with equal counts and its values in nanoseconds", () => {
  const run = ordinary(3);
  const log = written((sink) => new HdrLog(sink), run);
  assertMatch(log, /^Tag=response,0\.000,1\.000,0\.900,HISTFAAA/m);
  const reader = new readers.default(log);
  const counts: Record<string, number> = {};
  let [longest, moments]: [number, number[]] = [0, []];
  for (let it; (it = reader.nextIntervalHistogram()) !== null;) {
    counts[it.tag] = (counts[it.tag] ?? 0) + it.totalCount;
    if (it.tag === "response") longest = Math.max(longest, it.maxValue);
    moments.push(it.startTimeStampMsec / 1000);
  }
  assertEquals(counts, { response: 3000, service: 3000, send_lag: 3000 });
  assert(Math.abs(longest - 902_000) <= 902, `${longest} ns`);
  assert(Math.abs(moments[0]! - START.time) < 0.001, `${moments[0]}`);
});

/** What a block shows of a run on a terminal so wide, without what moves the cursor. */
function block(columns: number, seconds = 4): string[] {
  const { intervals } = ordinary(seconds);
  let text = "";
  const live = new LoadLive({ write: (more) => text += more }, () => columns);
  live.start(START);
  for (const interval of intervals) live.interval(interval);
  live.show({ phase: "load", share: 0.5, text: "2 of 4 s", inFlight: 7 });
  // deno-lint-ignore no-control-regex
  return text.replaceAll(/\x1b\[\d*[A-K]|\r/g, "").split("\n");
}

test("the block on a terminal shows how a load goes, on lines that fit", { level: "heavy" }, () => {
  assertEquals(block(80), [
    `[${"█".repeat(12)}${" ".repeat(12)}]  2 of 4 s`,
    "planned 1000/s  received 1000/s  p50 0.200 ms  p99 0.903 ms",
    "in flight 7  errors 0  lost or dropped 0",
    "p99 ▁▃▆█",
  ]);
  for (const columns of [1, 5, 12, 30, 40]) {
    for (const line of block(columns, 100)) {
      assert([...line].length < Math.max(columns, 2), `${columns}: ${line}`);
    }
  }
  assertEquals(block(12)[0], "2 of 4 s");
  assertEquals(block(0)[0], block(80)[0]);
});

test("text goes above the block, which is cleared at the end", () => {
  let text = "";
  const live = new LoadLive({ write: (more) => text += more }, () => 80);
  const progress = { phase: "warm-up", share: 0, text: "0 of 4 s", inFlight: 0 } as const;
  live.show(progress);
  live.show(progress);
  live.write("a row\n");
  live.end();
  assert(text.startsWith("\r\x1b[K["), JSON.stringify(text));
  assertStringIncludes(text, "\r\x1b[1A\x1b[K["); // shown again from its first line on
  assert(text.endsWith("\r\x1b[1A\x1b[Ja row\n"), JSON.stringify(text.slice(-30)));
});

test("the block counts what came after the plan's end, and begins anew for another run", () => {
  let text = "";
  const live = new LoadLive({ write: (more) => text += more }, () => 80);
  const shown = () => {
    text = "";
    live.show({ phase: "waiting for replies", share: 1, text: "2 of 2 s", inFlight: 0 });
    return text;
  };
  live.start(START);
  const { intervals } = runOf(3, (interval, place) => {
    answer(interval, 100, 200 + place);
    interval.lost = 1;
    interval.dropped = 10;
    interval.errors.set("not connected", 100);
  });
  intervals[2]!.tail = true;
  for (const interval of intervals) live.interval(interval);
  const last = shown();
  assertStringIncludes(last, "]  2 of 2 s  waiting for replies\n");
  assertStringIncludes(last, "in flight 0  errors 300  lost or dropped 33\n");
  assertStringIncludes(last, "p99 ▁█"); // the rest is no second
  live.start(START);
  assert(shown().endsWith("errors 0  lost or dropped 0\x1b[J"), JSON.stringify(text)); // it has fewer lines now
});

test("the first line says what kind of load it is", () => {
  const closed = { ...START, loop: "closed", rate: null } as const;
  const table: [Partial<typeof START>, string][] = [
    [{ ...closed, depth: 1 }, "closed loop, 50 connections, 3 s, 56 bytes a line"],
    [
      { ...closed, depth: 32, connections: 1 },
      "closed loop, 1 connection, 32 lines in flight on each, 3 s, 56 bytes a line",
    ],
    [
      { ...closed, depth: 1, count: 5, duration: null },
      "closed loop, 50 connections, 5 lines, 56 bytes a line",
    ],
    [{ rate: 0.5 }, "open loop, 0.5 lines/s, 50 connections, 3 s, 56 bytes a line"],
    [
      { reconnect: true, threads: 2 },
      "open loop, 1000 lines/s, a connection for each line, 3 s, 56 bytes a line, 2 threads",
    ],
    [{ size: null, data: "f\n" }, "open loop, 1000 lines/s, 50 connections, 3 s, lines of f\\x0a"],
    [
      { rate: null, duration: null, stages: [{ duration: 1, rate: 5 }] },
      "open loop, 1 stage, 50 connections, 56 bytes a line",
    ],
  ];
  for (const [start, line] of table) {
    assertEquals(text(ordinary(1), { ...START, ...start }).split("\n")[0], `LOAD tcp://web:21567 ${line}`);
  }
});

test("where a clock may not have kept time, the delays are said to hold only if it did", () => {
  const offset = { value: 0.001, bound: 0.0005 };
  const delays = new Distribution();
  delays.record(250, 100);
  const told = (...servers: [tag: string | null, unsteady: "step" | "drift" | null][]) =>
    text(runOf(1, (it) => servers.forEach(([tag]) => answer(it, 100, 200, tag)), {
      directions: () =>
        servers.map(([tag, unsteady]) => ({ tag, up: delays, down: delays, offset, unsteady })),
    }));
  assertMatch(
    told([null, "step"]),
    /delay above its best .*\nthese delays hold only if no clock was stepped in the run\nclock offset \+1.000/,
  );
  assert(!told([null, null]).includes("only if"));
  const table = told(["a", null], ["b", "drift"]);
  assertMatch(table, /^a +0 +100 \(50%\) +0\.250\/0\.250 +0\.250\/0\.250$/m);
  assertMatch(table, /^b +0 +100 \(50%\) +0\.250\/0\.250 \? +0\.250\/0\.250 \?$/m);
  assertMatch(table, /^\? these hold only if no clock drifted by more than 500 ppm$/m);
});

test("where replies could not be told apart, the text says what follows, before it", () => {
  const told = (lost: number, ...tags: (string | null)[]) => {
    const run = runOf(1, (it) => {
      tags.forEach((tag) => answer(it, 100, 200, tag));
      it.sent += lost;
      it.lost += lost;
    }, { alike: true });
    return text(run).split("\n").find((it) => it.includes("told apart") || it.startsWith("generator"));
  };
  const why =
    "replies over UDP cannot be told apart, since lines come again too soon: their times may be wrong; " +
    "no upstream and downstream delay, no clock offset";
  assertEquals([told(0, null), told(0, "a", "b")], [why, why]);
  assertMatch(
    told(1, null)!,
    /^replies over UDP cannot be told apart, .*: their counts and times may be wrong; no /,
  );
  assert(!text(runOf(1, (it) => answer(it, 100, 200))).includes("told apart"));
});

test("where no line was answered there are no figures, and no verdict on the generator", () => {
  const run = runOf(1, (interval) => {
    interval.planned = interval.sent = interval.lost = 10;
    interval.connect.record(500, 2);
  });
  assertEquals(text(run).split("\n").slice(3, -1), [
    "10 lines planned, 10 sent, 0 received, 10 lost, time 1 s",
    "10 lines/s planned, 0 lines/s received",
    "no line was answered in time",
    "connect p50 = 0.500 ms",
  ]);
});
