/** A series of load's runs of two endpoints: their order, and what is saved and read back. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { comparisonRecord } from "../report/compare_json.ts";
import { comparisonLines } from "../report/compare_text.ts";
import { readComparedRun } from "../report/compared_run.ts";
import { comparisonReport } from "../report/comparison_report.ts";
import { LoadDocument } from "../report/load_json.ts";
import { readSeries } from "../report/saved_series.ts";
import { orderOf, SeriesDocument, seriesRun, type Side } from "../report/series_record.ts";
import { SeriesText } from "../report/series_text.ts";
import { test } from "./harness.ts";
import { answer, runOf, START, written } from "./load_helpers.ts";

const SERIES_START = { ...START, against: "tcp://other:7", repeat: 5 };

/** A run of 3 s, whose latencies have this level. */
function run(side: Side, name: string, level: number) {
  const { stats } = runOf(3, (interval) => answer(interval, 1000, 200 * level));
  const endpoint = side === "before" ? START.endpoint : SERIES_START.against;
  return seriesRun(side, name, { ...START, endpoint }, {
    ended: null,
    stats,
    summary: stats.summary(),
    thresholds: [],
  });
}

/** A series of five runs of each, of which those after are slower. */
function seriesOf(factor = 2) {
  const runs = orderOf(5).map(({ side, name }, place) =>
    run(side, name, (1 + place / 100) * (side === "after" ? factor : 1))
  );
  const [before, after] = (["before", "after"] as const).map((side) =>
    runs.filter((it) => it.side === side).map(({ file, run }) => ({ file, run }))
  );
  return { runs, report: comparisonReport(before!, after!, []) };
}

/** What is saved of it. */
function saved({ runs, report }: ReturnType<typeof seriesOf>, ended: string | null = null): string {
  let text = "";
  const document = new SeriesDocument({ write: (more) => text += more });
  document.start(SERIES_START);
  for (const it of runs) document.event(it);
  document.end({ ended, report });
  return text;
}

test("the runs of a series are in the order A B B A, as many of each side", () => {
  assertEquals(orderOf(4).map(({ name }) => name), [
    ...["before-1", "after-1", "after-2", "before-2", "before-3", "after-3", "after-4", "before-4"],
  ]);
  for (const repeat of [1, 2, 5, 8]) {
    const sides = orderOf(repeat).map(({ side }) => side);
    assertEquals(sides.filter((it) => it === "before").length, repeat);
    assertEquals(sides.length, 2 * repeat);
    // A steady drift meets both sides alike: the places of both have the same sum.
    const sum = (side: Side) => sides.reduce((all, it, place) => all + (it === side ? place : 0), 0);
    assertEquals(sum("after") - sum("before"), repeat % 2);
  }
});

test("a series that is read back has the comparison with which it was saved", { level: "heavy" }, () => {
  const series = seriesOf();
  const text = saved(series);
  const { before, after, ended } = readSeries(text)!;
  assertEquals(ended, null);
  const again = comparisonReport(before, after, []);
  assertEquals(again, series.report);
  const { runs, comparison, start } = JSON.parse(text);
  assertEquals(JSON.parse(JSON.stringify(comparisonRecord(again))), comparison);
  assertEquals([start.endpoint, start.against, start.repeat], ["tcp://web:21567", "tcp://other:7", 5]);
  assertEquals(comparison.metrics.p50.verdict, "worse");
  assertEquals(comparison.before[0].file, "before-1");
  assertEquals(
    runs.map((it: { start: { endpoint: string } }) => it.start.endpoint),
    orderOf(5).map(({ side }) => side === "before" ? "tcp://web:21567" : "tcp://other:7"),
  );
  // However its JSON is laid out.
  assertEquals(readSeries(JSON.stringify(JSON.parse(text), null, 2)), readSeries(text));
});

