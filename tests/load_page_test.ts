/** The page of a load: what it shows is what its text and its JSON say. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { LoadDocument } from "../report/load_json.ts";
import { LoadText } from "../report/load_text.ts";
import { renderPage } from "../report/page/document.ts";
import type { LineLayer, Plot } from "../report/page/model.ts";
import { readComparedRun } from "../report/compared_run.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { LOAD_PERCENTILES, type LoadDurations, type LoadSummary } from "../stats/load_summary.ts";
import type { LoadFound, LoadTrial } from "../stats/load_trial.ts";
import { test, volume } from "./harness.ts";
import { answer, CLOSED_START, runOf, START, TRIAL, written } from "./load_helpers.ts";
import { eventful, layerOf, pageOf, plotOf, plotsOf, type Run, tableOf } from "./load_page_helpers.ts";
import { assertProperty } from "./properties.ts";

test("the tables have the figures of the JSON's end", () => {
  const run = eventful();
  const page = pageOf(run);
  const { end } = JSON.parse(page.document.json) as { end: LoadSummary };
  const percentiles = Object.keys(LOAD_PERCENTILES) as (keyof typeof LOAD_PERCENTILES)[];
  const { columns, rows } = tableOf(page, "Durations");
  const text = (it: number) => (it * 1000).toFixed(3);
  const cells = (values: LoadDurations) => [
    text(values.min),
    ...percentiles.map((it) => values.beyond.includes(it) ? "> 5 s" : text(values[it]!)),
    ...[values.max, values.avg].map(text),
    String(values.count),
  ];
  assertEquals(columns.map(({ name }) => name), [
    ...["duration", "min", "p50", "p90", "p95", "p99", "p99.9"],
    ...["max", "avg", "count"],
  ]);
  const [web1, web2] = end.servers as [LoadSummary["servers"][0], LoadSummary["servers"][0]];
  assertEquals(rows, [
    ["response", ...cells(end.response!)],
    ["service", ...cells(end.service!)],
    ["send lag", ...cells(end.send_lag!)],
    ["blocked", ...cells(end.blocked!)],
    ["upstream delay above its best, web-1", ...cells(web1.up!)],
    ["downstream delay above its best, web-1", ...cells(web1.down!)],
    ["upstream delay above its best, web-2", ...cells(web2.up!)],
    ["downstream delay above its best, web-2", ...cells(web2.down!)],
  ]);
  const counts = tableOf(page, "Lines").rows.map(([name, count]) => [name, Number(count)]);
  assertEquals(Object.fromEntries(counts), {
    ...Object.fromEntries(counts.map(([name]) => [name, end[name as "planned"]])),
    errors: end.errors["connection reset"],
  });
  assertEquals(tableOf(page, "What failed").rows, [["connection reset", "line", String(39 * 15 + 6)]]);
  assertEquals(tableOf(page, "Servers").rows.map((it) => it.slice(0, 3)), [
    ["web-1", "25 (50%)", `${40 * 480} (49%)`],
    ["web-2", "25 (50%)", `${40 * 500} (51%)`],
  ]);
});

test("the page says nothing that the text says in other words or figures", () => {
  const run = eventful();
  const page = pageOf(run);
  const text = written((sink) => new LoadText(sink, { rows: true }), run);
  const words = page.verdicts.map((it) => it.text);
  const said = (line: string) =>
    assert(words.some((it) => it.includes(line)), `${line} in\n${words.join("\n")}`);
  const lines = text.split("\n");
  const from = lines.findIndex((it) => it.startsWith("---"));
  for (const line of lines.slice(from + 1, from + 5)) said(line.replace(/^(?:errors: |generator )/, ""));
  said(lines.find((it) => it.startsWith("steady: "))!.replace("steady: ", ""));
  for (const [percentile, value, interval, note] of tableOf(page, "Response").rows) {
    const row = lines.find((it) => it.startsWith(`  ${percentile} `))!;
    const more = `${interval}${note}`.replace(/^(\d+ lines not answered in time)$/, "($1)");
    assertEquals(row.trim().split(/ {2,}/), [percentile!, value!, ...more === "" ? [] : [more]]);
  }
  assertEquals(page.facts.find((it) => it.name === "Load")?.value, "open loop, 1000 lines/s, 50 connections");
});

test("what is of a sample of the lines is said to be, and its maximum to be at least that", () => {
  const told = (sampled: boolean) => {
    const page = pageOf(runOf(3, (interval) => {
      answer(interval, 500, 300);
      interval.sampled = sampled;
    }));
    const { caption, rows } = tableOf(page, "Durations");
    const max = rows.filter(([name]) => /delay|service/.test(name!)).map((it) => it.at(-3));
    return [caption, max, plotOf(page, "Upstream").note, plotOf(page, "Downstream").note];
  };
  const each =
    "each second, above the shortest delay that was known by then; both directions have one scale.";
  const max = (told(false)[1] as string[]).map((it, place) => place === 0 ? it : `≥ ${it}`);
  assertEquals(told(false)[0], "Durations in ms, of received lines");
  assertEquals(told(false).slice(2), [`Of ${each}`, `Of ${each}`]);
  assertEquals(told(true), [
    "Durations in ms, of received lines; the directions are of a sample of them, whose max is the least that it may be of all",
    max,
    ...["up", "down"].map(() => `Of a sample of the lines of ${each}`),
  ]);
});

test("a closed loop's page says that waits are left out, and shows nothing of a plan", () => {
  const run = runOf(3, (interval) => {
    answer(interval, 500, 300);
    interval.response.clear();
    interval.sendLag.clear();
    interval.blocked.clear();
  }, { loop: "closed", cpu: () => 0.99 });
  const page = pageOf(run, CLOSED_START);
  assertStringIncludes(
    page.verdicts.find((it) => it.topic === "Latency")!.text,
    "excludes waiting caused by slow replies",
  );
  assertEquals(page.verdicts.find((it) => it.topic === "Generator")?.tone, "bad");
  assertEquals(plotsOf(page).map((it) => it.title), [
    "Service time over time",
    "Latency by percentile of the received lines",
    "Lines by time and service time",
    "Histogram of the service time",
    "Sent and received rate over time",
    "Lines in flight as each second ended",
    "Upstream delay over time, from write to the server's stamp",
    "Downstream delay over time, from the server's stamp to the reply",
  ]);
  assertEquals(layerOf(plotsOf(page)[4]!, "line", "planned"), undefined);
});

test("the heat map and the histogram count each line that was received once", { level: "sized" }, () => {
  const second = fc.array(
    fc.tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 4_000_000 })),
    {
      maxLength: 5,
    },
  );
  assertProperty(
    fc.property(fc.array(second, { minLength: 2, maxLength: 260 }), (seconds) => {
      const run = runOf(seconds.length, (interval, place) => {
        for (const [lines, micros] of seconds[place]!) answer(interval, lines, micros);
      });
      const page = pageOf(run);
      const { received } = run.stats.total;
      if (received === 0) {
        return assertEquals(plotsOf(page).some((it) => it.title.startsWith("Lines by time")), false);
      }
      const heat = layerOf(plotOf(page, "Lines by time and response"), "heat")!;
      assertEquals(heat.counts.flat().reduce((sum, it) => sum + it, 0), received);
      assertEquals(heat.counts.length, heat.yEdges.length - 1);
      for (const row of heat.counts) assertEquals(row.length, heat.xEdges.length - 1);
      assert(heat.xEdges.length <= 121 && heat.yEdges.length <= 41);
      for (const edges of [heat.xEdges, heat.yEdges]) {
        assertEquals(edges, edges.toSorted((a, b) => a - b));
      }
      const bars = layerOf(plotOf(page, "Histogram"), "bars")!;
      assertEquals(bars.values.reduce((sum, it) => sum + it, 0), received);
    }),
    { numRuns: volume(15, 150) },
  );
});

test("a load of a second has no charts over time, whose one point nobody sees, and says so", () => {
  const page = pageOf(runOf(1, (it) => answer(it, 500, 200)));
  assertEquals(plotsOf(page).map(({ title }) => title), [
    "Latency by percentile of the received lines",
    "Histogram of the response",
  ]);
  const told = page.sections.flatMap(({ parts }) => parts).flatMap((it) =>
    it.kind === "text" ? [it.text] : []
  );
  assertStringIncludes(told.join(), "this run has one second");
  assert(plotsOf(pageOf(runOf(2, (it) => answer(it, 500, 200)))).length > 5);
});

test("a second has no percentile for which its lines that never came leave no room", () => {
  const fill = (missing: number, from: number) =>
    pageOf(runOf(10, (interval, place) => {
      answer(interval, 1000 - (place < from ? 0 : missing), place < from ? 900_000 : 10_000);
      interval.planned = interval.sent = 1000;
      if (place >= from + 2) interval.lost += missing;
    }, { timeout: 2000 }));
  const some = plotOf(fill(20, 5), "Response over time");
  const places = (name: string) =>
    layerOf(some, "line", name)!.y.flatMap((it, place) => it === null ? [] : [place]);
  assertEquals(places("p99"), [0, 1, 2, 3, 4, 8, 9]); // of the last two seconds no time-out has passed
  assertEquals(places("p50"), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assertEquals(layerOf(some, "band")!.name, "minimum to maximum received");
  assertStringIncludes(some.note!, "A percentile has a gap where too many lines were not answered in time");
  assertStringIncludes(some.description, "half of the received lines at most");
  const few = plotOf(fill(10, 5), "Response over time");
  assert(layerOf(few, "line", "p99")!.y.every((it) => it !== null) && !few.note!.includes("gap"));
  const most = plotOf(fill(750, 1), "Response over time");
  assertEquals(layerOf(most, "line", "p99")!.y.slice(0, 8).map((it) => it !== null), [
    ...[true, false, false, false, false, false, false, false],
  ]);
});

test("a table of durations says of which lines it is, and why a percentile is no number", () => {
  const caption = (run: Run) => tableOf(pageOf(run), "Durations").caption;
  assertEquals(caption(runOf(3, (it) => answer(it, 9, 9))), "Durations in ms, of received lines");
  assertEquals(
    caption(eventful(3)),
    "Durations in ms, of received lines; > 5 s where too many lines were not answered in time for the percentile",
  );
});

test("lines in flight are told as counts at some moments, not as the most there were", () => {
  const run = runOf(5, (interval, place) => {
    answer(interval, 100, 200);
    interval.inFlight = place === 3 ? 11 : 2;
  });
  const { note, description } = plotOf(pageOf(run), "Lines in flight");
  assertStringIncludes(note!, "What was between two counts is not known.");
  assertEquals(description, "The highest count is 11, at 4.0 s.");
});

test("percentiles of the received lines are named so, with how many never came", () => {
  const lossy = plotOf(pageOf(eventful()), "Latency by percentile of the received lines");
  assertEquals(lossy.x.label, "percentile of the received lines");
  assertStringIncludes(
    lossy.note!,
    `${20 * 40} of ${1000 * 40} lines were not answered in time, and are in no percentile`,
  );
  for (const layer of lossy.layers as LineLayer[]) {
    const { kind, x, y } = layer;
    assert(kind === "line" && x.length === y.length && y.every((it) => it !== null));
    const most = layer.name === "response" ? 0.98 : 0.99; // what was not sent has no service time
    assert(x.at(-1)! <= most && x.at(-1)! > 0.97, `${layer.name} ends where the sample is true no more`);
  }
  const whole = plotOf(pageOf(runOf(3, (it) => answer(it, 9, 9))), "Latency by percentile");
  assert(!whole.note!.includes("no reply"), whole.description);
});

test("what is of all lines has no colour of a server, and no two servers have one", () => {
  const tags = Array.from({ length: 8 }, (_, i) => `web-${i}`);
  const limited = { ...TRIAL, generator: { verdict: "limited" as const, reasons: [] } };
  const found: LoadFound = {
    ...{ outcome: "found", rate: 1000 },
    trials: [TRIAL, { ...TRIAL, passed: false }, { ...limited, passed: false }],
  };
  const run = runOf(3, (interval) => {
    for (const tag of tags) answer(interval, 500, 200, tag);
    interval.lost += 2000;
    interval.dropped += 3000;
  });
  const page = pageOf(run, { ...START, find: "p99<5ms" }, { found });
  const coloursOf = (plots: Plot[]) =>
    new Set(plots.flatMap(({ layers }) => layers).flatMap((it) => it.kind === "heat" ? [] : [it.colour]));
  const isOfServers = ({ title }: Plot) => /stream delay/.test(title);
  const own = coloursOf(plotsOf(page).filter(isOfServers));
  const others = coloursOf(plotsOf(page).filter((it) => !isOfServers(it)));
  assertEquals(own.size, 8);
  // Dashed ones are of the same eight hues.
  assertEquals([...own].map((it) => it % 8).filter((it) => others.has(it)), []);
});

test("percentiles that lines without a reply leave no room for have no empty chart", () => {
  const page = pageOf(runOf(3, (interval) => {
    answer(interval, 100, 200);
    interval.planned = interval.sent = 1000;
    interval.lost = 900;
  }));
  assert(!plotsOf(page).some(({ title }) => title.startsWith("Latency by percentile")));
  assertEquals(tableOf(page, "Response").rows[0]!.slice(0, 2), ["p50", "> 5 s"]);
});

test("connections that no line of the plan was for are told as opened before it", () => {
  const run = runOf(3, (interval, place) => {
    answer(interval, 100, 200);
    if (place === 0) interval.connect.record(500, 10);
  });
  const told = (reconnect: boolean) =>
    plotOf(pageOf(run, { ...START, reconnect }), "Connects by percentile").description;
  assertEquals(
    told(false),
    "10 connections, opened before the warm-up, or anew after one had ended; they took 0.500 ms at most.",
  );
  assertEquals(told(true), "10 connections, each for a line of the plan; they took 0.500 ms at most.");
});

/** A plan of 4 s, and lines that came within half a second after its end, the slowest after 831 ms. */
function lateRun(lines: number, micros = 831_000): Run {
  const run = runOf(4, (interval) => answer(interval, 300, 14_000));
  const tail = new LoadInterval();
  Object.assign(tail, { from: 4000, to: 4370, tail: true });
  answer(tail, lines, micros);
  tail.planned = 0;
  tail.server(null).up.record(814_000, lines);
  run.stats.add(tail);
  return run;
}

