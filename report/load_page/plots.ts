/** A load's charts. */
import type { Distribution } from "../../stats/distribution.ts";
import type { LoadEnd, LoadStart } from "../load_record.ts";
import { counted } from "../../failure.ts";
import { isBeyond } from "../../stats/load_durations.ts";
import type { LoadStats } from "../../stats/load_stats.ts";
import { millis, millisOfMicros } from "../format.ts";
import { logBins } from "../histogram.ts";
import { headlineOf, perSecond, tailText } from "../load_figures.ts";
import type { Axis, Layer, LineLayer, Plot, Value } from "../page/model.ts";
import { type Course, type HeatMap, MAX_DRAWN_SERVERS, type Spread } from "./course.ts";
import { nameOf } from "./tables.ts";
import { durationText } from "../../time/duration.ts";

/** Colours of what belongs to no server, and of the servers: none is to be taken for a percentile or a rate. */
const COLOURS = { first: 0, second: -2, third: 7, failed: 5, losses: -1 };
const SERVER_COLOURS = [1, 2, 3, 6, 4, 9, 10, 11];
/** From how many connections on there is something to see. */
const MIN_CONNECTS = 10;
/** The most bars of the histogram. */
const MAX_BARS = 40;
/** Quantiles drawn for each tenfold of 1 / (1 - quantile). */
const QUANTILES_A_DECADE = 10;
/** From this factor on a logarithmic axis shows more than a linear one. */
const WIDE = 50;

/** The axis that all charts over time share. */
function timeAxis({ end }: Course): Axis {
  return { label: "time since the measured part began", quantity: "time", min: 0, max: end };
}

/** How long lines waited, over the run. */
export function latencyOverTime(start: LoadStart, { stats, summary }: LoadEnd, course: Course): Plot[] {
  const { headline, middle } = course;
  if (headlineOf(summary) === null || middle.length === 0) return [];
  const name = latencyName(start);
  const { top } = headline;
  const plot = spreadPlot(`${capital(name)} over time`, name, course, headline);
  const values = stats.headline;
  const [worst, at] = maximumOf(headline[top], middle);
  const description =
    `Over the whole run from ${millisOfMicros(values.min)} to ${millisOfMicros(values.max)} ms, ` +
    `half of the received lines at most ${
      millisOfMicros(values.percentile(50))
    } ms. Among the ${top} of ${course.each} the highest is ` +
    `${worst.toFixed(3)} ms, at ${at.toFixed(1)} s. ${badText(course)}`;
  const gaps = headline.hasGaps
    ? " A percentile has a gap where too many lines were not answered in time: it was above the time-out."
    : "";
  const note = `${plot.note}${gaps}${tailSentence(course)}`;
  return [{ ...plot, note, description, layers: [...badLayers(course), ...plot.layers] }];
}

/** Lines a second. */
export function ratesOverTime(start: LoadStart, { summary }: LoadEnd, course: Course): Plot[] {
  if (course.received.length === 0) return [];
  const isOpen = start.loop === "open";
  const names = isOpen ? ["planned", "sent", "received"] as const : ["sent", "received"] as const;
  const { rate } = summary;
  const x = [...course.from.slice(0, course.received.length), course.planEnd];
  return [{
    title: isOpen ? "Planned, sent and received rate over time" : "Sent and received rate over time",
    description: `On average ${names.map((it) => `${perSecond(rate[it])} lines/s ${it}`).join(", ")}.`,
    note: `Of the plan's time alone.${tailSentence(course)} ${badText(course)}`,
    x: timeAxis(course),
    y: { label: "lines a second", quantity: "rate", min: 0 },
    layers: [
      ...badLayers(course),
      ...names.map((name): Layer => ({
        kind: "line",
        name,
        colour: { planned: COLOURS.third, sent: COLOURS.second, received: COLOURS.first }[name],
        x,
        y: [...course[name], course[name].at(-1)!],
        steps: true,
      })),
    ],
  }];
}

