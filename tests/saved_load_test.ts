/** A load that was saved is told again with the figures that it was saved with. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { readComparedRun } from "../report/compared_run.ts";
import { levelText } from "../report/load_figures.ts";
import { LoadDocument, loadStream } from "../report/load_json.ts";
import { loadPage } from "../report/load_page.ts";
import type { LoadEnd, LoadStart } from "../report/load_record.ts";
import { LoadText } from "../report/load_text.ts";
import { readLoad } from "../report/saved_load.ts";
import { judgeLoad } from "../stats/load_measure.ts";
import { isOfGenerator, type LoadTrial } from "../stats/load_trial.ts";
import { LOAD_METRICS } from "../stats/metrics.ts";
import { addCount } from "../stats/reason_counts.ts";
import { parseThresholdOf } from "../stats/threshold.ts";
import { cases, test, volume } from "./harness.ts";
import { answer, CLOSED_START, runOf, START, TRIAL, written } from "./load_helpers.ts";
import { assertProperty } from "./properties.ts";

const eventful = (seconds = 40) =>
  runOf(seconds, (interval, place) => {
    answer(interval, 480, 200 + 7 * place % 30, "web-1");
    answer(interval, 500, 2000 + 10 * place, null);
    interval.planned += 20;
    interval.dropped += 3;
    interval.unsent += 2;
    interval.sent += 15;
    interval.lost += 5;
    interval.late += 1;
    interval.errors.set("connection reset", 10);
    interval.connectErrors.set("connection refused", 2);
    interval.connect.record(700 + place);
    interval.handshake.record(1700 + place);
  }, { connections: () => new Map([["web-1", 25], [null, 25]]) });

type Run = ReturnType<typeof runOf>;

const documentOf = (run: Run, start: LoadStart = START, end: Partial<LoadEnd> = {}) =>
  written((sink) => new LoadDocument(sink), run, start, end);

/** What an exporter writes of a run that was read back. */
function again(text: string): string {
  const { start, end } = readLoad(text);
  let told = "";
  const exporter = new LoadDocument({ write: (more) => told += more });
  exporter.start(start);
  exporter.end({ ...end, thresholds: [] });
  return told;
}

test("a saved run is saved again byte for byte", { level: "heavy" }, () => {
  const document = documentOf(eventful());
  assertEquals(again(document), document);
  const closed = runOf(3, (interval) => {
    answer(interval, 500, 300);
    for (const values of [interval.response, interval.sendLag, interval.blocked]) values.clear();
  }, { loop: "closed", cpu: () => 0.99 });
  const other = documentOf(closed, CLOSED_START, { ended: "stopped" });
  assertEquals(again(other), other);
});

test("the figures of a saved run are those of the run", { level: "sized" }, () => {
  assertProperty(
    fc.property(
      fc.array(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 10, max: 4_000_000 })), {
          maxLength: 4,
        }),
        { minLength: 1, maxLength: 10 },
      ),
      (seconds) => {
        const { stats, intervals } = runOf(seconds.length, (interval, place) => {
          for (const [lines, micros] of seconds[place]!) answer(interval, lines, micros);
        });
        const saved = readLoad(documentOf({ stats, intervals })).end;
        for (const name of ["response", "service", "sendLag", "blocked"] as const) {
          const [one, other] = [stats.total[name], saved.stats.total[name]];
          assertEquals(other.count, one.count);
          if (one.count === 0) continue;
          assertEquals([other.min, other.max], [one.min, one.max]);
          for (const percent of [1, 50, 90, 99, 99.9]) {
            const [was, is] = [one.percentile(percent), other.percentile(percent)];
            assert(
              Math.abs(was - is) <= 0.001 * was + 0.1,
              `p${percent} of ${name} was ${was} µs and is ${is} µs`,
            );
          }
        }
      },
    ),
    { numRuns: cases(volume(25, 250)) },
  );
});

test("conditions on a saved run are judged as on the run itself", { level: "heavy" }, () => {
  const run = eventful();
  const { stats } = readLoad(documentOf(run)).end;
  const conditions = [
    ...["p50>1ms", "p99.9<1s", "p75>1ms", "max>1h", "avg>100us", "service.p99>1ms", "send_lag.p50<1ms"],
    ...["connect.max>700us", "handshake.avg>1ms", "up.p99>1ms", "down.max>1us", "loss>1%", "errors>399"],
    ...["connect_errors>0", "rate<980", "dropped>=120", "planned<1", "blocked.p99>1ms"],
  ];
  for (const text of conditions) {
    const condition = parseThresholdOf(LOAD_METRICS, text);
    const [{ value: was, ...one }, { value: is, ...other }] = [run.stats, stats].map((it) =>
      judgeLoad(condition, it)
    ) as [ReturnType<typeof judgeLoad>, ReturnType<typeof judgeLoad>];
    assertEquals([one.verdict, one.tag, one.help], [other.verdict, other.tag, other.help], text);
    assert(was === is || Math.abs(was! - is!) <= 0.001 * was!, `${text}: ${was} and ${is}`);
  }
});

