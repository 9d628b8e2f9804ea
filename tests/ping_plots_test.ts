/** The charts of ping's page: nothing lost, nothing larger than a page may be, each server in one colour. */
import { assert, assertAlmostEquals, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Layer, Page, Plot } from "../report/page/model.ts";
import { PingPage, pingPage } from "../report/ping_page.ts";
import { newStats } from "../report/transcript.ts";
import type { ReplyEvent } from "../stats/events.ts";
import { test, volume } from "./harness.ts";
import { endOf, eventsOf, PAIR, runOf, START, type World } from "./ping_runs.ts";

function pageOf(world: World, start = START): Page {
  const stats = runOf(world, start);
  return pingPage(start, endOf(stats), { json: "{}", whole: true }, "");
}

function plotsOf({ sections }: Page): Map<string, Plot> {
  const parts = sections.flatMap((it) => it.parts);
  return new Map(parts.flatMap((it) => it.kind === "plot" ? [[it.plot.title, it.plot]] : []));
}

type LayerOf<K extends Layer["kind"]> = Extract<Layer, { kind: K }>;

function layersOf<K extends Layer["kind"]>({ layers }: Plot, kind: K): LayerOf<K>[] {
  return layers.filter((it): it is LayerOf<K> => it.kind === kind);
}

test("ping's page has a chart of each thing that a run tells", () => {
  const titles = [...plotsOf(pageOf(PAIR)).keys()];
  assertEquals(titles, [
    "Round trip over time",
    "Round trip by percentile",
    "Histogram of round trips",
    "Upstream delay above its best, over time",
    "Downstream delay above its best, over time",
    "Clock offset of web-1, with its bound",
    "Clock offset of web-2, with its bound",
  ]);
  const own = { connect: 300, handshake: 800 };
  const reconnected = pageOf({ lines: 20, own });
  assertEquals([...plotsOf(reconnected).keys()].at(-1), "Connect and TLS handshake over time");
  const few = pageOf({ lines: 5 });
  assertEquals([...plotsOf(few).keys()].slice(0, 2), [
    "Round trip over time",
    "Upstream delay above its best, over time",
  ]);
  const lost = pageOf({ lines: 5, isLost: () => true });
  assertEquals([...plotsOf(lost).values()].map(({ description }) => description), [
    "5 lost (100% loss).",
  ]);
  assertEquals(plotsOf(pageOf({ lines: 0 })).size, 0);
  assertEquals(
    plotsOf(pingPage(START, { ...endOf(newStats(START)) }, { json: "", whole: true }, "")).size,
    0,
  );
});

test("a chart's description has its figures", () => {
  const page = pageOf(PAIR);
  const { summary } = endOf(runOf(PAIR));
  const millis = (seconds: number) => `${(seconds * 1000).toFixed(3)} ms`;
  const said = (title: string) => plotsOf(page).get(title)!.description;
  const { p50, p90, p99, max } = summary.rtt!;
  assertEquals(
    said("Round trip over time"),
    `p50 ${millis(p50!)}, p90 ${millis(p90!)}, p99 ${millis(p99!)}, largest ${millis(max)}; ` +
      "11 lost (2.75% loss).",
  );
  const [one, two] = summary.servers;
  assertStringIncludes(
    said("Histogram of round trips"),
    `389 round trips: web-1: p50 ${millis(one!.rtt!.p50!)}`,
  );
  assertStringIncludes(
    said("Downstream delay above its best, over time"),
    `web-2: p50 ${millis(two!.down!.p50!)}`,
  );
  assertStringIncludes(
    said("Clock offset of web-2, with its bound"),
    `At the end ${(two!.offset!.value * 1000).toFixed(3)} ms ± `,
  );
});

test("a server has the same colour in every chart, and lost lines are all marked", () => {
  const plots = plotsOf(pageOf(PAIR));
  for (const plot of plots.values()) {
    for (const { kind, name, ...layer } of plot.layers) {
      if (kind === "heat") continue;
      const { colour } = layer as { colour: number };
      const whose = /web-\d/.exec(`${plot.title} ${name}`)?.[0];
      assertEquals(colour, kind === "spans" ? -1 : whose === "web-1" ? 0 : 1, `${plot.title}, ${name}`);
    }
  }
  const [spans] = layersOf(plots.get("Round trip over time")!, "spans");
  assertEquals(spans!.name, "lost (11)");
  assertEquals(spans!.spans.length, 2);
  for (const [i, seq] of [[0, 40], [1, 101], [1, 110]] as const) {
    const [from, to] = spans!.spans[i]!;
    assert(from <= seq * 0.01 + 1e-6 && to >= seq * 0.01 - 1e-6, `${seq}: ${from} to ${to}`);
  }
});