/** Lines a second that had no right reply. */
export function lossesOverTime(course: Course): Plot[] {
  const layers = lossLines(course);
  if (layers.length === 0) return [];
  const highest = layers.map(({ name, x, y }) => {
    const [most, at] = maximumOf(y, x);
    return `${name}: at most ${perSecond(most)} lines/s, at ${at.toFixed(1)} s`;
  });
  return [{
    title: "Lines lost, failed or not sent over time",
    note: `Of the plan's time alone. ${badText(course)}`,
    description: `${highest.join("; ")}.`,
    x: timeAxis(course),
    y: { label: "lines a second", quantity: "rate", min: 0 },
    layers: [...badLayers(course), ...layers],
  }];
}

/** Lines in flight. */
export function inFlightOverTime(course: Course): Plot[] {
  const { to, inFlight } = course;
  if (to.length === 0) return [];
  const [most, at] = maximumOf(inFlight, to);
  return [{
    title: `Lines in flight as each ${course.step} ended`,
    note: "Lines that were due or written and had no reply yet. What was between two counts is not known.",
    description: `The highest count is ${most}, at ${at.toFixed(1)} s.`,
    x: timeAxis(course),
    y: { label: "lines in flight", quantity: "count", min: 0 },
    layers: [line("in flight", COLOURS.first, to, inFlight)],
  }];
}

/** How many lines had which latency when. */
export function heatMap(start: LoadStart, { stats }: LoadEnd, course: Course): Plot[] {
  const { heat } = course;
  if (heat === undefined) return [];
  const name = latencyName(start);
  return [{
    title: `Lines by time and ${name}`,
    note:
      "Each cell counts the replies received in that interval with that response time. Two bands are two kinds " +
      `of lines, a rising one is a queue that grows. ${columnText(course, heat)}`,
    description: `${counted(stats.headline.count, "line")} in all.`,
    x: timeAxis(course),
    y: { label: name, quantity: "duration", scale: "log" },
    layers: [{ kind: "heat", name: "lines", ...heat }],
  }];
}

/** Latency by percentile, its tail drawn out. */
export function byPercentile(start: LoadStart, { stats, summary }: LoadEnd): Plot[] {
  const { total } = stats;
  if (headlineOf(summary) === null) return [];
  const isOpen = start.loop === "open";
  const layers = [
    ...isOpen ? [quantileLine("response", COLOURS.first, total.response, stats)] : [],
    quantileLine("service", isOpen ? COLOURS.second : COLOURS.first, total.service, stats),
  ].filter(({ y }) => y.length > 1);
  if (layers.length === 0) return [];
  return [{
    title: "Latency by percentile of the received lines",
    note:
      "The time within which that share of lines was answered. Each further nine has the same width; a cliff " +
      `towards the right is a few lines that wait far longer than the others.${neverCameText(stats)}`,
    description: "",
    x: { label: "percentile of the received lines", quantity: "quantile", min: 0 },
    y: durationAxis("latency", stats.headline.min / 1000, stats.headline.max / 1000),
    layers,
  }];
}

/** What lines that never came do to the percentiles, in words. */
function neverCameText(stats: LoadStats): string {
  const { never, lines } = stats.neverCame(stats.context.loop === "open" ? "response" : "service");
  if (never === 0) return "";
  return ` ${never} of ${lines} lines were not answered in time, and are in no percentile: a line ends where they leave ` +
    "no room for one.";
}

/** How many lines had which latency. */
export function histogram(start: LoadStart, { stats }: LoadEnd): Plot[] {
  const values = stats.headline;
  if (values.count === 0) return [];
  const { edges, counts } = logBins(values, Math.min(MAX_BARS, Math.ceil(2 * Math.log2(values.count)) + 1));
  const name = latencyName(start);
  return [{
    title: `Histogram of the ${name}`,
    description: `${counted(values.count, "line")}, from ${millisOfMicros(values.min)} to ${
      millisOfMicros(values.max)
    } ms.`,
    note: "Each bar is wider than the one to its left by the same factor.",
    x: { label: name, quantity: "duration", scale: "log" },
    y: { label: "lines", quantity: "count", min: 0 },
    layers: [{
      kind: "bars",
      name: "lines",
      colour: COLOURS.first,
      edges: edges.map((it) => it / 1000),
      values: counts,
    }],
  }];
}

