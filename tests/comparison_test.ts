/** Saved runs read, compared and told: words, intervals, conditions, and what runs must have in common. */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { comparisonRecord } from "../report/compare_json.ts";
import { changes } from "../report/compare_page/plots.ts";
import { comparisonLines } from "../report/compare_text.ts";
import { readComparedRun } from "../report/compared_run.ts";
import { type ComparisonReport, comparisonReport } from "../report/comparison_report.ts";
import type { PingExporter, Sink } from "../report/exporter.ts";
import { JsonDocument, jsonStreamOf } from "../report/json.ts";
import { LoadDocument, loadStream } from "../report/load_json.ts";
import type { LoadStart } from "../report/load_record.ts";
import { VERSION } from "../report/record.ts";
import { COMPARED, parseChange } from "../stats/compared_metrics.ts";
import { compareRuns, type Figures } from "../stats/comparison.ts";
import type { ProbeEvent } from "../stats/events.ts";
import { RunStats } from "../stats/run_stats.ts";
import { type Options, test } from "./harness.ts";
import { answer, type Fill, runOf, START, written } from "./load_helpers.ts";
import { inlineCode, readMarkdown, section } from "./markdown.ts";

const READ: Options = { needs: ["--allow-read"] };

const made = new Map<string, string>();

/** A load's document, made once for all tests: `level` is of its latencies, `lost` of the lines of a second. */
function saved(of: Parameters<typeof makeSaved>[0] = {}): string {
  const key = JSON.stringify([of, String(of.lost)]);
  const text = made.get(key) ?? makeSaved(of);
  made.set(key, text);
  return text;
}

function makeSaved({
  seconds = 60,
  level = 1,
  lost = (_: number): number => 0,
  start = {},
  ended = null as string | null,
} = {}): string {
  const fill: Fill = (interval, place) => {
    const micros = 200 * level * (1 + 0.01 * (Math.floor(place / 12) * 7 % 5));
    const gone = lost(place);
    answer(interval, 980 - gone, micros);
    answer(interval, 18, 4 * micros);
    answer(interval, 2, 20 * micros);
    interval.planned += gone;
    interval.sent += gone;
    interval.lost += gone;
  };
  const run = runOf(seconds, fill);
  return written((sink) => new LoadDocument(sink), run, { ...START, ...start } as LoadStart, { ended });
}

function figuresOf(text: string): Figures {
  return readComparedRun(text).figures;
}

function reportOf(before: string[], after: string[], conditions: string[] = []): ComparisonReport {
  const name = (side: string) => (text: string, place: number) => ({
    file: `${side}${place + 1}.json`,
    run: readComparedRun(text),
  });
  return comparisonReport(before.map(name("a")), after.map(name("b")), conditions.map(parseChange));
}

const textOf = (report: ComparisonReport) => comparisonLines(report).join("\n");

function verdictsOf(report: ComparisonReport): string[] {
  return report.thresholds.map(({ verdict }) => verdict);
}

test("a load is read back: its figures, and those of five equal parts from the seconds' histograms", () => {
  const { figures, settings, generator, duration, endpoint } = readComparedRun(saved());
  assertEquals([duration, endpoint, generator!.verdict], [60, "tcp://web:21567", "ok"]);
  assertEquals(settings, {
    command: "load",
    loop: "open loop",
    rate: "1000 lines/s",
    arrivals: "uniform",
    connections: "50 connections",
    size: "56 bytes a line",
    timeout: "5 s time-out",
  });
  const levels = [1, 1.02, 1.04, 1.01, 1.03];
  for (const [metric, micros] of [["p50", 200], ["p90", 200], ["p99", 800]] as const) {
    figures[metric].parts!.forEach((part, place) =>
      assertAlmostEquals(part, micros * levels[place]! / 1e6, micros / 1e9)
    );
  }
  assertEquals([figures.rate.parts, figures.rate.value], [[1000, 1000, 1000, 1000, 1000], 1000]);
  assertEquals([figures.loss.parts, figures.loss.value], [[0, 0, 0, 0, 0], 0]);
  assertEquals(figures.p99_9.parts!.length, 5);
});

