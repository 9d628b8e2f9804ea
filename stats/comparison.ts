/** Runs before a change and after it: what differs, and whether that is more than chance gives. */
import { COMPARED, type ComparedMetric } from "./compared_metrics.ts";
import type { ChangeThreshold } from "./compared_metrics.ts";
import { holm } from "./holm.ts";
import { hodgesLehmann, mannWhitney, type RatioEstimate, ratioOf } from "./mann_whitney.ts";
import type { Figure } from "./run_parts.ts";
import { welch } from "./student.ts";
import { decide, type Measured, type Verdict } from "./threshold.ts";
import { median } from "./trend.ts";

/** How many runs each side needs for the runs to be judged as wholes. */
export const JUDGED_RUNS = 5;
/** How often chance may make a word of nothing, all metrics together; and how often an interval may miss. */
const CHANCE = 0.05;

/**
 * What is said of a metric. `no clear difference`: its own interval leaves out 1, but with so many metrics judged at a
 * time chance may be why.
 */
export type ComparisonWord =
  | "better"
  | "worse"
  | "no clear difference"
  | "no difference"
  | "too short to tell";

/** How a metric compares: values in seconds, lines a second, or as a share of 1. */
export interface MetricComparison {
  /** Of the one run, or the median of several; null where it is not known. */
  before: number | null;
  after: number | null;
  /**
   * After divided by before, Infinity for something against nothing; null where it is not known. Of several runs the
   * Hodges–Lehmann estimate.
   */
  ratio: number | null;
  /** The 95% interval of the ratio, of this metric alone. */
  interval: [lower: number, upper: number] | null;
  /** How probable chance makes such a difference; null where it was not judged. */
  p: number | null;
  /** Likewise, corrected for all metrics that were judged (Holm). */
  p_holm: number | null;
  /** Null where the metric was not judged. */
  verdict: ComparisonWord | null;
  /** Why it is not known or not judged; else null. */
  help: string | null;
}

/** What is compared: the parts of one run each, runs of which there are enough, or too few of them. */
export type ComparisonMethod = "parts" | "runs" | "too few runs";

/** A whole comparison. */
export interface Comparison {
  method: ComparisonMethod;
  metrics: Record<ComparedMetric, MetricComparison>;
}

/** The figures of a run. */
export type Figures = Record<ComparedMetric, Figure>;

/** A metric before the words, which depend on the others. */
interface Judged extends Omit<MetricComparison, "p_holm" | "verdict"> {
  /** Whether the run is what is too short. */
  short: boolean;
}

/** Compares runs. @param before one at least, as `after`. */
export function compareRuns(before: readonly Figures[], after: readonly Figures[]): Comparison {
  const method = before.length === 1 && after.length === 1
    ? "parts"
    : Math.min(before.length, after.length) >= JUDGED_RUNS
    ? "runs"
    : "too few runs";
  const judged = COMPARED.map((metric) => {
    const sides = [before, after].map((runs) => runs.map((it) => it[metric])) as [Figure[], Figure[]];
    return method === "parts" ? compareParts(sides[0][0]!, sides[1][0]!) : compareWholes(...sides, method);
  });
  const tested = judged.filter(({ p }) => p !== null);
  const corrected = holm(tested.map(({ p }) => p!));
  const metrics = COMPARED.map((metric, place) => {
    const { short, help, ...rest } = judged[place]!;
    const p_holm = corrected[tested.indexOf(judged[place]!)] ?? null;
    const verdict = p_holm === null
      ? (short ? "too short to tell" : null)
      : wordOf(metric, judged[place]!, p_holm);
    return [metric, { ...rest, p_holm, verdict, help }];
  });
  return { method, metrics: Object.fromEntries(metrics) as Comparison["metrics"] };
}

/** The word for a metric that was judged: that of its interval where chance is ruled out. */
function wordOf(metric: ComparedMetric, { interval }: Judged, p: number): ComparisonWord {
  const [lower, upper] = interval!;
  if (lower <= 1 && upper >= 1) return "no difference";
  if (p > CHANCE) return "no clear difference";
  return (lower > 1) === (metric === "rate") ? "better" : "worse";
}

