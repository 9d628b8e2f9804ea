/** The page of a comparison: its words and tables are those of the text, its charts show what the runs had. */
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { comparisonRecord } from "../report/compare_json.ts";
import { comparisonPage, SeriesPage } from "../report/compare_page.ts";
import { comparisonLines } from "../report/compare_text.ts";
import { readComparedRun } from "../report/compared_run.ts";
import { type ComparisonReport, comparisonReport } from "../report/comparison_report.ts";
import { JsonDocument } from "../report/json.ts";
import { LoadDocument } from "../report/load_json.ts";
import type { LoadStart } from "../report/load_record.ts";
import type { Layer, Page, Plot, Table } from "../report/page/model.ts";
import { type Start, VERSION } from "../report/record.ts";
import { parseChange } from "../stats/compared_metrics.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { RunStats } from "../stats/run_stats.ts";
import { test } from "./harness.ts";
import { answer, runOf, START, written } from "./load_helpers.ts";

const made = new Map<string, string>();

/** A run whose latencies have a level, made once: 98 of 100 lines take 200 µs times it, the others ten times as long. */
function loadRun(...of: Parameters<typeof makeLoadRun>): string {
  const key = JSON.stringify(of);
  const text = made.get(key) ?? makeLoadRun(...of);
  made.set(key, text);
  return text;
}

function makeLoadRun(level: number, seconds = 60, start: Partial<LoadStart> = {}, lag = 0): string {
  const run = runOf(seconds, (interval, place) => {
    const micros = 200 * level * (1 + Math.floor(place / 12) / 100);
    answer(interval, 980, micros);
    answer(interval, 20, 10 * micros);
    if (lag > 0) interval.sendLag.record(lag, 100);
    interval.planned++;
    interval.sent++;
    if (place === 0) interval.lost++;
    else answer(interval, 1, micros);
  });
  return written((sink) => new LoadDocument(sink), run, { ...START, ...start } as LoadStart);
}

function reportOf(before: string[], after: string[], conditions: string[] = []): ComparisonReport {
  const named = (side: string) => (text: string, place: number) => ({
    file: `${side}-${place + 1}`,
    run: readComparedRun(text),
  });
  return comparisonReport(
    before.map(named("before")),
    after.map(named("after")),
    conditions.map(parseChange),
  );
}

function pageOf(...args: Parameters<typeof reportOf>): { page: Page; report: ComparisonReport } {
  const report = reportOf(...args);
  return { page: comparisonPage(report, "tsecho 1"), report };
}

function tablesOf({ sections }: Page): Table[] {
  return sections.flatMap(({ parts }) => parts).flatMap((it) => it.kind === "table" ? [it.table] : []);
}

function plotOf({ sections }: Page, title: RegExp): Plot {
  const plots = sections.flatMap(({ parts }) => parts).flatMap((it) => it.kind === "plot" ? [it.plot] : []);
  const plot = plots.find((it) => title.test(it.title));
  assert(plot !== undefined, plots.map((it) => it.title).join());
  return plot;
}

function layer<Kind extends Layer["kind"]>(plot: Plot, name: string, kind: Kind): Layer & { kind: Kind } {
  const found = plot.layers.find((it) => it.name === name && it.kind === kind);
  assert(found !== undefined, plot.layers.map((it) => `${it.kind} ${it.name}`).join());
  return found as Layer & { kind: Kind };
}

test("a page's figures, words and notes are those of the text, and its JSON that of compare --json", {
  level: "heavy",
}, () => {
  const { page, report } = pageOf([loadRun(1)], [loadRun(1.5, 60, { endpoint: "tcp://other:7" })], [
    "p50>+10%",
  ]);
  const text = comparisonLines(report).join("\n").replaceAll(/ +/g, " ");
  const [table] = tablesOf(page);
  assertEquals(table!.rows.map(([name]) => name), ["p50", "p90", "p99", "p99.9", "received", "loss"]);
  for (const [name, word, ...figures] of table!.rows) {
    assertStringIncludes(text, `\n${[name, ...figures, word].join(" ")}\n`);
  }
  assertEquals(JSON.parse(page.document.json), JSON.parse(JSON.stringify(comparisonRecord(report))));
  assertEquals(page.title, "tsecho compare: before-1 and after-1");
  const facts = Object.fromEntries(page.facts.map(({ name, value }) => [name, value]));
  assertEquals(facts.Before, "before-1, tcp://web:21567, 60 s");
  assertEquals(facts.After, "after-1, tcp://other:7, 60 s");
  assertEquals(facts["Before began"], "2026-11-25 15:34:40 UTC");
  assertStringIncludes(text, `COMPARE ${facts.Compared}\n`);
  assertEquals(page.verdicts.map(({ topic, tone }) => `${topic} ${tone}`), [
    "Result bad",
    "Condition bad",
  ]);
  assertEquals(
    page.verdicts[0]!.text,
    "worse: p50, p90, p99, p99.9; no difference: received, loss",
  );
  for (const line of text.slice(text.lastIndexOf("\n\n") + 2).split("\n")) {
    assert(page.sections[0]!.parts.some((it) => it.kind === "text" && it.text === line), line);
  }
  assertEquals(tablesOf(page).length, 1);
});

