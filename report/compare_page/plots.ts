/** A comparison's charts. */
import { COMPARED_PERCENTILES, nameOfCompared } from "../../stats/compared_metrics.ts";
import type { CourseEntry, RunCourse } from "../../stats/run_course.ts";
import { median } from "../../stats/trend.ts";
import type { ComparisonReport, NamedRun } from "../comparison_report.ts";
import { tailText } from "../load_figures.ts";
import type { Axis, Layer, Plot, Value } from "../page/model.ts";

/** Colours of the palette. */
const COLOURS = { before: 0, after: 1 };
/** From this factor on a logarithmic axis shows more than a linear one. */
const WIDE = 50;
/** How far the axis of percentiles goes beyond the outer ones, as a factor. */
const MARGIN = 1.3;

const PERCENTILES = Object.keys(COMPARED_PERCENTILES) as (keyof typeof COMPARED_PERCENTILES)[];

/** The values of a side at some places: of one run, or the median of several with the least and the largest. */
interface SideValues {
  x: number[];
  middle: Value[];
  low: Value[];
  high: Value[];
}

/** What became of each percentile, with its interval; undefined if none is known. */
export function changes({ comparison: { metrics } }: ComparisonReport): Plot | undefined {
  const rows = PERCENTILES.map((metric) => ({
    quantile: Math.round(COMPARED_PERCENTILES[metric] * 10) / 1000,
    ...metrics[metric],
  })).filter(({ ratio }) => isDrawn(ratio));
  if (rows.length === 0) return undefined;
  const x = rows.map(({ quantile }) => quantile);
  // As far beyond the outer ones as looks alike on this axis.
  const [left, right] = [1 - MARGIN * (1 - x[0]!), 1 - (1 - x.at(-1)!) / MARGIN];
  const end = (place: 0 | 1) =>
    rows.map(({ interval }) => interval !== null && interval.every(isDrawn) ? interval[place] : null);
  const isKnown = end(0).some((it) => it !== null);
  return {
    title: `Each percentile of the received lines after the change as a share of before${
      isKnown ? ", with its 95% interval" : ""
    }`,
    note: "100% is what was before" +
      (isKnown ? ": an interval that crosses it leaves open whether anything changed." : ".") +
      (rows.some(({ verdict }) => verdict === "no clear difference")
        ? " One that does not is no clear difference where the correction for several metrics says so."
        : ""),
    description: "The table has the same figures as ratios, and those of the received rate and of loss.",
    x: { label: "percentile of the received lines", quantity: "quantile", min: left, max: right },
    y: { label: "after, as a share of before", quantity: "share", scale: "log" },
    layers: [
      { kind: "line", name: "as before", colour: COLOURS.before, x: [left, right], y: [1, 1] },
      {
        kind: "points",
        name: "after",
        colour: COLOURS.after,
        x,
        y: rows.map(({ ratio }) => ratio),
        low: end(0),
        high: end(1),
      },
    ],
  };
}

/** Whether a ratio has a place on a logarithmic axis. */
function isDrawn(ratio: number | null): boolean {
  return ratio !== null && ratio > 0 && ratio < Infinity;
}

/** Latency by percentile of both sides; undefined if one has none. */
export function byPercentile(before: readonly NamedRun[], after: readonly NamedRun[]): Plot | undefined {
  const sides = [before, after].map((runs) => curveOf(runs.map(({ run }) => run.course)));
  if (sides.some(({ x }) => x.length === 0)) return undefined;
  return {
    title: "Latency by percentile of the received lines",
    note: "The time within which that share of lines was answered. Each further nine has the same width." +
      endText([...before, ...after]) + bandText(before, after),
    description: "Where the lines lie apart, the sides differ.",
    x: { label: "percentile of the received lines", quantity: "quantile", min: 0 },
    y: durationAxis(latencyName(before), sides),
    layers: layersOf(sides),
  };
}

/** What lines without a reply do to the curves. */
function endText(runs: readonly NamedRun[]): string {
  const isLossy = runs.some(({ run }) => (run.figures.loss.value ?? 0) > 0);
  return isLossy ? " A line ends where lines that got no reply leave no room for a percentile." : "";
}