test("a run of a series is what load --json saves of it", () => {
  const made = runOf(3, (interval) => answer(interval, 1000, 200));
  const { stats } = made;
  const document = written((sink) => new LoadDocument(sink), made);
  const { record, run } = seriesRun("before", "before-1", START, {
    ended: null,
    stats,
    summary: stats.summary(),
    thresholds: [],
  });
  const { name, side, ...rest } = record;
  assertEquals([name, side], ["before-1", "before"]);
  assertEquals(rest, JSON.parse(document));
  assertEquals(run, readComparedRun(document));
});

test("a series that was killed is read up to its last whole run, and a reader says why one ended early", {
  level: "heavy",
}, () => {
  const text = saved(seriesOf());
  const lines = text.split("\n");
  const cut = [...lines.slice(0, 8), lines[8]!.slice(0, 300)].join("\n");
  const { before, after, ended } = readSeries(cut)!;
  assertEquals(before.map((it) => it.file), ["before-1", "before-2", "before-3"]);
  assertEquals(after.map((it) => it.file), ["after-1", "after-2", "after-3", "after-4"]);
  assertEquals(ended, "the end of the file is missing");
  const reason = "after-3 was stopped, and is left out";
  const stopped = readSeries(saved(seriesOf(), reason))!;
  assertEquals(stopped.ended, reason);
  const report = comparisonReport(stopped.before, stopped.after, [], [reason]);
  assert(comparisonLines(report).includes(reason));
  assertEquals((comparisonRecord(report) as { notes: string[] }).notes, [reason]);
});

test("a series is no run, a run is no series, and a series lacks no side", () => {
  const document = written((sink) => new LoadDocument(sink), runOf(3, (it) => answer(it, 1000, 200)));
  assertEquals(readSeries(document), undefined);
  assertEquals(readSeries("{}"), undefined);
  assertEquals(readSeries("null"), undefined);
  assertEquals(readSeries("no JSON"), undefined);
  const series = saved(seriesOf());
  for (const text of [series, series.slice(0, -200)]) {
    assertThrows(
      () => readComparedRun(text),
      Error,
      "it has the runs of load --against: compare reads it, without another file",
    );
  }
  const table: [text: string, message: string][] = [
    [series.split("\n").slice(0, 2).join("\n"), 'it has no whole run of the side "after"'],
    [series.split("\n")[0]! + "\n", 'it has no whole run of the side "before"'],
    ['{"runs":[{"side":"left"}]}', 'a run\'s side is unknown: "left"'],
    ['{"runs":[{"side":"before","name":"before-1"}]}', "it has no start"],
    ['{"runs":[7]}', "it is not of tsecho load"],
  ];
  for (const [text, message] of table) assertThrows(() => readSeries(text), Error, message);
});

test("the text of a series says which endpoint is before, has a line for each run, and the comparison", () => {
  const { runs, report } = seriesOf();
  const textOf = (rows: boolean) => {
    let text = "";
    const made = new SeriesText({ write: (more) => text += more }, rows);
    made.start(SERIES_START);
    for (const it of runs) made.event(it);
    made.end({ ended: null, report });
    return text.trimEnd().split("\n");
  };
  const lines = textOf(true);
  assertEquals(lines.slice(0, 2), [
    "LOAD tcp://web:21567 open loop, 1000 lines/s, 50 connections, 3 s, 56 bytes a line",
    "against tcp://other:7, 5 runs of each in turn, 40 s in all: before is tcp://web:21567, after is tcp://other:7",
  ]);
  assertEquals(lines.slice(2, 13).map((it) => it.split(" ")[0]), [
    ...["run", "before-1", "after-1", "after-2", "before-2", "before-3"],
    ...["after-3", "after-4", "before-4", "before-5", "after-5"],
  ]);
  assertEquals(
    lines[3],
    "before-1     0.200 ms     0.200 ms     0.200 ms     0.200 ms       1000/s           0%",
  );
  assertEquals(lines.slice(14), comparisonLines(report, false)); // the runs have been told
  let text = "";
  new SeriesText({ write: (more) => text += more }, true).start({
    ...SERIES_START,
    against: SERIES_START.endpoint,
  });
  assertStringIncludes(text, ": both are the same endpoint, so that what differs is noise\n");
  assertEquals(textOf(false).slice(3), comparisonLines(report));
});
