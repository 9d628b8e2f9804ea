import type { Distribution } from "./distribution.ts";
import { isAssumed, MAX_DRIFT } from "./feasible_lines.ts";
import {
  type COUNTS,
  describeMetrics,
  type DISTRIBUTIONS,
  type Kind,
  kindOf,
  type LoadCountName,
  type LoadDurationName,
  type Metric,
  parseMetric,
  PING_METRICS,
  type Statistic,
  valuesFor,
  type Vocabulary,
} from "./metrics.ts";
import type { RunStats } from "./run_stats.ts";
import type { Estimate, ServerSummary } from "./summary.ts";
import { seconds } from "./units.ts";

/** What a condition says of its metric. */
export interface Condition {
  /** As the user wrote it. */
  text: string;
  operator: "<" | "<=" | ">" | ">=";
  /** In seconds, as a share of 1, in ppm, or a plain number: as the metric is. */
  limit: number;
}

/** A condition under which a run has failed. */
export interface Threshold<Count extends string = string, Of extends string = string> extends Condition {
  metric: Metric<Count, Of>;
}

/** One of ping's. */
export type PingThreshold = Threshold<typeof COUNTS[number], typeof DISTRIBUTIONS[number]>;

/** One of load's. */
export type LoadThreshold = Threshold<LoadCountName, LoadDurationName>;

/** The verdict of a run on a threshold. */
export interface Verdict {
  threshold: string;
  /** Whether the condition holds for every value that the metric may have, for none, or for some. */
  verdict: "broken" | "kept" | "cannot tell";
  broken: boolean;
  /** In the unit of {@linkcode Threshold.limit}: the value, or the middle of its interval; null if that is not known. */
  value: number | null;
  /** The least and the largest value that the metric may have; null where nothing is known. */
  lower: number | null;
  upper: number | null;
  /** The server that the value belongs to. */
  tag: string | null;
  /** What would tell more, if it cannot be told; or why the value is above every limit. Else null. */
  help: string | null;
}

/**
 * The units of a limit, each with the factor and the divisor that give the summary's unit. A factor of 0.01 would make
 * 57% a little more than 0.57.
 */
const UNITS: Record<Kind, Record<string, [times: number, per: number]>> = {
  time: { ns: [1, 1e9], us: [1, 1e6], "µs": [1, 1e6], ms: [1, 1e3], s: [1, 1], m: [60, 1], h: [3600, 1] },
  share: { "%": [1, 100] },
  drift: { ppm: [1, 1] },
  count: { "": [1, 1] },
};
const EXPECTED: Record<Kind, string> = {
  time: "a time with its unit, such as 500us, .5ms, 1s or 1h",
  share: "a share, such as 1%",
  drift: "a drift, such as 50ppm",
  count: "a number without a unit",
};

/**
 * Reads a threshold: `p99>5ms`, `loss>=1%`, `abs(offset)>50ms`, `down.p99>2ms`.
 *
 * @param vocabulary what it may be about. @throws {Error} whose message says what was expected.
 */
export function parseThresholdOf<Count extends string, Of extends string>(
  vocabulary: Vocabulary<Count, Of>,
  text: string,
): Threshold<Count, Of> {
  const { name, operator, number, unit } = splitCondition(text, "a value, such as p99>5ms");
  const metric = parseMetric(name, vocabulary);
  if (metric === undefined) {
    throw new Error(`there is no metric "${name}", expected ${describeMetrics(vocabulary)}`);
  }
  const kind = kindOf(metric);
  const none = Number(number) === 0 && unit === "";
  if (!none && !Object.hasOwn(UNITS[kind], unit)) throw new Error(`expected ${EXPECTED[kind]}`);
  const [times, per] = none ? [1, 1] : UNITS[kind][unit]!;
  return { text, metric, operator, limit: Number(number) * times / per };
}

/** A condition taken apart, as far as the text alone tells. */
interface ConditionParts {
  name: string;
  operator: Condition["operator"];
  /** With its sign, if it has one. */
  number: string;
  unit: string;
}

/**
 * Splits a condition: `p99>5ms`, `p99 > +10%`.
 *
 * @param value what is expected behind the operator, in words. @throws {Error} whose message says what was expected.
 */