test("lines that were under way at the plan's end are no shortfall, those that never came are", () => {
  const verdictOf = (run: Run) => {
    const { tone, text } = pageOf(run).verdicts.find(({ topic }) => topic === "Rate")!;
    return `${tone}: ${text}`;
  };
  const told = "300 lines/s planned, 250 lines/s received";
  const ending = (lines: number, more: Partial<LoadInterval> = {}) => {
    const run = runOf(4, (interval, place) => {
      answer(interval, place === 3 ? 300 - lines : 300, 20_000);
      if (place === 3) interval.planned = interval.sent = 300;
    });
    const tail = new LoadInterval();
    Object.assign(tail, { from: 4000, to: 4500, tail: true, ...more });
    tail.received = lines - (tail.lost ?? 0);
    run.stats.add(tail);
    return verdictOf(run);
  };
  assertEquals(
    ending(60),
    "plain: 300 lines/s planned, 285 lines/s received in the time of the plan, and 60 lines after its end",
  );
  assertEquals(ending(0), "plain: 300 lines/s planned, 300 lines/s received");
  assertEquals(
    ending(200),
    `unsure: ${told} in the time of the plan, and 200 lines after its end: a queue that grew, or a plan too short ` +
      "for such latencies",
  );
  assertEquals(
    ending(200, { lost: 100 }),
    `bad: ${told} in the time of the plan, and 100 lines after its end: replies did not keep up with the plan`,
  );
});