test("a stream of load is read as its document is", { level: "heavy" }, () => {
  const run = runOf(60, (interval, place) => answer(interval, 1000, 200 + place));
  const document = figuresOf(written((sink) => new LoadDocument(sink), run));
  const stream = figuresOf(written((sink) => loadStream(sink, true), run));
  assertEquals(stream, document);
});

test("a document whose seconds were merged is read as one of single seconds", { level: "slow" }, () => {
  const long = figuresOf(saved({ seconds: 610 }));
  assertEquals(long.rate.parts, [1000, 1000, 1000, 1000, 1000]);
});

test("the latency of a closed loop is its service time, and its lines in flight are a setting", () => {
  const run = runOf(40, (interval, place) => {
    answer(interval, 1000, 205 + place % 7);
    interval.response.clear();
  }, { loop: "closed", cpu: () => 0.99 });
  const start: LoadStart = { ...START, loop: "closed", rate: null, arrivals: null, depth: 8, think: 2 };
  const { settings, figures, generator } = readComparedRun(
    written((sink) => new LoadDocument(sink), run, start),
  );
  assertEquals(settings, {
    command: "load",
    loop: "closed loop",
    connections: "50 connections",
    depth: "8 in flight",
    think: "2 s between",
    size: "56 bytes a line",
    timeout: "5 s time-out",
  });
  assertAlmostEquals(figures.p50.value!, 0.000203, 1e-6);
  assertEquals(figures.p50.parts!.length, 5);
  assertEquals([generator!.verdict, generator!.reason_codes], ["limited", ["busy"]]);
});

test("what came after the planned end is in the last part; of a closed loop it is in no rate", () => {
  const run = runOf(61, (interval, place) => {
    answer(interval, place === 0 ? 950 : place === 60 ? 50 : 1000, 200 + place % 7);
    if (place < 60) return;
    interval.tail = true;
    interval.lost = 10;
  });
  const saved = written((sink) => new LoadDocument(sink), run);
  const { rate, loss } = figuresOf(saved);
  assertEquals([rate.value, rate.parts], [
    1000,
    [11_950, 12_000, 12_000, 12_000, 12_050].map((it) => it / 12),
  ]);
  const closed = figuresOf(saved.replaceAll('"open"', '"closed"').replaceAll('"response"', '"service"')).rate;
  assertEquals(closed.value, 999.167);
  assertEquals(closed.parts!.slice(1), [1000, 1000, 1000, 1000]);
  assertEquals(loss.parts!.slice(0, 4), [0, 0, 0, 0]);
  assertAlmostEquals(loss.parts![4]!, 10 / 12_060, 1e-12);
});

test("a run of ping is read back from its replies", { level: "heavy" }, () => {
  const stats = new RunStats(false);
  const events: ProbeEvent[] = Array.from({ length: 6000 }, (_, i) => {
    const [seq, at] = [i + 1, (i + 1) / 100];
    return i % 100 === 99 ? { fate: "lost", seq, at } : { fate: "received", seq, at, rtt: 500 + i % 13 };
  });
  events.forEach((it) => stats.add(it));
  const start = {
    type: "start",
    version: VERSION,
    time: 1,
    endpoint: "udp://web:7",
    interval: 0.01,
    pace: 0.01,
  };
  for (const make of [(sink: Sink) => new JsonDocument(sink), (sink: Sink) => jsonStreamOf(sink, true)]) {
    let text = "";
    const exporter: PingExporter = make({ write: (more) => text += more });
    const rest = { size: 56, timeout: 5, clocks_synced: false, connect: null, handshake: null };
    exporter.start!({ ...start, ...rest } as never);
    events.forEach((it) => exporter.event!(it));
    exporter.end!({ ended: null, summary: stats.summary(), rtt: stats.rtt, thresholds: [] });
    const { settings, figures, duration, generator } = readComparedRun(text);
    assertEquals(settings, { command: "ping", interval: "10 ms", size: "56 bytes a line", timeout: "5 s" });
    assertEquals([duration, generator, figures.loss.value], [60, null, 0.01]);
    assertAlmostEquals(figures.p99.value!, 0.000512, 1e-6);
    assertEquals(figures.p99.parts!.length, 5);
    assertAlmostEquals(figures.rate.value!, 99, 0.1);
    assertEquals(figures.p99_9, {
      ...figures.p99_9,
      parts: null,
      help: "needs 3688 replies in each fifth of a run",
    });
  }
});