/** The median and the 99th percentile of both sides in each second, as far as they are known. */
export function overTime(before: readonly NamedRun[], after: readonly NamedRun[]): Plot[] {
  const ends = [...before, ...after].map(({ run }) => run.course.entries.at(-1)?.to ?? 0);
  return (["p50", "p99"] as const).flatMap((name) => {
    const sides = [before, after].map((runs) => entriesOf(runs.map(({ run }) => run.course.entries), name));
    if (sides.some(({ middle }) => middle.every((it) => it === null))) return [];
    const gaps = [...before, ...after].some(({ run }) =>
        run.course.entries.some((it) => it[name] === Infinity)
      )
      ? ", or with too many lines that got no reply: it was above the time-out"
      : "";
    const told = [before, after].map((runs) => runs.filter((it) => hasValues(it, name)));
    const what = name === "p50" ? "Median" : name;
    return [{
      title: `${what} over time`,
      note: `Of each second, or of several in a long run. A gap is a time with too few replies${gaps}.${
        tailsText(before, after)
      }${bandText(before, after) + untoldText([...before, ...after], name)}`,
      description: `Time is counted from each run's own start.`,
      x: { label: timeName(before), quantity: "time", min: 0, max: Math.max(...ends) },
      y: durationAxis(latencyName(before), sides),
      layers: layersOf(
        sides,
        [before, after].map((runs, side) =>
          told[side]!.length === runs.length ? "all runs" : `${told[side]!.length} of ${runs.length} runs`
        ),
      ),
    }];
  });
}

/** The runs of both sides, in the order in which they were made. */
export function inOrder(before: readonly NamedRun[], after: readonly NamedRun[]): NamedRun[] {
  return [...before, ...after].sort((a, b) => a.run.time - b.run.time);
}

/** A point for each run, in the order in which they were made. */
export function eachRun(before: readonly NamedRun[], after: readonly NamedRun[]): Plot[] {
  const order = inOrder(before, after);
  const runs = order.map((it, i) => ({
    ...it,
    ...{ place: i + 1, side: before.includes(it) ? "before" as const : "after" as const },
  }));
  return (["p50", "p99"] as const).flatMap((metric) => {
    const told = runs.filter(({ run }) => run.figures[metric].value !== null);
    if (told.length === 0) return [];
    const values = told.map(({ run }) => run.figures[metric].value! * 1000);
    return [{
      title: `${nameOfCompared(metric)} of each run`,
      note: "What drifts from run to run shows as a slope of both sides.",
      description: `${runs.length} runs.`,
      x: { label: "run, in the order of time", quantity: "count", min: 0.5, max: runs.length + 0.5 },
      y: {
        label: latencyName(before),
        quantity: "duration",
        ...scaleOf(Math.min(...values), Math.max(...values)),
      },
      layers: (["before", "after"] as const).map((side): Layer => {
        const own = told.filter((it) => it.side === side);
        return {
          kind: "points",
          name: side,
          colour: COLOURS[side],
          x: own.map(({ place }) => place),
          y: own.map(({ run }) => run.figures[metric].value! * 1000),
          names: own.map(({ file }) => file),
        };
      }),
    }];
  });
}

/** What the time of a chart counts from: load's figures begin after its warm-up. */
function timeName([first]: readonly NamedRun[]): string {
  return `time since the ${first!.run.settings.command === "load" ? "measured part" : "run"} began`;
}

/** What the latencies are of. */
function latencyName([first]: readonly NamedRun[]): string {
  const { command, loop } = first!.run.settings;
  return command === "ping" ? "round trip" : loop === "open loop" ? "response" : "service time";
}

function bandText(before: readonly NamedRun[], after: readonly NamedRun[]): string {
  if (Math.max(before.length, after.length) === 1) return "";
  return " A line is the median of a side's runs, its band goes from the least to the largest of them.";
}

