/** What the page of a run of ping's says: the text report's figures and sentences, and nothing lost. */
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { escapeText } from "../failure.ts";
import type { Page, Table } from "../report/page/model.ts";
import { PingPage, pingPage } from "../report/ping_page.ts";
import type { Start } from "../report/record.ts";
import { TextReport } from "../report/text.ts";
import { newStats, readRun } from "../report/transcript.ts";
import type { ProbeEvent } from "../stats/events.ts";
import { test } from "./harness.ts";
import { endOf, eventsOf, PAIR, runOf, START, type World } from "./ping_runs.ts";

function pageOf(
  world: World,
  { thresholds = [] as string[], start = START } = {},
): { page: Page; text: string } {
  const stats = runOf(world, start);
  const end = endOf(stats, thresholds);
  let text = "";
  const report = new TextReport({ write: (it) => text += it }, {
    header: true,
    events: false,
    timestamps: false,
  });
  report.start(start);
  report.end(end);
  return { page: pingPage(start, end, { json: "{}", whole: true }, "tsecho 1"), text };
}

function verdictOf({ verdicts }: Page, topic: string): string {
  const found = verdicts.find((it) => it.topic === topic);
  assert(found !== undefined, `no ${topic} in ${verdicts.map((it) => it.topic)}`);
  return `${found.tone}: ${found.text}`;
}

function tableOf({ sections }: Page, caption: string): Table {
  const parts = sections.flatMap((it) => it.parts);
  const tables = parts.flatMap((it) =>
    it.kind === "table" && it.table.caption.startsWith(caption) ? [it.table] : []
  );
  assertEquals(tables.length, 1, caption);
  return tables[0]!;
}

test("a page's verdicts are sentences of the text report", () => {
  const { page, text } = pageOf(PAIR, { thresholds: ["p99>5ms", "loss>50%", "abs(offset)>10us"] });
  for (const { topic, text: said } of page.verdicts) {
    if (topic === "Condition" || topic === "Direction, web-1" || topic === "Ping itself") continue;
    for (const sentence of said.split("; ")) assertStringIncludes(text, escapeText(sentence), topic);
  }
  assertStringIncludes(
    verdictOf(page, "Loss"),
    "bad: 400 lines transmitted, 389 received, 2.75% loss",
  );
  assertStringIncludes(verdictOf(page, "Loss"), "lost in 2 bursts, longest outage 100 ms");
  assertStringIncludes(
    verdictOf(page, "Direction, web-1"),
    "plain: neither direction has clearly more of the delay",
  );
  assertStringIncludes(
    verdictOf(page, "Direction, web-2"),
    "bad: downstream has most of the delay: p90 above its best is ",
  );
  assertStringIncludes(verdictOf(page, "Clock offset, web-1"), "no measurable difference");
  assertStringIncludes(verdictOf(page, "Clock offset, web-2"), "plain: -1500.");
  assertStringIncludes(verdictOf(page, "Clock offset, web-2"), "client ahead");
  assertEquals(verdictOf(page, "Ping itself"), "good: each line was sent when it was due");
  const conditions = page.verdicts.filter(({ topic }) => topic === "Condition").map(({ tone, text }) =>
    `${tone}: ${text.replace(/\d+\.\d+ ms/g, "N ms")}`
  );
  assertEquals(conditions, [
    "bad: Threshold broken: p99>5ms: it is N ms",
    "good: Threshold kept: loss>50%: it is 2.75%",
    "bad: Threshold broken: abs(offset)>10us: it is from N ms to N ms for web-2",
  ]);
});