test("what came after the plan's end is drawn where it was, and is in no rate", () => {
  const page = pageOf(lateRun(145));
  const response = plotOf(page, "Response over time");
  const [at, p99] = [
    layerOf(response, "line", "p99")!.x.at(-1)!,
    layerOf(response, "line", "p99")!.y.at(-1)!,
  ];
  assertEquals([at.toFixed(3), Math.round(p99)], ["4.185", 831]);
  assertStringIncludes(
    response.description,
    "Among the p99 of each second and of what came after the plan's end the highest is 831",
  );
  assertStringIncludes(
    response.note!,
    "145 replies came after the plan's end; the slowest had taken 831.000 ms.",
  );
  assertStringIncludes(plotOf(page, "Upstream delay").description, "at most 814");
  const rates = plotOf(page, "Planned, sent and received rate");
  for (const name of ["planned", "sent", "received"]) {
    const { x, y } = layerOf(rates, "line", name)!;
    assertEquals([x, y], [[0, 1, 2, 3, 4], [300, 300, 300, 300, 300]]);
  }
  assertStringIncludes(rates.note!, "145 replies came after the plan's end");
  const { heat, text } = {
    heat: layerOf(plotOf(page, "Lines by time"), "heat")!,
    text: plotOf(page, "Lines by time"),
  };
  assertEquals(heat.xEdges, [0, 1, 2, 3, 4, 4.37]);
  assertStringIncludes(
    text.note!,
    "A column is 1 s wide; the last covers the 370 ms after the plan's end.",
  );
});