test("a run of other numbers than a run has is refused, and says which", { level: "heavy" }, () => {
  const good = JSON.parse(saved({ seconds: 40 }));
  const broken = (change: (run: typeof good) => void) => {
    const run = structuredClone(good);
    change(run);
    return assertThrows(() => readComparedRun(JSON.stringify(run)), Error).message;
  };
  for (
    const [text, message] of [
      ["[]", "it is not of tsecho"],
      ["<!DOCTYPE html>\n<html>", "it is a page: open it in a browser and save its JSON"],
      [JSON.stringify(comparisonRecord(reportOf([saved()], [saved()]))), "it is a comparison, not a run"],
    ] as const
  ) assertStringIncludes(assertThrows(() => readComparedRun(text), Error).message, message);
  assertStringIncludes(
    assertThrows(() => readComparedRun("1"), Error).message,
    "it is not of tsecho ping or",
  );
  assertEquals(broken((it) => it.start.command = "watch"), 'it is of another command, "watch"');
  assertEquals(broken((it) => it.start.version = 9), "its version is 9, and only 1 is known here");
  assertEquals(broken((it) => delete it.end), "it has no end: the run was killed");
  assertEquals(broken((it) => it.seconds = []), "it has no seconds; was it a --json-stream with -q?");
  assertEquals(broken((it) => it.seconds[3].received = "x"), `a second's "received" is no number`);
  assertEquals(broken((it) => it.seconds[3].from = -1), `a second's "from" is out of range`);
  assertEquals(
    broken((it) => it.seconds[3].response.histogram = "AAAA"),
    "a second's histogram is none that load has written",
  );
  assertEquals(broken((it) => it.end.rate = null), `the end's "rate" is no object`);
  assertEquals(broken((it) => it.end.generator = 1), `the end's "generator" is no object`);
});

test("a change that parts of the runs show gets its word, what they do not show gets none", {
  level: "heavy",
}, () => {
  const report = reportOf([saved()], [
    saved({ level: 1.3, lost: (place) => place % 12 === 0 ? 1 + Math.floor(place / 12) : 0 }),
  ]);
  const { metrics, method } = report.comparison;
  assertEquals(method, "parts");
  assertEquals(COMPARED.map((it) => metrics[it].verdict), [
    "worse",
    "worse",
    "worse",
    "worse",
    "worse",
    "worse",
  ]);
  assertAlmostEquals(metrics.p99.ratio!, 1.3, 0.01);
  const [lower, upper] = metrics.p99.interval!;
  assert(lower > 1.25 && lower < 1.3 && upper! > 1.3 && upper! < 1.35, `${lower} ${upper}`);
  const back = reportOf([saved({ level: 1.3 })], [saved()]).comparison.metrics;
  assertEquals([back.p50.verdict, back.loss.verdict, back.loss.p], ["better", "no difference", 1]);
  const same = reportOf([saved()], [saved({ level: 1.001 })]).comparison.metrics;
  assertEquals(same.p99.verdict, "no difference");
});