export function splitCondition(text: string, value: string): ConditionParts {
  const { groups } =
    /^\s*(?<name>\S+?)\s*(?<operator>[<>]=?)\s*(?<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*(?<unit>\D*?)\s*$/
      .exec(text) ?? {};
  if (groups === undefined) throw new Error(`expected a metric, >, >=, < or <=, and ${value}`);
  return groups as unknown as ConditionParts;
}

/** Reads a threshold of ping's, like {@linkcode parseThresholdOf}. */
export function parseThreshold(text: string): PingThreshold {
  return parseThresholdOf(PING_METRICS, text);
}

/**
 * A condition that is asked for; saved ones are taken as they are.
 *
 * @returns it. @throws {Error} where it can never hold, whatever is measured.
 */
export function possible<T extends Threshold>(threshold: T): T {
  const { text, metric, operator, limit } = threshold;
  const [name = ""] = text.trim().split(/[\s<>]/, 1);
  const most = metric.of === "loss" ? 1 : Infinity;
  const least = metric.of === "clock" && !metric.absolute ? -Infinity : 0;
  if (limit > most || (operator === ">" && limit === most)) {
    throw new Error(`it can never hold: ${name} is never above 100%`);
  }
  if (operator.startsWith("<") && (limit < least || (operator === "<" && limit === least))) {
    throw new Error(`it can never hold: ${name} is never below 0`);
  }
  return threshold;
}

/** Compares a run with a threshold. */
export function judge(threshold: PingThreshold, stats: RunStats): Verdict {
  return decide(threshold, measure(threshold.metric, stats));
}

/**
 * The verdict on what was measured of each server: the first that breaks the threshold decides, or else the first of
 * which it cannot be told, or else the last.
 */
export function decide(threshold: Condition, measured: Measured[]): Verdict {
  const verdicts = measured.map((it) => verdictOn(threshold, it));
  return verdicts.find((it) => it.broken) ?? verdicts.find((it) => it.verdict === "cannot tell") ??
    verdicts.at(-1) ?? verdictOn(threshold, { tag: null, help: "no reply has come" });
}

const UNTOLD = "the replies' stamps do not tell it";

/** What is known of a metric: an interval, or nothing. */
export interface Measured {
  tag: string | null;
  lower?: number;
  upper?: number;
  /** Whether it is above every limit: `lower` is then the least that is proven. */
  beyond?: boolean;
  /** Which ends of the interval are assumed: beyond them is what the replies do not exclude. */
  assumed?: { lower: boolean; upper: boolean };
  /** What would tell more; or why it is beyond every limit. */
  help: string;
}

function verdictOn({ text, operator, limit }: Condition, measured: Measured): Verdict {
  const { tag, lower, upper, beyond = false, assumed, help } = measured;
  const holds = (value: number) => {
    switch (operator) {
      case "<":
        return value < limit;
      case "<=":
        return value <= limit;
      case ">":
        return value > limit;
      case ">=":
        return value >= limit;
    }
  };
  if (lower === undefined || upper === undefined) {
    const none = { value: null, lower: null, upper: null };
    return { threshold: text, verdict: "cannot tell", broken: false, ...none, tag, help };
  }
  // What holds at both ends of an interval holds within it.
  const ends = [
    holds(beyond ? Infinity : assumed?.lower ? -Infinity : lower),
    holds(assumed?.upper ? Infinity : upper),
  ];
  const verdict = ends.every((it) => it) ? "broken" : ends.some((it) => it) ? "cannot tell" : "kept";
  return {
    threshold: text,
    verdict,
    broken: verdict === "broken",
    value: upper === Infinity ? null : (lower + upper) / 2,
    lower,
    upper: upper === Infinity ? null : upper,
    tag,
    help: verdict === "cannot tell" || (beyond && verdict === "broken") ? help : null,
  };
}

/** What is known of a metric: of the run, or of each server for what its stamps tell. */
function measure(metric: PingThreshold["metric"], stats: RunStats): Measured[] {
  if (metric.of === "count" || metric.of === "loss") {
    const summary = stats.summary();
    const value = metric.of === "count" ? summary[metric.name] : summary.loss;
    if (value === null) return [{ tag: null, help: "no line was answered or lost" }];
    return [{ tag: null, lower: value, upper: value, help: "" }];
  }
  if (metric.of === "clock") {
    const rangeOf = metric.name === "offset" ? offsetRange : driftRange;
    return stats.summary().servers.map((it) => ({ tag: it.tag, ...rangeOf(it, metric.absolute) }));
  }
  const { name, statistic } = metric;
  return stats.distributions(name).map(({ tag, values }) => ({ tag, ...statisticOf(statistic, values) }));
}

type Range = Omit<Measured, "tag">;

function offsetRange({ offset }: ServerSummary, absolute: boolean): Range {
  if (offset === null) return { help: UNTOLD };
  return { ...rangeOf(offset, absolute), help: "a path with shorter round trips tells more" };
}

function driftRange({ drift, withdrawn }: ServerSummary, absolute: boolean): Range {
  if (drift === null) return { help: withdrawn === null ? UNTOLD : "what the replies proved is withdrawn" };
  const { lower, upper } = rangeOf(drift, false);
  const assumed = { lower: isAssumed(lower), upper: isAssumed(upper) };
  const anyAssumed = assumed.lower || assumed.upper;
  const help = anyAssumed
    ? `a drift of at most ${MAX_DRIFT} ppm is assumed, and a longer run tells more`
    : "a longer run tells more";
  const ends = absolute ? { lower: false, upper: anyAssumed } : assumed;
  return { ...rangeOf(drift, absolute), assumed: ends, help };
}

function rangeOf(estimate: Estimate, absolute: boolean): { lower: number; upper: number } {
  const [lower, upper] = [estimate.value - estimate.bound, estimate.value + estimate.bound];
  if (!absolute) return { lower, upper };
  return { lower: Math.max(0, lower, -upper), upper: Math.max(Math.abs(lower), Math.abs(upper)) };
}

/** What is known of a statistic of durations. */
export function statisticOf(
  statistic: Statistic,
  values: Distribution | undefined,
): Range {
  if (values === undefined) return { help: UNTOLD };
  if (values.count === 0) return { help: "nothing of the kind was measured" };
  if (typeof statistic !== "number") {
    const value = seconds(values[statistic]);
    return { lower: value, upper: value, help: "" };
  }
  if (values.hasPercentile(statistic)) {
    const value = seconds(values.percentile(statistic));
    return { lower: value, upper: value, help: "" };
  }
  // Of too few values the percentile is not known; that it is no less than the median is.
  const help = `that takes ${valuesFor(statistic)} values, and there were ${values.count}`;
  return { lower: seconds(values.percentile(Math.min(50, statistic))), upper: Infinity, help };
}