test("of a saved closed loop the directions' maximum is at least what was found, if it was a sample or does not say", () => {
  const saved = (lines: number, sampled: boolean, change: (text: string) => string) => {
    const run = runOf(3, (interval) => {
      answer(interval, lines, 300);
      for (const values of [interval.response, interval.sendLag, interval.blocked]) values.clear();
      interval.sampled = sampled;
    }, { loop: "closed" });
    return judgeLoad(
      parseThresholdOf(LOAD_METRICS, "up.max>1s"),
      readLoad(change(documentOf(run, CLOSED_START))).end.stats,
    )
      .verdict;
  };
  const same = (text: string) => text;
  const older = (text: string) => text.replaceAll(/"sampled":\s*(?:true|false),?\s*/g, "");
  const cut = (text: string) => {
    const { start, seconds } = JSON.parse(text);
    const streamed = seconds.map((it: object) => ({ type: "interval", ...it }));
    return [{ type: "start", ...start }, ...streamed].map((it) => JSON.stringify(it)).join("\n");
  };
  assertEquals([saved(100, true, same), saved(4000, false, same)], ["cannot tell", "kept"]);
  for (const change of [older, cut]) {
    assertEquals([saved(4000, true, change), saved(1000, false, change)], ["cannot tell", "kept"]);
  }
});

test("of a saved run that does not say whether p99 falls, only what was looked for is told", {
  level: "heavy",
}, () => {
  const [flat, falling, rising] = [0, -20, 20].map((slope) =>
    documentOf(runOf(30, (interval, place) => answer(interval, 100, 1000 + slope * place)))
  ) as [string, string, string];
  const told = (text: string) => levelText(readLoad(text).end.summary);
  const older = (text: string) => text.replace(/,\s*"(?:trend|alike)":\s*(?:null|false|"\w+")/g, "");
  const falls = "p99 falls: not a steady state; a longer --warmup?";
  assertEquals([told(flat), told(falling)], ["p99 shows no trend", falls]);
  assertEquals([told(older(flat)), told(older(rising))], [
    "p99 shows no rise",
    "p99 rises: not a steady state",
  ]);
});

test("what a saved run tells of replies that may be mixed up is neither judged nor compared", () => {
  const saved = (alike: boolean, lost: number) =>
    documentOf(runOf(30, (it) => {
      answer(it, 1000, 1000);
      it.sent += lost;
      it.planned += lost;
      it.lost += lost;
    }, { alike }));
  const told = (text: string) => {
    const { p50, loss } = readComparedRun(text).figures;
    const condition = parseThresholdOf(LOAD_METRICS, "p50<1us");
    return [judgeLoad(condition, readLoad(text).end.stats).verdict, p50.help, p50.value, loss.help];
  };
  const help = "replies cannot be told apart, since lines come again too soon";
  assertEquals(told(saved(true, 1)), ["cannot tell", help, null, help]);
  assertEquals(told(saved(true, 0)), ["cannot tell", help, null, null]);
  assertEquals(told(saved(false, 1)), ["kept", null, 0.001, null]);
});

test("the page and the text of a saved run are those of the run", { level: "heavy" }, () => {
  const run = eventful();
  const saved = readLoad(documentOf(run));
  const end = { ended: null, stats: run.stats, summary: run.stats.summary(), thresholds: [] };
  const page = loadPage(START, end, "tsecho 1");
  const other = loadPage(saved.start, { ...saved.end, thresholds: [] }, "tsecho 1");
  assertEquals([other.facts, other.verdicts], [page.facts, page.verdicts]);
  assertEquals(other.document, page.document);
  const tables = (of: typeof page) =>
    of.sections.flatMap(({ parts }) => parts).filter((it) => it.kind === "table");
  assertEquals(tables(other), tables(page));
  const titles = (of: typeof page) =>
    of.sections.flatMap(({ parts }) => parts).map((it) => it.kind === "plot" ? it.plot.title : it.kind);
  assertEquals(titles(other), titles(page));
  const text = written((sink) => new LoadText(sink, { rows: true }), run);
  let told = "";
  const report = new LoadText({ write: (more) => told += more }, { rows: true });
  report.start(saved.start);
  report.end({ ...saved.end, thresholds: [] });
  const figures = (of: string) => of.slice(0, of.indexOf("response of all lines"));
  assertEquals(figures(told), figures(text));
});