test("parts without variance, and runs of less than 30 s, are too short to tell", { level: "heavy" }, () => {
  const constant = reportOf([saved()], [saved()]).comparison.metrics.rate;
  assertEquals([constant.verdict, constant.help, constant.ratio], [
    "too short to tell",
    "its fifths do not differ",
    1,
  ]);
  const short = reportOf([saved({ seconds: 29 })], [saved({ level: 2 })], ["p99>+10%"]);
  assertEquals(
    COMPARED.map((it) => short.comparison.metrics[it].verdict),
    Array(6).fill("too short to tell"),
  );
  assertEquals(verdictsOf(short), ["cannot tell"]);
  assertAlmostEquals(short.comparison.metrics.p99.ratio!, 2, 0.05);
  assertMatch(textOf(short), /^too short to tell: before: a run of 30 s or more is needed$/m);
});

test("loss in some parts only is told by ranks", { level: "heavy" }, () => {
  const [none, some] = [saved(), saved({ lost: () => 5 })];
  const report = reportOf([none], [some], ["loss>+10%"]);
  const { metrics } = report.comparison;
  assertAlmostEquals(metrics.loss.p!, 2 / 252, 1e-12);
  assertEquals([metrics.loss.ratio, metrics.loss.interval], [Infinity, [Infinity, Infinity]]);
  assertEquals([metrics.loss.verdict, verdictsOf(report)], ["worse", ["broken"]]);
  assertMatch(textOf(report), /^loss +0% +0\.5% +∞ +∞ to ∞ +worse$/m);
});

test("words are Holm's over the metrics that were judged", { level: "heavy" }, () => {
  const { metrics } = reportOf([saved()], [saved({ level: 1.02 })]).comparison;
  const judged = COMPARED.map((it) => metrics[it]).filter(({ p }) => p !== null);
  assertEquals(judged.length, 5); // the rate has no variance
  const least = Math.min(...judged.map(({ p }) => p!));
  assertAlmostEquals(Math.min(...judged.map(({ p_holm }) => p_holm!)), Math.min(1, 5 * least), 1e-12);
});

test("an interval without 1 gives a word only if Holm's correction does", () => {
  const spread = [0.9, 0.95, 1, 1.05, 1.1];
  const figures = (p50: number, others: number): Figures => {
    const figure = (level: number) => ({ value: level, parts: spread.map((it) => it * level), help: null });
    return Object.fromEntries(
      COMPARED.map((it) => [it, figure(it === "p50" ? p50 : others)]),
    ) as unknown as Figures;
  };
  const alone = compareRuns([figures(1, 1)], [figures(1.14, 1)]).metrics.p50;
  assert(alone.interval![0] > 1 && alone.p! < 0.05 && alone.p_holm! > 0.05, JSON.stringify(alone));
  assertEquals(alone.verdict, "no clear difference");
  const all = compareRuns([figures(1, 1)], [figures(1.3, 1.3)]).metrics;
  assertEquals(COMPARED.map((it) => all[it].verdict), [
    "worse",
    "worse",
    "worse",
    "worse",
    "better",
    "worse",
  ]);
});

test(
  "a metric whose interval alone leaves out 1 is no clear difference, and both the text and the page say why",
  { level: "heavy" },
  () => {
    const report = reportOf([saved()], [saved({ level: 1.028 })], ["p50>+0%"]);
    const { p50 } = report.comparison.metrics;
    assert(p50.interval![0] > 1 && p50.p! < 0.05 && p50.p_holm! > 0.05, JSON.stringify(p50));
    assertEquals(verdictsOf(report), ["broken"]);
    const text = textOf(report);
    assertMatch(text, /^p50 .* no clear difference$/m);
    assertStringIncludes(
      text,
      "\nno clear difference: the interval leaves out 1, but with 5 metrics judged chance explains that\n",
    );
    assertStringIncludes(
      changes(report)!.note!,
      "no clear difference where the correction for several metrics says so",
    );
    assertEquals(changes(reportOf([saved()], [saved({ level: 1.3 })]))!.note!.includes("no clear"), false);
  },
);