test("the charts of two runs show the ratios with their intervals, and both runs over each other", {
  level: "heavy",
}, () => {
  const { page, report } = pageOf([loadRun(1)], [loadRun(1.5, 90)]);
  const { metrics } = report.comparison;
  const points = layer(plotOf(page, /^Each percentile/), "after", "points");
  assertEquals(points.x, [0.5, 0.9, 0.99, 0.999]);
  assertEquals(points.y, [metrics.p50, metrics.p90, metrics.p99, metrics.p99_9].map((it) => it.ratio));
  assertEquals(points.low![0], metrics.p50.interval![0]);
  assertEquals(points.high![3], metrics.p99_9.interval![1]);
  const curve = plotOf(page, /by percentile/);
  for (const [side, runs] of [["before", report.before], ["after", report.after]] as const) {
    const { x, y } = layer(curve, side, "line");
    assertEquals(x[0], 0);
    assertAlmostEquals(y[0]!, side === "before" ? 0.2 : 0.3, 0.001);
    for (const [quantile, metric] of [[0.9, "p90"], [0.99, "p99"], [0.999, "p99_9"]] as const) {
      const place = x.findIndex((it) => Math.abs(it - quantile) < 1e-9);
      const expected = runs[0]!.run.figures[metric].value! * 1000;
      assertAlmostEquals(y[place]!, expected, 0.002 * expected);
    }
  }
  const median = plotOf(page, /^Median over time/);
  const [before, after] = [layer(median, "before", "line"), layer(median, "after", "line")];
  assertEquals([before.x.length, before.x[0], before.x.at(-1)], [60, 0.5, 59.5]);
  assertEquals([after.x.length, after.x.at(-1)], [90, 89.5]);
  assertAlmostEquals(before.y[59]!, 0.2 * 1.04, 0.001);
  assertAlmostEquals(layer(plotOf(page, /^p99 over time/), "after", "line").y[0]!, 3, 0.01);
  assert(median.layers.every(({ kind }) => kind === "line"));
});

test("lines that come after the plan's end make no difference to the received rate, lost ones do", {
  level: "heavy",
}, () => {
  const run = (later: number, lost = 0) => {
    const made = runOf(40, (interval, place) => {
      answer(interval, place === 0 ? 200 - later - lost : 200, 1000 + 1000 * later);
      interval.planned = interval.sent = 200;
    });
    const tail = new LoadInterval();
    Object.assign(tail, { from: 40_000, to: 40_100, tail: true, lost });
    answer(tail, later, 1000 + 1000 * later);
    tail.planned = tail.sent = 0;
    made.stats.add(tail);
    return written((sink) => new LoadDocument(sink), made);
  };
  const { rate } = reportOf([run(1)], [run(9)]).comparison.metrics;
  assertEquals([rate.before, rate.after, rate.ratio], [200, 200, 1]);
  const many = (later: number) => Array(5).fill(run(later));
  assertEquals(reportOf(many(1), many(9)).comparison.metrics.rate.verdict, "no difference");
  assertEquals(reportOf([run(1)], [run(9, 40)]).comparison.metrics.rate.after, 199);
  const closed = readComparedRun(
    run(9).replaceAll('"open"', '"closed"').replaceAll('"response"', '"service"'),
  );
  assertEquals(closed.figures.rate.value, 199.775);
});

test(
  "what came after a plan's end is drawn where it was, a few lines no slower than those before are told alone",
  { level: "heavy" },
  () => {
    const { seconds, ...saved } = JSON.parse(loadRun(1));
    const medianOf = (count: number, max = 0.8) => {
      const tail = { ...seconds[0], from: 60, to: 60.9, response: { ...seconds[0].response, count, max } };
      const { page } = pageOf([JSON.stringify({ ...saved, seconds: [...seconds, tail] })], [loadRun(1)]);
      return plotOf(page, /^Median over time/);
    };
    assertEquals(layer(medianOf(145), "before", "line").x.slice(-2), [59.5, 60.45]);
    assertEquals(layer(medianOf(10, 0.0001), "before", "line").x.length, 60);
    assertEquals(layer(medianOf(10), "before", "line").x.length, 61);
    for (
      const [count, replies, took] of [[145, "145 replies", "the slowest"], [1, "1 reply", "it"]] as const
    ) {
      assertStringIncludes(
        medianOf(count).note!,
        ` Before: ${replies} came after the plan's end; ${took} had taken 800.000 ms.`,
      );
    }
  },
);