test("a run tells 32 servers and 32 reasons apart, and is read back with all of its lines", {
  level: "heavy",
}, () => {
  const run = runOf(40, (interval, place) => {
    for (let i = 0; i < 50; i++) answer(interval, 1, 300, `web-${50 * place + i}`);
    interval.planned++;
    interval.sent++;
    addCount(interval.errors, `server said: ${place}`, 1);
    addCount(interval.connectErrors, `server said: ${place}`, 1);
  });
  const { servers, errors, connect_errors } = run.stats.summary();
  assertEquals([servers.length, servers[0]!.tag], [33, "further tags"]);
  assertEquals(servers.reduce((sum, it) => sum + it.received, 0), 2000);
  assertEquals(errors["for further reasons"], 8);
  assertEquals([Object.keys(errors).length, Object.keys(connect_errors).length], [33, 33]);
  for (const { servers } of run.stats.seconds()) assertEquals(servers.size, 33);
  const document = documentOf(run);
  assertEquals(again(document), document);
});

test("a saved search has its trials", () => {
  const found = {
    outcome: "found" as const,
    rate: 1000,
    trials: [{ ...TRIAL, p99: null }, { ...TRIAL, passed: false, value: null }],
  };
  const text = documentOf(eventful(3), { ...START, find: "p99<5ms" }, { found });
  assertEquals(readLoad(text).end.found, found);
});

test("whether a saved trial was the generator's doing is told by its codes; by its words only where it has none", () => {
  const REASONS = {
    ...{ "3 lost": "lost", "2 dropped": "dropped", "1 corrupt": "corrupt", "4 failed": "failed" },
    "only 98.7% of the lines were sent": "unsent",
    "p99<5ms not kept": "not-kept",
    "this machine was late: p99 108.900 ms of send lag": "generator-late",
    "nothing was answered": "no-replies",
    "p99<5ms can no longer be kept": "unknown",
    "it was interrupted": "interrupted",
  };
  const readWith = (reasons: string[], codes?: unknown) => {
    const trial = { ...TRIAL, passed: false, reasons, reason_codes: codes } as unknown as LoadTrial;
    const found = { outcome: "none" as const, rate: null, trials: [trial] };
    return readLoad(documentOf(eventful(1), { ...START, find: "p99<5ms" }, { found })).end.found!.trials[0]!;
  };
  const older = readWith(Object.keys(REASONS));
  assertEquals(older.reason_codes, Object.values(REASONS));
  assert(isOfGenerator(older));
  assert(!isOfGenerator(readWith(["p99<5ms not kept"])));
  assert(!isOfGenerator(readWith(["this machine was late: so it says"], ["not-kept"])));
  assert(isOfGenerator(readWith(["p99<5ms not kept", "in other words"], ["not-kept", "generator-late"])));
  assertEquals(readWith(["as later versions say"], ["of-a-later-version"]).passed, false);
  assertThrows(
    () => readWith([], [1]),
    Error,
    `an entry of the end's "trials"'s "reason_codes"`,
  );
});

test("a stream is read as the document is, without its seconds too", { level: "heavy" }, () => {
  const run = eventful();
  const document = readLoad(documentOf(run));
  const stream = readLoad(written((sink) => loadStream(sink, true), run));
  assertEquals(stream.end.seconds, document.end.seconds);
  assertEquals(stream.end.summary, document.end.summary);
  const bare = readLoad(written((sink) => loadStream(sink, false), run));
  assertEquals([bare.lacks, stream.lacks], ["seconds", null]);
  assertEquals([bare.end.stats.elapsed, bare.end.stats.receivedRate], [40_000, 980]);
  const page = loadPage(bare.start, { ...bare.end, thresholds: [] }, "tsecho 1");
  const plots = page.sections.flatMap(({ parts }) => parts).filter((it) => it.kind === "plot");
  assertEquals(plots.map((it) => it.plot.title), [
    "Latency by percentile of the received lines",
    "Histogram of the response",
    "Connects and TLS handshakes by percentile",
  ]);
});