test("where both sides lack a metric the reasons of both are told, and runs of different things are not to be repeated", () => {
  const short = saved({ seconds: 10, start: { rate: 500 } });
  const few = written(
    (sink) => new LoadDocument(sink),
    runOf(40, (interval, place) => answer(interval, 100, 200 + place % 7)),
  );
  const report = reportOf([short], [few]);
  assertEquals(
    report.comparison.metrics.p99_9.help,
    "before: a run of 30 s or more is needed; after: needs 3688 replies in each fifth of a run",
  );
  assertEquals(report.comparison.metrics.p50.help, "before: a run of 30 s or more is needed");
  assertEquals(textOf(report).includes("would settle it"), false);
  assertStringIncludes(textOf(reportOf([short], [short])), "5 runs of each would settle it");
});

test("five runs a side are judged as wholes, two to four are shown", { level: "heavy" }, () => {
  const side = (factor: number, runs: number) =>
    Array.from({ length: runs }, (_, place) => saved({ seconds: 10, level: factor * (1 + 0.02 * place) }));
  const five = reportOf(side(1, 5), side(1.3, 5), ["p99>+10%", "p99>+40%", "p99>+30%", "rate<-1%"]);
  assertEquals(five.comparison.method, "runs");
  assertEquals(COMPARED.map((it) => five.comparison.metrics[it].verdict), [
    "worse",
    "worse",
    "worse",
    "worse",
    "no difference",
    "no difference",
  ]);
  assertAlmostEquals(five.comparison.metrics.p50.ratio!, 1.3, 0.01);
  assertEquals(verdictsOf(five), ["broken", "kept", "cannot tell", "kept"]);
  const text = textOf(five);
  assertMatch(text, /^a1\.json +0\.2\d\d ms +0\.2\d\d ms +0\.8\d\d ms +\d\.\d{3} ms +1000\/s +0%$/m);
  assertMatch(text, /^ +before, median +after, median +ratio +95% interval$/m);

  const four = reportOf(side(1, 4), side(1.3, 5), ["p99>+10%"]);
  assertEquals(four.comparison.method, "too few runs");
  assertEquals(COMPARED.map((it) => four.comparison.metrics[it].verdict), Array(6).fill(null));
  assertEquals(verdictsOf(four), ["cannot tell"]);
  assertAlmostEquals(four.comparison.metrics.p50.ratio!, 1.3, 0.03);
  assertMatch(textOf(four), /^not judged: 5 runs a side are needed$/m);
});

test("lines that never came put a percentile beyond the time-out, and break a condition on its rise", {
  level: "heavy",
}, () => {
  const report = reportOf([saved()], [saved({ lost: () => 20 })], ["p99>+10%", "p50>+10%", "p99<+10%"]);
  const { p99 } = report.comparison.metrics;
  assertEquals([p99.after, p99.verdict, p99.help], [null, null, "1200 lines not answered in time"]);
  assertEquals(verdictsOf(report), ["broken", "kept", "kept"]);
  assertMatch(textOf(report), /^p99 +0\.8\d\d ms +> 5 s +- +- +not judged$/m);
  assertMatch(textOf(report), /^not judged: p99, p99\.9: 1200 lines not answered in time$/m);
});

test("runs that measured different things are told apart by name", { level: "heavy" }, () => {
  const base = saved({ seconds: 10 });
  const against = (start: Partial<LoadStart>) =>
    reportOf([base], [saved({ seconds: 10, start })]).differences.flatMap(({ texts }) => texts);
  assertEquals(against({}), []);
  assertEquals(against({ endpoint: "tls://other:1", time: 3, threads: 4, duration: 99, warmup: 0 }), []);
  assertEquals(against({ rate: 2000 }), ["2000 lines/s instead of 1000"]);
  assertEquals(against({ connections: 5 }), ["5 connections instead of 50"]);
  assertEquals(against({ size: 57 }), ["57 bytes a line instead of 56"]);
  assertEquals(against({ size: null, data: "x.txt" }), ["size lines of x.txt instead of 56 bytes a line"]);
  assertEquals(against({ arrivals: "poisson" }), ["arrivals poisson instead of uniform"]);
  assertEquals(against({ stages: [{ duration: 30, rate: 100 }], rate: null }), [
    "rate none instead of 1000 lines/s",
    "stages 30s:100 instead of none",
  ]);
});