test("a page's tables have the summary's figures, as the text report writes them", () => {
  const { page, text } = pageOf(PAIR);
  const { summary } = endOf(runOf(PAIR));
  const table = tableOf(page, "Durations in ms");
  const columns = table.columns.map(({ name }) => name);
  assertEquals(columns, ["duration", "min", "p50", "p90", "p99", "p99.9", "max", "avg", "mdev", "count"]);
  const rows = new Map(table.rows.map(([name, ...cells]) => [name, cells]));
  const [one, two] = summary.servers;
  const durations = {
    "round trip": summary.rtt,
    "web-1: round trip": one!.rtt,
    "web-1: upstream delay above its best": one!.up,
    "web-1: downstream delay above its best": one!.down,
    "web-2: round trip": two!.rtt,
    "web-2: upstream delay above its best": two!.up,
    "web-2: downstream delay above its best": two!.down,
    "response, from planned line to reply": summary.response,
    "send lag of ping itself": summary.lag,
    "blocked by the connection": summary.blocked,
    "connect": summary.connect,
  };
  assertEquals([...rows.keys()], Object.keys(durations));
  for (const [name, values] of Object.entries(durations)) {
    const { min, p50, p90, p99, p99_9, max, avg, mdev, count } = values!;
    const cells = [min, p50, p90, p99, p99_9, max, avg, mdev].map((it) =>
      it === null ? "–" : (it * 1000).toFixed(3)
    );
    assertEquals(rows.get(name), [...cells, String(count)], name);
  }
  const of = (name: string, ...cells: string[]) =>
    cells.map((it) => rows.get(name)![columns.indexOf(it) - 1]);
  assertStringIncludes(
    text,
    `rtt min/avg/max/mdev = ${of("round trip", "min", "avg", "max", "mdev").join("/")} ms`,
  );
  assertStringIncludes(
    text,
    `rtt p50/p90/p99 = ${of("web-2: round trip", "p50", "p90", "p99").join("/")} ms`,
  );
  const counts = Object.fromEntries(
    tableOf(page, "Lines; 2.75% loss").rows.map(([name, count]) => [name, Number(count)]),
  );
  assertEquals(counts, {
    "sent": summary.sent,
    "received": summary.received,
    "lost": 11,
    "late, among the lost": 0,
    "duplicate replies": 0,
    "reordered, among the received": 0,
    "corrupt replies": 0,
    "still pending at the end": 0,
    "not sent in time": 0,
  });
  const servers = tableOf(page, "Servers").rows;
  assertEquals(servers.map(([tag, replies]) => [tag, replies]), [["web-1", "194"], ["web-2", "195"]]);
  for (const [, , offset, , rtt, up, down] of servers) {
    assertStringIncludes(text, `clock offset ${offset}`);
    for (const p90 of [rtt, up, down]) assertStringIncludes(text, `/${p90}`);
  }
  assertEquals(servers.map((it) => it.at(-1)), ["–", "downstream"]);
});

test("a page says what was asked for, as far as a saved run tells", () => {
  const facts = (start: Start) =>
    Object.fromEntries(pageOf({ lines: 3 }, { start }).page.facts.map(({ name, value }) => [name, value]));
  assertEquals(facts({ ...START, deadline: 90, reconnect: true, clocks_synced: true }), {
    "Endpoint": "tcp://web:21567",
    "Began": "2026-11-23 03:37:00 UTC",
    "Measured": "30 ms",
    "Interval": "10 ms",
    "Lines asked for": "100",
    "Deadline": "90 s",
    "Payload": "56 bytes a line",
    "Time-out": "5 s",
    "Connection": "one for each line (--reconnect)",
    "Clocks": "said to agree (--clocks-synced)",
    "Made by": "tsecho 1",
  });
  const { count: _, deadline: __, reconnect: ___, ...old } = START;
  assertEquals(Object.keys(facts(old)), [
    ..."Endpoint Began Measured Interval Payload Time-out".split(" ").map((it) => it),
    "Made by",
  ]);
  assertEquals(
    facts({ ...START, interval: 0, pace: null })["Interval"],
    "0: each reply calls for the next line",
  );
  assertEquals(facts({ ...START, interval: 0, pace: 0.002 })["Interval"], "0 ms, paced at 2.000 ms");
  assertEquals(facts({ ...START, time: 1e12 })["Began"], "+033658-09-27 01:46:40 UTC");
});

test("a page says what cannot be told, that a run ended early, and that ping was late", () => {
  const stats = runOf({ lines: 5 });
  const few = pingPage(START, endOf(stats, ["p99>5ms"], "the server closed the connection"), SAVED, "");
  assertEquals(
    verdictOf(few, "Ended early"),
    'bad: Cannot ping "tcp://web:21567" any further: the server closed the connection',
  );
  assertStringIncludes(verdictOf(few, "Condition"), 'unsure: Cannot tell whether "p99>5ms" holds');
  assertEquals(verdictOf(few, "Direction"), "plain: too few replies to tell which direction has the delay");
  const none = pingPage(START, endOf(newStats(START)), SAVED, "");
  assertEquals(none.verdicts, [{
    topic: "Loss",
    tone: "unsure",
    text: "0 lines transmitted, 0 received, loss unknown, time 0 ms",
  }]);
  const late = newStats(START);
  for (const event of eventsOf({ lines: 200 })) late.add({ ...event, lag: 3000 } as ProbeEvent);
  late.add({ fate: "missed", seq: 0, at: 3, count: 7, reason: "ping was late" });
  const said = verdictOf(pingPage(START, { ...endOf(late), cut: true }, SAVED, ""), "Ping itself");
  assertStringIncludes(
    said,
    "unsure: 7 lines were not sent in time: ping was late; one every ",
  );
  assertStringIncludes(said, "send lag p99 3.000 ms: ping itself was late with its lines");
  const plain = newStats(START);
  for (const event of eventsOf({ lines: 60 })) {
    plain.add({ ...event, format: "none", stamp: undefined } as ProbeEvent);
  }
  const stampless = pingPage(START, { ...endOf(plain), cut: true }, SAVED, "");
  assertEquals(
    verdictOf(stampless, "Direction"),
    "unsure: the replies have no stamp: neither clock offset nor direction can be told",
  );
  assertStringIncludes(verdictOf(stampless, "Saved in part"), "the saved run has no end");
});