test("a few lines after the plan's end are drawn if one is slower than all before, and told in any case", () => {
  for (
    const [lines, micros, drawn] of [[10, 14_000, false], [3, 831_000, true], [40, 14_000, true]] as const
  ) {
    const plot = plotOf(pageOf(lateRun(lines, micros)), "Response over time");
    assertEquals(layerOf(plot, "band")!.high.at(-1) !== null, drawn, `${lines} lines`);
    assertStringIncludes(plot.note!, `${lines} replies came after the plan's end`);
    assertEquals(plot.description.includes("and of what came after"), drawn);
  }
  const upstream = plotOf(pageOf(lateRun(40)), "Upstream delay").description;
  assertStringIncludes(upstream, "and up to 814.000 ms in what came after the plan's end");
  assert(!plotOf(pageOf(runOf(4, (it) => answer(it, 9, 9))), "Response").note!.includes("plan's end"));
});

test("each server's delays have its own colour, upstream and downstream on one scale", () => {
  const page = pageOf(eventful());
  const [up, down] = ["Upstream", "Downstream"].map((it) => plotOf(page, it)) as [Plot, Plot];
  assertEquals([up.y.min, up.y.max], [down.y.min, down.y.max]);
  for (const plot of [up, down]) {
    assertEquals(plot.layers.map((it) => [it.name, "colour" in it && it.colour]), [
      ["web-1, p50 to p99", 1],
      ["web-1, p99", 1],
      ["web-2, p50 to p99", 2],
      ["web-2, p99", 2],
    ]);
  }
  assertEquals(Math.round(Math.max(...layerOf(up, "line", "web-2, p99")!.y.map((it) => it!))), 9);
});