/** The delay of each direction above its best, of each server in its own colour. @param isSampled of some lines alone. */
export function directionsOverTime(course: Course, isSampled: boolean): Plot[] {
  const { servers, middle, otherServers } = course;
  const known = servers.filter(({ up, down }) =>
    [up, down].some((it) => it.max.some((value) => value !== null))
  );
  if (known.length === 0) return [];
  const spreads = known.flatMap(({ up, down }) => [up, down]);
  const top = spreads.map((it) => it.top).sort().at(0) ?? "max"; // "max" sorts before "p90" and "p99"
  const highest = Math.max(...spreads.flatMap((it) => it[top].map((value) => value ?? 0)));
  const others = otherServers === 0
    ? ""
    : ` Only the ${MAX_DRAWN_SERVERS} servers with the most lines are drawn, ${otherServers} are not.`;
  const sampled = isSampled ? "a sample of the lines of " : "";
  return (["up", "down"] as const).map((direction) => ({
    title: direction === "up"
      ? "Upstream delay over time, from write to the server's stamp"
      : "Downstream delay over time, from the server's stamp to the reply",
    note:
      `Of ${sampled}${course.each}, above the shortest delay that was known by then; both directions have one scale.`,
    description: `${top}: ${
      known.map((server) => {
        const [most, at] = maximumOf(server[direction][top], middle);
        return `${nameOf(server)}: at most ${most.toFixed(3)} ms, at ${at.toFixed(1)} s` +
          untoldTail(server[direction], top, course);
      }).join("; ")
    }.${others}`,
    x: timeAxis(course),
    y: { label: "delay above the best", quantity: "duration", min: 0, max: highest || 1 },
    layers: known.flatMap((server) => {
      const colour = SERVER_COLOURS[servers.indexOf(server)]!;
      const name = servers.length === 1 && server.tag === null ? "" : `${nameOf(server)}, `;
      const values = server[direction];
      const between: Layer = {
        kind: "band",
        name: `${name}p50 to ${top}`,
        colour,
        x: middle,
        low: values.p50,
        high: values[top],
      };
      return [...known.length <= 3 ? [between] : [], line(`${name}${top}`, colour, middle, values[top])];
    }),
  }));
}

/** How late the generator was with its lines. */
export function sendLagOverTime({ summary }: LoadEnd, course: Course): Plot[] {
  const { send_lag } = summary;
  if (send_lag === null || course.middle.length === 0) return [];
  const plot = spreadPlot(
    "Send lag over time, from planned moment to hand-over",
    "send lag",
    course,
    course.sendLag,
  );
  const description = `How late this program itself was with its lines: at most ${millis(send_lag.max)} ms.`;
  return [{ ...plot, description }];
}

/** What connections and their handshakes took. */
export function connects({ reconnect }: LoadStart, { stats }: LoadEnd): Plot[] {
  const { connect, handshake } = stats.total;
  if (connect.count < MIN_CONNECTS) return [];
  const layers = [
    quantileLine("connect", COLOURS.first, connect, stats),
    ...handshake.count > 1 ? [quantileLine("TLS handshake", COLOURS.second, handshake, stats)] : [],
  ];
  const all = [connect, ...handshake.count > 1 ? [handshake] : []];
  return [{
    title: handshake.count > 1 ? "Connects and TLS handshakes by percentile" : "Connects by percentile",
    description: `${counted(connect.count, "connection")}, ${
      reconnect ? "each for a line of the plan" : "opened before the warm-up, or anew after one had ended"
    }; they took ${millisOfMicros(connect.max)} ms at most.`,
    x: { label: "percentile of the connections", quantity: "quantile", min: 0 },
    y: durationAxis(
      "time",
      Math.min(...all.map((it) => it.min / 1000)),
      Math.max(...all.map((it) => it.max / 1000)),
    ),
    layers,
  }];
}

function latencyName({ loop }: LoadStart): string {
  return loop === "open" ? "response" : "service time";
}

function capital(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}

function line(name: string, colour: number, x: number[], y: Value[]): LineLayer {
  return { kind: "line", name, colour, x, y };
}