test(
  "the charts of several runs have their median, the band of all, and a point for each in the order of time",
  { level: "heavy" },
  () => {
    const levels = [1, 1.02, 1.1, 1.04, 1.06];
    const side = (factor: number, late: number) =>
      levels.map((level, place) => loadRun(factor * level, 10, { time: START.time + 60 * place + late }));
    const { page, report } = pageOf(side(1, 0), side(2, 30));
    const median = plotOf(page, /^Median over time/);
    assertAlmostEquals(layer(median, "before", "line").y[3]!, 0.2 * 1.04, 0.001);
    const band = layer(median, "after, all runs", "band");
    assertAlmostEquals(band.low[3]!, 0.4, 0.001);
    assertAlmostEquals(band.high[3]!, 0.44, 0.001);
    const runs = plotOf(page, /^p50 of each run/);
    assertEquals(layer(runs, "before", "points").x, [1, 3, 5, 7, 9]);
    assertEquals(layer(runs, "after", "points").x, [2, 4, 6, 8, 10]);
    const [, table] = tablesOf(page);
    assertEquals(table!.rows.map(([name, side]) => `${name} ${side}`).slice(4, 6), [
      "before-5 before",
      "after-1 after",
    ]);
    assertEquals(table!.rows[0]!.length, table!.columns.length);
    const text = comparisonLines(report).join("\n").replaceAll(/ +/g, " ");
    assertEquals(table!.rows.map(([, , order]) => order), [
      "1",
      "3",
      "5",
      "7",
      "9",
      "2",
      "4",
      "6",
      "8",
      "10",
    ]);
    assertEquals(layer(runs, "after", "points").names![0], "after-1");
    for (const [name, , , ...cells] of table!.rows) {
      assertStringIncludes(text, `\n${[name, ...cells.slice(0, -1)].join(" ")}`);
    }
  },
);

test("a page's words have their tone: a condition that is kept, what is better, and what is not judged", {
  level: "heavy",
}, () => {
  const { page } = pageOf([loadRun(1.5)], [loadRun(1)], ["p50>+10%", "p99>-33%"]);
  const told = page.verdicts.map(({ topic, tone, text }) => `${topic} ${tone}: ${text.split(":")[0]}`);
  assertEquals(told.slice(0, 3), [
    "Result good: better",
    "Condition good: p50>+10% does not hold",
    'Condition unsure: Cannot tell whether "p99>-33%" holds',
  ]);
  const untold = pageOf([loadRun(1, 10)], [loadRun(1, 10), loadRun(1, 10)]).page;
  assertEquals(untold.verdicts[0]!.tone, "unsure");
  assertStringIncludes(untold.verdicts[0]!.text, "not judged: p50, p90, p99, p99.9, received, loss");
});

test("a run whose percentile is not known is no point among the runs", { level: "heavy" }, () => {
  const few = written((sink) => new LoadDocument(sink), runOf(10, (interval) => answer(interval, 5, 300)));
  const { page } = pageOf([loadRun(1, 10), few], [loadRun(2, 10)]);
  assertEquals(layer(plotOf(page, /^p50 of each run/), "before", "points").y.length, 2);
  const { y } = layer(plotOf(page, /^p99 of each run/), "before", "points");
  assertEquals(y.length, 1);
  const overTime = plotOf(page, /^p99 over time/);
  assertStringIncludes(overTime.note!, "Left out for too few replies: before-2.");
  assert(
    !plotOf(pageOf([loadRun(1, 10)], [loadRun(2, 10)]).page, /^p99 over time/).note!.includes("Left out"),
  );
  assertAlmostEquals(Number(y[0]), 2, 0.01);
});