test(
  "of a run that was killed the seconds are told, and what was in flight is pending",
  { level: "heavy" },
  () => {
    const run = eventful();
    const lines = written((sink) => loadStream(sink, true), run).trimEnd().split("\n");
    const { start, end, lacks } = readLoad([...lines.slice(0, 31), lines[31]!.slice(0, 100)].join("\n"));
    const { summary } = end;
    assertEquals([lacks, start.endpoint, summary.duration], ["end", START.endpoint, 30]);
    const { planned, sent, dropped, unsent, received, lost, corrupt, pending } = summary;
    assertEquals([planned, received, lost], [30_000, 29_400, 150]);
    assertEquals(planned, sent + dropped + unsent);
    assertEquals(sent, received + lost + corrupt + pending + 300);
    assertEquals(summary.errors, { "of reasons that were not saved": 300 });
    assertEquals([summary.service, summary.connect], [null, null]);
    const { response } = run.stats.summary();
    assert(Math.abs(summary.response!.p50! - response!.p50!) < 0.01 * response!.p50!);
    assertEquals(readLoad(again(lines.slice(0, 31).join("\n"))).end.summary.received, 29_400);
    // Lines that no second has the end of.
    const short = lines.slice(0, 31).map((it) => it.replace(/"received":980/, '"received":979'));
    assertEquals(readLoad(short.join("\n")).end.summary.pending, 30);
  },
);

test("what is saved from a page compares as the run itself", { level: "heavy" }, () => {
  const document = documentOf(eventful());
  const { json } = loadPage(START, { ...readLoad(document).end, thresholds: [] }, "tsecho 1").document;
  assertEquals(readComparedRun(json), readComparedRun(document));
});

test("a text that is no saved load is refused in words", () => {
  const { start, seconds, end } = JSON.parse(documentOf(eventful(2)));
  // deno-lint-ignore no-explicit-any
  const cases: [change: (run: any) => void, message: string][] = [
    [(run) => delete run.start, "it has no start; is it of tsecho load?"],
    [(run) => delete run.start.command, "it is of tsecho ping: tsecho ping --from reads it"],
    [(run) => run.start.command = "watch", "it is of another command, not of tsecho load"],
    [(run) => run.start.version = 9, "its version is 9, and only 1 is known here"],
    [(run) => run.start.timeout = "5", `the start's "timeout" is no number`],
    [(run) => (delete run.end, run.seconds = []), "it has neither seconds nor an end: the run was killed"],
    [(run) => run.end.received = -1, `the end's "received" is out of range`],
    [(run) => run.end.lost = 0.5, `the end's "lost" is no whole number`],
    [(run) => run.end.errors = [], `the end's "errors" is no object`],
    [(run) => run.end.errors.x = "1", `a count of the end's "errors" is no number`],
    [(run) => run.end.response.p99 = "a", `the end's "response"'s "p99" is no number`],
    [(run) => delete run.end.response.histogram, `the end's "response"'s "histogram" is no string`],
    [(run) => run.end.response.histogram = "AAAA", "a histogram is none that load has written"],
    [(run) => run.end.response.count++, "a histogram has 1960 values, and its count is 1961"],
    [
      (run) => run.end.response.intervals.p50 = [1],
      `the end's "response"'s "intervals"'s "p50" has not two ends`,
    ],
    [(run) => run.end.generator.verdict = "fine", `the end's "generator"'s "verdict" is unknown`],
    [(run) => run.end.servers[0].tag = 7, `an entry of the end's "servers"'s "tag" is no string`],
    [
      (run) => run.end.servers = Array.from({ length: 5000 }, () => run.end.servers[0]),
      `the end's "servers" has 5000 entries, and a run has 33 at most`,
    ],
    [
      (run) => run.end.errors = Object.fromEntries(Array.from({ length: 34 }, (_, i) => [`reason ${i}`, 1])),
      `the end's "errors" has 34 entries, and a run has 33 at most`,
    ],
    [
      (run) => run.seconds[1].servers = Array.from({ length: 34 }, () => run.seconds[1].servers[0]),
      `a second's "servers" has 34 entries, and a run has 33 at most`,
    ],
    [
      (run) => run.end.trials = Array.from({ length: 1001 }, () => ({})),
      `the end's "trials" has 1001 entries, and a run has 1000 at most`,
    ],
    [
      (run) => run.end.generator.reasons = Array.from({ length: 33 }, () => "busy"),
      `the end's "generator"'s "reasons" has 33 entries, and a run has 32 at most`,
    ],
    [(run) => run.end.trials = null, `the end's "trials" is no list`],
    [(run) => run.seconds[1].planned = null, `a second's "planned" is no number`],
    [(run) => run.seconds[1].servers = {}, `a second's "servers" is no list`],
  ];
  for (const [change, message] of cases) {
    const run = structuredClone({ start, seconds, end });
    change(run);
    assertEquals(assertThrows(() => readLoad(JSON.stringify(run)), Error).message, message);
  }
  for (const text of ["", "[]", "null", "{", "hello\nworld\n"]) assertThrows(() => readLoad(text), Error);
  assertThrows(() => readLoad('{"start":{},"runs":[]}'), Error, "compare reads it");
});