test("the text names a generator that was not ok, and a run that ended early", () => {
  const run = runOf(40, (interval) => {
    answer(interval, 1000, 200);
    interval.sendLag.record(40_000, 500);
  });
  const strained = written((sink) => new LoadDocument(sink), run, START, { ended: "stopped" });
  const text = textOf(reportOf([saved()], [strained]));
  assertMatch(text, /^ {2}generator (?:strained|limited) in b1\.json: .+$/m);
  assertMatch(text, /^ {2}b1\.json ended early: stopped$/m);
  assertMatch(
    text,
    /^COMPARE load: open loop, 1000 lines\/s, uniform, 50 connections, 56 bytes a line, 5 s time-out$/m,
  );
});

test("a comparison's JSON has its figures by name", () => {
  const report = reportOf([saved()], [saved({ level: 1.3 })], ["p99>+10%"]);
  const record = JSON.parse(JSON.stringify(comparisonRecord(report)));
  assertEquals([record.type, record.version, record.method], ["compare", 1, "parts"]);
  assertEquals(Object.keys(record.metrics), [...COMPARED]);
  assertEquals(record.metrics.p99, report.comparison.metrics.p99);
  const [run] = record.after;
  assertEquals([run.file, run.p99, run.settings.rate], [
    "b1.json",
    report.after[0]!.run.figures.p99.value,
    "1000 lines/s",
  ]);
  assertEquals(record.thresholds[0].verdict, "broken");
});

test("docs/json.md lists the fields of a comparison, all of them and no others", READ, () => {
  const text = section(Deno.readTextFileSync(new URL("../docs/json.md", import.meta.url)), "## Compare");
  const tables: string[][] = [];
  for (const [field] of readMarkdown(text).rows) {
    if (field === "field") tables.push([]);
    else tables.at(-1)!.push(...inlineCode(field!));
  }
  const record = comparisonRecord(reportOf([saved()], [saved()])) as Record<string, unknown>;
  const { metrics, before } = record as { metrics: { p99: object }; before: object[] };
  assertEquals(
    tables.map((it) => it.toSorted()),
    [record, metrics.p99].map((it) => Object.keys(it).toSorted()),
  );
  const told = inlineCode(text);
  assertEquals(Object.keys(before[0]!).filter((it) => !told.includes(it)), []);
});

test("docs/compare.md shows what is printed", { ...READ, level: "heavy" }, () => {
  const { code } = readMarkdown(Deno.readTextFileSync(new URL("../docs/compare.md", import.meta.url)));
  const [, ...output] = code[0]!.text.split("\n");
  const strained = (level: number) => {
    const run = runOf(60, (interval, place) => {
      const part = Math.floor(place / 12);
      answer(interval, 194, 200 * level * (1 + part / 100));
      answer(interval, 6, 600 * level * (1 + 2 * part % 5));
      interval.sendLag.record(990, 5);
    });
    return written((sink) => new LoadDocument(sink), run);
  };
  const report = reportOf([strained(1)], [strained(1.4)]);
  const files = [report.before, report.after].flat();
  ["before.json", "after.json"].forEach((file, place) => files[place]!.file = file);
  const masked = (text: string) => text.replaceAll(/[\d.∞-]+/g, "N").replaceAll(/[ \t]+/g, " ");
  assertEquals(masked(textOf(report)), masked(output.join("\n")));
});

test("text from a file is escaped", { level: "heavy" }, () => {
  const text = textOf(
    reportOf([saved({ ended: "\x1b[2J" })], [saved({ start: { endpoint: "tcp://\u202eweb:1" } })]),
  );
  // deno-lint-ignore no-control-regex
  assert(!/[\x1b\u202e]/.test(text), text);
  assertStringIncludes(text, "\\x1b[2J");
});