test("the mark of an outage is as long as the verdict says, to the end of a run that it ends", () => {
  for (
    const [isLost, from, to] of [
      [(seq: number) => seq > 100 && seq < 111, 1.01, 1.11],
      [(seq: number) => seq > 290, 2.91, 8],
      [() => true, 0.01, 8],
    ] as const
  ) {
    const stats = runOf({ lines: 300, isLost });
    const { summary } = endOf(stats);
    const plots = plotsOf(pingPage(START, endOf(stats), { json: "{}", whole: true }, ""));
    const plot = plots.get("Round trip over time") ?? plots.get("Lost lines over time")!;
    const [[began, ended] = [NaN, NaN]] = layersOf(plot, "spans")[0]!.spans;
    assertAlmostEquals(began, from, 1e-3);
    assertAlmostEquals(ended, to, 1e-3);
    assertAlmostEquals(ended - began, summary.loss_pattern!.longest.duration, 0.011); // the first has no line before
    assertEquals(plot.note, "A red span is an outage: it ends where a line was sent that was answered.");
  }
  const [single] = layersOf(
    plotsOf(pageOf({ lines: 30, isLost: (seq) => seq === 9 })).get("Round trip over time")!,
    "spans",
  );
  assertAlmostEquals(single!.spans[0]![1] - single!.spans[0]![0], 0, 1e-6);
});

test("a chart says how many lines were not sent, which it has no mark for", () => {
  const stats = runOf({ lines: 30 });
  stats.add({ fate: "missed", seq: 0, at: 0.5, count: 19, reason: "ping was late" });
  const plots = plotsOf(pingPage(START, endOf(stats), { json: "{}", whole: true }, ""));
  assertEquals(
    plots.get("Round trip over time")!.note,
    "19 lines were not sent in time: where several in a row were not, the curve has a gap.",
  );
});

test("a line is broken where lines were lost, and only there", () => {
  const [line] = layersOf(
    plotsOf(pageOf({ lines: 50, isLost: (seq) => seq > 20 && seq < 26 })).get("Round trip over time")!,
    "line",
  );
  const gaps = line!.x.filter((_, i) => line!.y[i] === null);
  assertEquals(gaps.length, 1);
  assertAlmostEquals(gaps[0]!, 0.23, 0.001);
  assertEquals(line!.y.length, 50 - 5 + 1);
});

test("a pause in which nothing was sent breaks a line, but no loss among lines that share a bin does", {
  level: "heavy",
}, () => {
  const stats = newStats(START);
  stats.keepCourse(5);
  for (const event of eventsOf({ lines: 60, isLost: (seq) => seq === 40 })) {
    if (event.seq < 10 || event.seq > 20) stats.add(event);
  }
  const page = pingPage(START, endOf(stats), { json: "", whole: true }, "");
  const [line] = layersOf(plotsOf(page).get("Round trip over time")!, "line");
  assertEquals(line!.x.filter((_, i) => line!.y[i] === null).map((it) => it.toFixed(2)), ["0.15", "0.40"]);
  const scattered = plotsOf(pageOf({ lines: 20_000, isLost: (seq) => seq % 50 === 0 }));
  const [average] = layersOf(scattered.get("Round trip over time")!, "line");
  assert(average!.y.every((it) => it !== null));
});

test("where every other line is lost each reply stands alone", () => {
  const page = pageOf({ lines: 40, isLost: (seq) => seq % 2 === 0 });
  const [line] = layersOf(plotsOf(page).get("Round trip over time")!, "line");
  assertEquals(line!.y.map((it) => it === null), Array.from({ length: 39 }, (_, i) => i % 2 === 1));
});

test("a band over time says how long each of its bins is", { level: "heavy" }, () => {
  const names = (lines: number) => {
    const plot = plotsOf(pageOf({ lines })).get("Round trip over time")!;
    return plot.layers.map(({ name }) => name);
  };
  assertEquals(names(40), ["each line"]);
  assertEquals(names(20_000), ["min to max of each 250 ms", "average"]);
});

test("where a clock was stepped its offset has a gap", () => {
  const stats = newStats(START);
  stats.keepCourse(5);
  for (const event of eventsOf({ lines: 400 })) {
    const { stamp } = event as ReplyEvent;
    stats.add({ ...event, stamp: stamp! + (event.seq > 200 ? 3e6 : 0) } as ReplyEvent);
  }
  const page = pingPage(START, endOf(stats), { json: "", whole: true }, "");
  const [band] = layersOf(plotsOf(page).get("Clock offset, with its bound")!, "band");
  const gap = band!.low.indexOf(null);
  assertAlmostEquals(band!.x[gap]!, 2, 0.02);
  assertEquals(band!.low.lastIndexOf(null), gap);
  assertAlmostEquals(band!.low[gap + 1]! - band!.high[gap - 1]!, 3000, 1);
});

test("a clock's offset is shown from when it is known well enough to see it at the end", () => {
  for (const name of ["web-1", "web-2"]) {
    const [band] = layersOf(plotsOf(pageOf(PAIR)).get(`Clock offset of ${name}, with its bound`)!, "band");
    const widths = (band!.high as number[]).map((high, i) => high - band!.low[i]!);
    assert(widths.length > 20, `${widths.length}`);
    assert(Math.max(...widths) <= 5 * widths.at(-1)! + 1e-3, `${widths}`);
    assert(Math.max(...widths) > widths.at(-1)!);
  }
});