const NOT_KEPT: LoadTrial = {
  ...{ ...TRIAL, rate: 2000, passed: false },
  ...{ reasons: ["p99<5ms not kept"], reason_codes: ["not-kept"] },
};

test("a search is a knee: the trials that passed and those that failed, the limit, the rate found", () => {
  const trials: LoadTrial[] = [
    TRIAL,
    { ...NOT_KEPT, value: 0.02 },
    { ...TRIAL, rate: 1500, value: null, passed: false, reasons: ["3 lost"], reason_codes: ["lost"] },
  ];
  const found: LoadFound = { outcome: "found", rate: 1000, trials };
  const page = pageOf(eventful(3), { ...START, rate: null, find: "p99<5ms" }, { found });
  const knee = plotOf(page, "p99 at each rate tried, to keep p99<5ms");
  const points = knee.layers.filter((it) => it.kind === "points").map(({ name, x, y }) => [name, x, y]);
  assertEquals(points, [["passed", [1000], [1]], ["failed", [2000], [20]]]);
  assertEquals(layerOf(knee, "line", "limit")!.y, [5, 5]);
  assertEquals(layerOf(knee, "spans", "rate found")!.spans, [[1000, 1000]]);
  assertEquals(tableOf(page, "Trials").rows.map((it) => it.at(-1)), [
    "passed",
    "failed: p99 was 20.000 ms",
    "failed: 3 lost",
  ]);
  assertEquals(page.verdicts[1], {
    topic: "Search",
    tone: "good",
    text: "highest rate that keeps p99<5ms: 1000 lines/s",
  });
});