test("a page says what speaks against believing it", { level: "heavy" }, () => {
  const strained = () => loadRun(1, 10, {}, 5000);
  const few = pageOf([strained()], [loadRun(2, 10, { rate: 7 })]).page;
  const texts = (page: Page) => page.verdicts.map(({ text }) => text);
  assert(texts(few).some((it) => it.startsWith("generator strained in before-1: ")), texts(few).join("\n"));
  assert(
    texts(few).includes("did not measure the same thing: after-1: 7 lines/s instead of 1000"),
  );
  const many = pageOf(
    Array.from({ length: 5 }, strained),
    Array.from({ length: 5 }, () => loadRun(1, 10)),
  ).page;
  assert(
    texts(many).includes("the generator was strained or limited in 5 of 10 runs"),
    texts(many).join("\n"),
  );
  assertEquals(tablesOf(many)[1]!.rows.map((it) => it.at(-1)).slice(4, 6), ["strained", "ok"]);
});

test(
  "runs of ping have a page too, and what is not known is left out of the charts",
  { level: "heavy" },
  () => {
    const pingRun = (micros: number, replies: number) => {
      let text = "";
      const document = new JsonDocument({ write: (more) => text += more });
      const start = {
        ...{ type: "start", version: VERSION, time: 1_795_620_880, endpoint: "tcp://web:21567" },
        ...{
          interval: 1,
          pace: 1,
          size: 56,
          timeout: 5,
          clocks_synced: false,
          connect: null,
          handshake: null,
        },
      } as Start;
      document.start(start);
      const stats = new RunStats(false);
      for (let seq = 1; seq <= replies; seq++) {
        const event = { fate: "received", seq, at: seq, rtt: micros + seq } as const;
        document.event(event as unknown as Parameters<JsonDocument["event"]>[0]);
        stats.add(event as unknown as Parameters<RunStats["add"]>[0]);
      }
      document.end({ ended: null, summary: stats.summary(), rtt: stats.rtt, thresholds: [] });
      return text;
    };
    const { page } = pageOf([pingRun(1000, 40)], [pingRun(3000, 40)]);
    const median = layer(plotOf(page, /^Median over time/), "after", "line");
    assertEquals(median.y.length, 40);
    assertAlmostEquals(median.y[20]!, 3.02, 0.01);
    assertEquals(plotOf(page, /by percentile/).y.label, "round trip");
    assert(!JSON.stringify(page.sections).includes("p99 over time"));
    assertEquals(layer(plotOf(page, /^Each percentile/), "after", "points").x, [0.5, 0.9]);
    const none = pageOf([pingRun(1000, 40)], [pingRun(1, 0)]).page;
    assertEquals(none.sections.flatMap(({ parts }) => parts).filter(({ kind }) => kind === "plot"), []);
  },
);

test("a series has a page if each side has a run, and else none in the place of an older one", {
  level: "heavy",
}, () => {
  let html = "";
  const page = new SeriesPage({ write: (more) => html += more }, "tsecho 1");
  page.end({ ended: "after-1 was stopped, and is left out", report: null });
  assertEquals(html, "");
  page.end({ ended: null, report: reportOf([loadRun(1)], [loadRun(1.5)]) });
  assertStringIncludes(html, "worse: p50");
});

test("what losses leave no room for is a gap in the charts of a comparison, or the end of a curve", {
  level: "heavy",
}, () => {
  // Half of the lines of the seconds from 30 to 34 get no reply, which is known five seconds later.
  const lossy = written(
    (sink) => new LoadDocument(sink),
    runOf(40, (interval, place) => {
      const isLost = place >= 30 && place < 35;
      answer(interval, isLost ? 500 : 1000, isLost ? 10 : 1000);
      interval.planned = interval.sent = 1000;
      if (place >= 35) interval.lost = 500;
    }),
  );
  const sound = loadRun(1, 40);
  const gone = [30, 31, 32, 33, 34];
  for (
    const [runs, expected] of [[[lossy], gone], [[lossy, lossy, sound], gone], [
      [lossy, sound, sound],
      [],
    ]] as const
  ) {
    const { page } = pageOf([sound], [...runs]);
    const p99 = plotOf(page, /^p99 over time/);
    const { y } = layer(p99, "after", "line");
    assertEquals(y.flatMap((it, place) => it === null ? [place] : []), expected);
    assertStringIncludes(p99.note!, "or with too many lines that got no reply: it was above the time-out.");
    assert(p99.layers.every((it) => JSON.stringify(it).includes("Infinity") === false));
  }
  const { page } = pageOf([sound], [lossy]);
  const curve = plotOf(page, /by percentile/);
  const share = (side: string) => layer(curve, side, "line").x.at(-1)!;
  // 2,500 of 40,000 lines: above 93.75 % no percentile is known.
  assert(share("after") <= 0.9375 && share("after") > 0.93, `${share("after")}`);
  assert(share("before") > 0.9999 - 1e-3, `${share("before")}`);
  assertStringIncludes(curve.note!, "A line ends where lines that got no reply leave no room");
});