/** What came after the ends of plans, in words. */
function tailsText(before: readonly NamedRun[], after: readonly NamedRun[]): string {
  const told = ([["Before", before], ["After", after]] as const).flatMap(([side, runs]) => {
    const tails = runs.flatMap(({ run }) => run.course.tail ?? []);
    if (tails.length === 0) return [];
    const lines = Math.max(...tails.map((it) => it.lines));
    const slowest = Math.max(...tails.map((it) => it.slowest));
    const most = runs.length > 1 ? "up to " : "";
    return [` ${side}: ${most}${tailText({ lines, slowest })}.`];
  });
  return told.join("");
}

/** The curves of runs, as far as half of them go. */
function curveOf(runs: readonly RunCourse[]): SideValues {
  const lengths = runs.map(({ curve }) => curve.length).sort((a, b) => b - a);
  const length = lengths[Math.floor((runs.length - 1) / 2)]!;
  const longest = runs.find(({ curve }) => curve.length >= length)!.curve.slice(0, length);
  return sideValues(
    longest.map(([quantile]) => quantile),
    (place) => runs.map(({ curve }) => curve[place]?.[1]),
  );
}

/** A figure of runs' entries over the time of the longest. */
function entriesOf(runs: readonly CourseEntry[][], name: "p50" | "p99"): SideValues {
  const end = (entries: CourseEntry[]) => entries.at(-1)?.to ?? 0;
  const longest = runs.reduce((one, other) => end(other) > end(one) ? other : one);
  const middles = longest.map(({ from, to }) => (from + to) / 2);
  const places = runs.map(() => 0);
  return sideValues(middles, (place) =>
    runs.map((entries, run) => {
      while ((entries[places[run]!]?.to ?? Infinity) <= middles[place]!) places[run]!++;
      return entries[places[run]!]?.[name] ?? undefined;
    }));
}

/** @param valuesAt what the runs have at a place, undefined for nothing. */
function sideValues(x: number[], valuesAt: (place: number) => (number | undefined)[]): SideValues {
  const values: SideValues = { x, middle: [], low: [], high: [] };
  x.forEach((_, place) => {
    const known = valuesAt(place).filter((it) => it !== undefined);
    const drawn = known.filter((it) => it < Infinity);
    // Where half of the runs were above the time-out, so was the median; where no run is known, there is none.
    const none = 2 * drawn.length <= known.length;
    values.middle.push(none ? null : median(known));
    values.low.push(none ? null : Math.min(...drawn));
    values.high.push(none ? null : Math.max(...drawn));
  });
  return values;
}

function hasValues({ run: { course } }: NamedRun, name: "p50" | "p99"): boolean {
  return course.entries.some((it) => Number.isFinite(it[name]));
}

/** The runs that a chart over time has nothing of. */
function untoldText(runs: readonly NamedRun[], name: "p50" | "p99"): string {
  const untold = runs.filter((it) => !hasValues(it, name)).map(({ file }) => file);
  return untold.length === 0 ? "" : ` Left out for too few replies: ${untold.join(", ")}.`;
}

/**
 * Both sides over each other: lines, and beneath them the bands of several runs.
 *
 * @param whose which of a side's runs a band is of.
 */
function layersOf(sides: readonly SideValues[], whose: readonly string[] = []): Layer[] {
  const named = sides.map((values, place) => ({
    ...{ name: (["before", "after"] as const)[place]!, ...values },
    whose: whose[place] ?? "all runs",
  }));
  const bands = named.filter(({ low, high }) => low.some((it, place) => it !== high[place]));
  return [
    ...bands.map(({ name, whose, x, low, high }): Layer => ({
      kind: "band",
      name: `${name}, ${whose}`,
      colour: COLOURS[name],
      ...{ x, low, high },
    })),
    ...named.map(({ name, x, middle }): Layer => ({
      kind: "line",
      name,
      colour: COLOURS[name],
      x,
      y: middle,
    })),
  ];
}

function durationAxis(label: string, sides: readonly SideValues[]): Axis {
  const values = sides.flatMap(({ low, high }) => [...low, ...high]).filter((it) => it !== null);
  return {
    label,
    quantity: "duration",
    ...scaleOf(values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), 0)),
  };
}

function scaleOf(least: number, largest: number): Pick<Axis, "scale"> {
  return least > 0 && largest > WIDE * least ? { scale: "log" } : {};
}