test("a search that found no limit of the server's has no rate found, and trials of the generator's limit their own colour", () => {
  const limited: LoadTrial = {
    ...{ ...NOT_KEPT, value: 0.776 },
    generator: { verdict: "limited", reasons: ["half of its lines were more than 1.200 ms late"] },
  };
  const late: LoadTrial = {
    ...{ ...limited, reasons: ["p99<5ms not kept", "the words do not matter"] },
    reason_codes: ["not-kept", "generator-late"],
    generator: { verdict: "strained", reasons: ["1% of its lines were more than 108.900 ms late"] },
  };
  const kneeOf = (outcome: LoadFound["outcome"], trial = limited) => {
    const found: LoadFound = { outcome, rate: 1000, trials: [TRIAL, trial] };
    return plotOf(
      pageOf(eventful(3), { ...START, rate: null, find: "p99<5ms" }, { found }),
      "p99 at each rate tried, to keep p99<5ms",
    );
  };
  for (const trial of [limited, late]) {
    assertEquals(kneeOf("at least", trial).layers.map(({ name }) => name), [
      "limit",
      "at least this rate",
      "passed",
      "generator limited or late: tells nothing of the server",
    ]);
  }
  assertEquals(layerOf(kneeOf("unconfirmed"), "spans")!.name, "highest rate that passed, unconfirmed");
});

test("a trial that was interrupted is no failed one: it is not drawn, and its row says so", () => {
  const interrupted: LoadTrial = {
    ...{ ...NOT_KEPT, value: 0.02 },
    ...{ reasons: ["it was interrupted"], reason_codes: ["interrupted"] },
  };
  const found: LoadFound = { outcome: "interrupted", rate: 1000, trials: [TRIAL, interrupted] };
  const page = pageOf(eventful(3), { ...START, rate: null, find: "p99<5ms" }, { found, ended: "stopped" });
  const knee = plotOf(page, "p99 at each rate tried, to keep p99<5ms");
  assertEquals(knee.layers.map(({ name }) => name), ["limit", "highest rate that had passed", "passed"]);
  assertStringIncludes(knee.description, "and those of 1 that have no value or were interrupted.");
  assertEquals(tableOf(page, "Trials").rows.map((it) => it.at(-1)), ["passed", "interrupted"]);
});

test("the JSON in a page is the run's", { level: "heavy" }, () => {
  const run = eventful();
  const whole = written((sink) => new LoadDocument(sink), run);
  assertEquals(pageOf(run).document.json, whole);
});

test("the JSON in a page of a long run has neighbours merged until it fits, and compare reads it", {
  level: "slow",
}, () => {
  const long = runOf(720, (interval, place) => {
    for (let i = 0; i < 400; i++) answer(interval, 1 + place % 3, 100 * 1.02 ** i + place, "web-1");
  });
  const page = pageOf(long);
  assert(page.document.json.length <= 640 * 1024);
  assert(renderPage(page).length <= 1.5 * 1024 ** 2);
  const { seconds, end } = JSON.parse(page.document.json);
  assert(seconds.length < 360 && seconds.length > 10, `${seconds.length}`);
  const sum = seconds.reduce((all: number, it: { received: number }) => all + it.received, 0);
  assertEquals([sum, seconds.at(-1).to], [end.received, 720]);
  assertStringIncludes(
    JSON.stringify(page.sections.at(-1)),
    `each entry of its \\"seconds\\" is of ${seconds[0].to} s; --json saves one for each 2 s.`,
  );
  const { p99 } = readComparedRun(page.document.json).figures;
  assertEquals(p99.value, end.response.p99);
});

test("a run without a reply has a page that says so", () => {
  const run = runOf(2, (interval) => {
    interval.planned = interval.sent = interval.lost = 10;
  });
  const page = pageOf(run);
  assertEquals(page.verdicts.find((it) => it.topic === "Latency")?.text, "no line was answered in time");
  assertEquals(plotsOf(page).map((it) => it.title), [
    "Planned, sent and received rate over time",
    "Lines in flight as each second ended",
  ]);
});