/** Compares one run with another by their parts. */
function compareParts(before: Figure, after: Figure): Judged {
  const values = { before: before.value, after: after.value };
  const none = { ...values, interval: null, p: null };
  if (before.value === null || after.value === null) {
    return {
      ...none,
      ratio: null,
      short: false,
      help: lackOf(before, after, (it) => it.value === null, false),
    };
  }
  const ratio = ratioOf(before.value, after.value);
  if (before.parts === null || after.parts === null) {
    return { ...none, ratio, short: true, help: lackOf(before, after, (it) => it.parts === null, true) };
  }
  const found = differenceOf(before.parts, after.parts);
  if (found === undefined) {
    return { ...none, ratio, short: true, help: "its fifths do not differ" };
  }
  const { lower, upper, p } = found;
  // The whole run's ratio is not that of the parts: the interval is made to hold it, as it should.
  const interval: Judged["interval"] = [Math.min(lower, ratio), Math.max(upper, ratio)];
  return { ...values, ratio, interval, p, short: false, help: null };
}

/**
 * Why one side or both cannot be compared: the reason of each, once if they have the same.
 *
 * @param named whether the side is named where it is one.
 */
function lackOf(before: Figure, after: Figure, lacks: (of: Figure) => boolean, named: boolean): string {
  const lacking = Object.entries({ before, after }).filter(([, it]) => lacks(it));
  const reasons = new Set(lacking.map(([, it]) => it.help));
  const isTold = lacking.length === 1 ? named : reasons.size > 1;
  return isTold ? lacking.map(([side, it]) => `${side}: ${it.help}`).join("; ") : String(lacking[0]![1].help);
}

/** The ratio of two runs' parts; undefined where these do not vary. */
function differenceOf(
  before: readonly number[],
  after: readonly number[],
): RatioEstimate & { p: number } | undefined {
  if ([...before, ...after].every((it) => it > 0)) {
    const found = welch(before.map(Math.log), after.map(Math.log), CHANCE);
    if (found === undefined) return undefined;
    const { value, lower, upper, p } = found;
    return { value: Math.exp(value), lower: Math.exp(lower), upper: Math.exp(upper), p };
  }
  // A part in which nothing was lost has no logarithm, but it has a rank.
  return { ...hodgesLehmann(before, after, CHANCE), p: mannWhitney(before, after) };
}

/** Compares several runs with several others, each as a whole. */
function compareWholes(before: Figure[], after: Figure[], method: ComparisonMethod): Judged {
  const unknown = [...before, ...after].find(({ value }) => value === null);
  const [one, other] = [before, after].map((it) => it.flatMap(({ value }) => value ?? [])) as [
    number[],
    number[],
  ];
  const known = {
    before: one.length < before.length ? null : median(one),
    after: other.length < after.length ? null : median(other),
  };
  const none = { ...known, ratio: null, interval: null, p: null, short: false };
  if (unknown !== undefined) return { ...none, help: unknown.help };
  const { value, lower, upper } = hodgesLehmann(one, other, CHANCE);
  if (method === "too few runs") {
    return { ...none, ratio: value, help: `${JUDGED_RUNS} runs a side are needed` };
  }
  const interval: Judged["interval"] = [lower, upper];
  return { ...none, ratio: value, interval, p: mannWhitney(one, other), help: null };
}

/** Compares what a metric changed by with a condition: it holds if it does for the whole interval. */
export function judgeChange(
  threshold: ChangeThreshold,
  before: readonly Figures[],
  after: readonly Figures[],
  { metrics }: Comparison,
): Verdict {
  const { interval, help } = metrics[threshold.metric];
  const [lower, upper] = interval ?? [];
  if (lower !== undefined && upper !== undefined) {
    const [least, most] = [lower - 1, (upper ?? Infinity) - 1];
    return decide(threshold, [{
      tag: null,
      lower: least,
      upper: most,
      help: "longer or more runs tell more",
    }]);
  }
  const beyond = beyondOf(before, after, threshold.metric);
  return decide(threshold, [beyond ?? { tag: null, help: help! }]);
}

/** A metric that is known before, and after in no run: lines that never came put it beyond the time-out. */
function beyondOf(
  before: readonly Figures[],
  after: readonly Figures[],
  metric: ComparedMetric,
): Measured | undefined {
  const most = Math.max(...before.map((it) => it[metric].value ?? Infinity));
  const least = Math.min(...after.map((it) => it[metric].atLeast ?? -Infinity));
  if (!(least > most)) return undefined;
  const help = after[0]![metric].help ?? "";
  return { tag: null, lower: least / most - 1, upper: Infinity, beyond: true, help };
}