/** Median and top, and between which limits all values are. */
function spreadPlot(title: string, label: string, course: Course, spread: Spread): Plot {
  const { middle } = course;
  const { min, p50, max, top } = spread;
  const known = [...min, ...max].filter((it) => it !== null);
  return {
    title,
    note: `Of ${course.each}: the median${top === "max" ? "" : `, the ${top}`}, and the band of all ${
      spread.hasGaps ? "received " : ""
    }values.`,
    description: "",
    x: timeAxis(course),
    y: durationAxis(label, Math.min(...known), Math.max(...known)),
    layers: [
      {
        kind: "band",
        name: spread.hasGaps ? "minimum to maximum received" : "minimum to maximum",
        colour: COLOURS.first,
        x: middle,
        low: min,
        high: max,
      },
      ...top === "max" ? [] : [line(top, COLOURS.second, middle, spread[top])],
      ...p50.some((it) => it !== null) ? [line("p50", COLOURS.first, middle, p50)] : [],
    ],
  };
}

/** An axis for durations in ms: a logarithmic one where they differ by much. */
function durationAxis(label: string, least: number, most: number): Axis {
  const isWide = least > 0 && most > WIDE * least;
  return { label, quantity: "duration", ...isWide ? { scale: "log" } : { min: 0 } };
}

/** The values of rising quantiles, up to the maximum, or to where lines that never came leave no room for one. */
function quantileLine(name: string, colour: number, values: Distribution, stats: LoadStats): LineLayer {
  const came = stats.neverCame(name === "response" || name === "service" ? name : "connect");
  const steps = Math.floor(QUANTILES_A_DECADE * Math.log10(Math.max(values.count, 1)));
  const quantiles = values.count === 0
    ? []
    : Array.from({ length: steps + 1 }, (_, step) => 1 - 10 ** (-step / QUANTILES_A_DECADE));
  const known = quantiles.filter((it) => !isBeyond(100 * it, came));
  return line(name, colour, known, known.map((it) => values.percentile(100 * it) / 1000));
}

function maximumOf(values: Value[], x: number[]): [most: number, at: number] {
  const most = Math.max(0, ...values.filter((it) => it !== null));
  return [most, x[values.indexOf(most)] ?? 0];
}

/** What came after the plan's end, in a sentence. */
function tailSentence({ tail }: Course): string {
  return tail === undefined ? "" : ` ${tailText(tail)}.`;
}

/** The largest delay after the plan's end, where that time has too few lines for the percentile that is told. */
function untoldTail(spread: Spread, top: Spread["top"], { tail }: Course): string {
  const most = spread.max.at(-1) ?? null;
  if (tail === undefined || most === null || spread[top].at(-1) !== null) return "";
  return `, and up to ${most.toFixed(3)} ms in what came after the plan's end`;
}

/** How wide the columns of a heat map are, in words. */
function columnText({ tail, planEnd, end }: Course, { xEdges: [from = 0, to = 0] }: HeatMap): string {
  const text = (seconds: number) => durationText(Math.max(1, Number((seconds * 1000).toPrecision(3))));
  if (tail === undefined) return `A column is ${text(to - from)} wide.`;
  return `A column is ${text(to - from)} wide; the last covers the ${
    text(end - planEnd)
  } after the plan's end.`;
}

/** Lines a second that had no right reply, those that there were. */
function lossLines({ losses: { overdue, failed } }: Course): LineLayer[] {
  const lines: LineLayer[] = [
    { ...line("lost, when due", COLOURS.losses, overdue.x, overdue.y), steps: true },
    { ...line("failed or dropped", COLOURS.failed, failed.x, failed.y), steps: true },
  ];
  return lines.filter(({ y }) => y.some((it) => it !== 0));
}

function badLayers({ losses }: Course): Layer[] {
  const spans = losses.spans();
  if (spans.length === 0) return [];
  const name = "a fifth of the lines or more lost, failed or not sent";
  return [{ kind: "spans", name, colour: COLOURS.losses, spans: [...spans] }];
}

function badText({ losses }: Course): string {
  if (losses.lines === 0) return "Every line was sent, and none was lost or failed.";
  const { length } = losses.spans();
  const lines = losses.lines === 1 ? "1 line was" : `${losses.lines} lines were`;
  const marked = length === 0
    ? "at no time a fifth of those that were due"
    : `${counted(length, "span")}, in which it was a fifth of the lines or more, ${
      length === 1 ? "is" : "are"
    } marked`;
  const when = losses.overdue.y.some((it) => it > 0)
    ? " A lost one counts when it was due, not when its time-out passed."
    : "";
  return `${lines} lost, failed or not sent; ${marked}.${when}`;
}