test("a page tells a clock that kept to no line from one that did", () => {
  const stats = newStats(START);
  stats.keepCourse(5);
  for (const event of eventsOf({ lines: 400 })) {
    const { stamp = 0 } = event as { stamp?: number };
    stats.add(
      { ...event, stamp: stamp + 1e6 * [0, 1, -2, 5, 4, 9][Math.floor(event.seq / 80)]! } as ProbeEvent,
    );
  }
  const page = pingPage(START, endOf(stats), SAVED, "");
  assertStringIncludes(verdictOf(page, "Clock offset"), "unsure: ");
  assertStringIncludes(
    verdictOf(page, "Clock offset"),
    "what all replies proved is withdrawn: the clocks changed too often",
  );
  const { break_count, breaks } = stats.summary().servers[0]!;
  assertEquals(break_count, 5);
  assertMatch(
    verdictOf(page, "Clock changes"),
    /^bad: clock step \+\d+\.\d+ ms ± [^;]*; \.\.\. and 4 more of these; so many changes look like several servers/,
  );
  const texts = page.sections.find(({ heading }) => heading === "Clocks")!.parts.flatMap((it) =>
    it.kind === "text" ? it.text : []
  );
  const [changes] = texts.filter((it) => it.startsWith("Clock changes: "));
  for (const { by } of breaks) assertMatch(changes!, new RegExp(`at reply ${by}:|and ${by}:`));
  const plots = page.sections.flatMap(({ parts }) => parts).flatMap((it) =>
    it.kind === "plot" ? [it.plot] : []
  );
  const { layers } = plots.find(({ title }) => title.startsWith("Clock offset"))!;
  assertEquals(layers.map(({ name }) => name), ["bound that single replies prove", "middle of the bound"]);
});

test("the page says why lines were lost, as the text does and the JSON's end", () => {
  const stats = newStats(START);
  for (const event of eventsOf({ lines: 20 })) stats.add(event);
  for (const seq of [21, 22]) stats.add({ fate: "lost", seq, at: seq, reason: "connection refused" });
  const end = endOf(stats);
  assertEquals(end.summary.errors, { "connection refused": 2 });
  const [loss] = pingPage(START, end, SAVED, "").verdicts.filter(({ topic }) => topic === "Loss");
  assertStringIncludes(loss!.text, "; errors: 2 × connection refused");
});

const SAVED = { json: "{}", whole: true };

/** What the exporter writes of a run. */
function htmlOf(world: World, start = START): { html: string; json: string } {
  let html = "";
  const page = new PingPage({ write: (text) => html += text }, "tsecho 1");
  const stats = newStats(start);
  stats.keepCourse(start.timeout);
  page.start(start);
  for (const event of eventsOf(world)) {
    stats.add(event);
    page.event(event);
  }
  page.end(endOf(stats));
  return { html, json: savedIn(html) };
}

/** The JSON that a page saves. */
function savedIn(html: string): string {
  const [, json] = /<script type="application\/json" id="run"[^>]*>([^<]*)<\/script>/.exec(html)!;
  return json!;
}

test("the run can be saved from its page, of a long run without its lines, and the page says which", {
  level: "heavy",
}, () => {
  const short = htmlOf({ lines: 300, tags: ["</script>", "\u2028"] });
  assertStringIncludes(short.html, "The button saves the whole run, which tsecho ping --from reads");
  const { start, events, ended, cut } = readRun(short.json);
  assertEquals([start, ended, cut], [START, null, false]);
  assertEquals(events, [...eventsOf({ lines: 300, tags: ["</script>", "\u2028"] })]);
  const long = htmlOf({ lines: 6000 });
  assertStringIncludes(long.html, "without its 6000 lines, which are too many for a page");
  const { end } = JSON.parse(long.json);
  assertEquals(
    end,
    JSON.parse(
      JSON.stringify({ type: "end", ended: null, ...runOf({ lines: 6000 }).summary(), thresholds: [] }),
    ),
  );
  assertThrows(
    () => readRun(long.json),
    Error,
    "it has no replies; was it a --json-stream with -q, or saved from the page",
  );
});

test("no tag of a server leaves the text it stands in", () => {
  const hostile = ["</script><script>alert(1)</script>", "]]>&\u2028\u202e", '"onload="x'];
  const { html } = htmlOf({ lines: 200, tags: hostile });
  for (const it of ["<script>alert", "]]>&", "\u2028", "\u202e"]) assert(!html.includes(it), it);
  const shown = html.replaceAll(/<script[^]*?<\/script>/g, "");
  assert(!shown.includes('"onload'), shown);
  assertStringIncludes(shown, "&lt;/script&gt;");
});