test("a far offset is shown from where it is at the end, so that its bound can be seen", () => {
  const hour = -3600e6;
  const plot = plotsOf(pageOf({ lines: 100, offsets: [hour] })).get("Clock offset, with its bound")!;
  assertMatch(plot.y.label, /^server's clock minus this machine's, from -36000\d\d\.\d{3} ms$/);
  assertMatch(plot.description, /^At the end -36000\d\d\.\d{3} ms ± 0\.\d{3} ms\.$/);
  const [band] = layersOf(plot, "band");
  band!.low.forEach((low, i) => assert(low! < 1 && band!.high[i]! > -1 && band!.high[i]! - low! < 1));
});

test(
  "the extremes over time are those of the tables, however many lines share a bin",
  { level: "heavy" },
  () => {
    const world: World = {
      lines: volume(20_000, 200_000),
      tags: ["a", "b", undefined],
      slow: [0, 3000, 0],
      offsets: [0, 5e6, -7],
    };
    const page = pageOf(world);
    const { summary } = endOf(runOf(world));
    const plots = plotsOf(page);
    const largest = (title: string, colour: number) =>
      Math.max(
        ...layersOf(plots.get(title)!, "band").filter((it) => it.colour === colour).flatMap(({ high }) =>
          high as number[]
        ),
      );
    summary.servers.forEach(({ rtt, up, down }, colour) => {
      for (
        const [title, values] of [
          ["Round trip over time", rtt],
          ["Upstream delay above its best, over time", up],
          ["Downstream delay above its best, over time", down],
        ] as const
      ) {
        assertAlmostEquals(largest(title, colour), values!.max * 1000, 2e-4);
      }
    });
    for (const [title, plot] of plots) {
      const points = plot.layers.reduce((sum, it) => sum + ("x" in it ? it.x.length : 0), 0);
      assert(points <= 2200, `${title}: ${points} points`);
    }
    const percentiles = layersOf(plots.get("Round trip by percentile")!, "line");
    summary.servers.forEach(({ rtt }, i) => {
      const { x, y } = percentiles[i]!;
      assert(rtt!.count * (1 - x.at(-1)!) < 10 ** (1 / 20) + 1e-3, "as far as the replies tell");
      for (const [quantile, value] of [[0.9, rtt!.p90], [0.99, rtt!.p99], [0.999, rtt!.p99_9]] as const) {
        assertAlmostEquals(y[x.findIndex((it) => Math.abs(it - quantile) < 1e-6)]!, value! * 1000, 1e-3);
      }
    });
    const counts = layersOf(plots.get("Histogram of round trips")!, "line");
    assertEquals(
      counts.map(({ y }) => (y as number[]).reduce((sum, it) => sum + it)),
      summary.servers.map((it) => it.received),
    );
  },
);

test("charts show the servers with the most replies, and the page says so", () => {
  const tags = Array.from({ length: 12 }, (_, i) => `s${String(i).padStart(2, "0")}`);
  const page = pageOf({ lines: 300, tags, isLost: (seq) => seq % 12 < 4 && seq > 60 });
  const [text] = page.sections.find(({ heading }) => heading === "Round trips")!.parts;
  assertEquals(text, {
    kind: "text",
    text: "The charts show the 8 servers with the most replies; the tables show all.",
  });
  const lines = layersOf(plotsOf(page).get("Round trip by percentile")!, "line");
  assertEquals(lines.map(({ name }) => name), tags.slice(4));
});

test("the page of a long run is small, whatever happens in it", { level: "long" }, () => {
  const lines = volume(100_000, 1_000_000);
  const worlds: Record<string, World> = {
    "one server": { lines },
    "one that can be saved whole": { lines: 3000, tags: Array.from({ length: 8 }, (_, i) => `web-${i}`) },
    "losses all over": { lines: lines / 5, isLost: (seq) => seq % 10 === 0 },
    "many servers": {
      lines: lines / 5,
      tags: Array.from({ length: 40 }, (_, i) => `web-${i}`),
      slow: [0, 5000],
    },
  };
  for (const [name, world] of Object.entries(worlds)) {
    let html = "";
    const page = new PingPage({ write: (text) => html += text }, "");
    const stats = newStats(START);
    stats.keepCourse(START.timeout);
    page.start(START);
    for (const event of eventsOf(world)) {
      stats.add(event);
      page.event(event);
    }
    page.end(endOf(stats));
    assert(html.length < 1.5 * 1024 ** 2, `${name}: ${html.length} characters`);
    assertEquals(html.includes("saves the whole run"), world.lines <= 3000, name);
    if (name === "losses all over") assertStringIncludes(html, `lost (${world.lines / 10})`);
  }
});
