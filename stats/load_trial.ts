/** Trials of a search for the highest rate: whether one passed, and whether one that runs can still pass. */
import { isBeyond, isOpen } from "./load_durations.ts";
import { judgeLoad } from "./load_measure.ts";
import type { LoadStats } from "./load_stats.ts";
import type { GeneratorVerdict } from "./load_summary.ts";
import { ownLateness } from "./own_lateness.ts";
import { type Reason, reasonFields, type TrialReasonCode } from "./reasons.ts";
import type { LoadThreshold, Verdict } from "./threshold.ts";
import { nanos, seconds } from "./units.ts";

/** The least share of the planned lines that a trial must have sent. */
const SENT_SHARE = 0.99;

/** A search makes some hundred trials at most: of more, a saved run is not load's. */
export const MAX_TRIALS = 1000;

/** One trial, under the names that docs/json.md promises. */
export interface LoadTrial {
  /** Lines a second that were planned. */
  rate: number;
  /** `confirm` for those that are longer, at the end. */
  purpose: "search" | "confirm";
  passed: boolean;
  /** Whether it was ended as soon as it could not pass any more. */
  cut_short: boolean;
  /** Why it did not pass, in words; empty if it did. */
  reasons: string[];
  /** The reasons for programs, in the same order; made of the words where an older version saved the trial. */
  reason_codes: TrialReasonCode[];
  /** What the condition's metric came to, in the unit of {@linkcode LoadThreshold.limit}; null if that is not known. */
  value: number | null;
  /** Seconds of the plan that passed. */
  duration: number;
  planned: number;
  sent: number;
  received: number;
  /** Lines received a second in the plan's time; absent where an older version saved the trial. */
  received_rate?: number;
  lost: number;
  dropped: number;
  /** Percentiles of the response, in seconds; null for too few lines, or where those that never came leave no room. */
  p50: number | null;
  p99: number | null;
  generator: GeneratorVerdict;
}

/** How a search ended. */
export interface LoadFound {
  /**
   * `found`: `rate` keeps the condition. `at least`: so does `rate`, and then the generator was limited. `none`: not even
   * the least rate does. `unconfirmed`: what passed the search, `rate` the highest of it, did not last. `interrupted`: what had passed by then.
   */
  outcome: "found" | "at least" | "none" | "unconfirmed" | "interrupted";
  /** Lines a second; null if no rate passed. */
  rate: number | null;
  trials: LoadTrial[];
}

/** What a trial was, and the run it came to. */
export interface EndedTrial {
  rate: number;
  purpose: LoadTrial["purpose"];
  cutShort: boolean;
  stats: LoadStats;
}

/** Whether a trial says nothing of the server, since the generator did not keep to its plan. */
export function isOfGenerator(
  { generator, reason_codes }: Pick<LoadTrial, "generator" | "reason_codes">,
): boolean {
  return generator.verdict === "limited" || reason_codes.includes("generator-late");
}

/** Judges a trial that has ended. */
export function judgeTrial(
  { rate, purpose, cutShort, stats }: EndedTrial,
  condition: LoadThreshold,
): LoadTrial {
  const { planned, sent, received, lost, dropped } = stats.total;
  const verdict = judgeTrialOn(condition, stats);
  const reasons = losses(stats);
  if (sent < SENT_SHARE * planned) {
    const share = (100 * sent / planned).toFixed(1);
    reasons.push({ code: "unsent", text: `only ${share}% of the lines were sent` });
  }
  const sound = reasons.length === 0;
  // The condition is what shall hold, not what must not.
  if (verdict.verdict === "kept") reasons.push({ code: "not-kept", text: `${condition.text} not kept` });
  if (verdict.verdict === "cannot tell" && sound) {
    // What was cut short has fewer lines than it would have had.
    const why = cutShort ? `${condition.text} can no longer be kept` : verdict.help;
    reasons.push(
      received === 0
        ? { code: "no-replies", text: "nothing was answered" }
        : { code: "unknown", text: why ?? `${condition.text} cannot be told` },
    );
  }
  const generator = stats.generator();
  if (sound && reasons.length > 0 && generator.verdict !== "limited") {
    const late = ownLateness(condition, stats);
    if (late !== undefined) reasons.push({ code: "generator-late", text: late });
  }
  const { headline } = stats;
  const never = stats.neverCame(stats.context.loop === "open" ? "response" : "service");
  const percentile = (percent: number) =>
    headline.hasPercentile(percent) && !isBeyond(percent, never) && !isOpen(percent, never)
      ? seconds(headline.percentile(percent))
      : null;
  return {
    ...{ rate, purpose, passed: reasons.length === 0, cut_short: cutShort },
    ...reasonFields(reasons),
    value: verdict.value,
    duration: nanos(stats.elapsed / 1000),
    ...{ planned, sent, received, received_rate: stats.receivedRate, lost, dropped },
    p50: percentile(50),
    p99: percentile(99),
    generator,
  };
}

/** Few lines tell no percentile, but none is above their maximum: at a low rate that is enough. */
function judgeTrialOn(condition: LoadThreshold, stats: LoadStats): Verdict {
  const { metric, operator } = condition;
  const verdict = judgeLoad(condition, stats);
  if (verdict.verdict !== "cannot tell" || metric.of !== "duration" || operator.startsWith(">")) {
    return verdict;
  }
  const most = judgeLoad({ ...condition, metric: { ...metric, statistic: "max" } }, stats);
  return most.verdict === "broken" ? most : verdict;
}

/**
 * Whether a trial that runs cannot pass any more, whatever comes.
 *
 * @param lines that it plans in all.
 */
export function cannotPass(
  stats: LoadStats,
  { metric, operator, limit }: LoadThreshold,
  lines: number,
): boolean {
  const { total, headline } = stats;
  if (losses(stats).length > 0 || total.unsent > (1 - SENT_SHARE) * lines + 1) return true;
  if (metric.of !== "duration" || operator.startsWith(">")) return false;
  const { name, statistic } = metric;
  const values = name === "latency" ? headline : name === "response" ? total.response : undefined;
  if (values === undefined || values.count === 0) return false;
  const micros = limit * 1e6;
  if (typeof statistic === "number") {
    return values.countAbove(micros) > lines * (100 - statistic) / 100 + 1;
  }
  switch (statistic) {
    case "max":
      return values.max > micros;
    case "avg":
      return values.avg * values.count > micros * lines;
    default:
      return false;
  }
}

/** What no trial passes with. */
function losses(stats: LoadStats): Reason<TrialReasonCode>[] {
  const { lost, dropped, corrupt } = stats.total;
  const counts = [["lost", lost], ["dropped", dropped], ["corrupt", corrupt], [
    "failed",
    stats.errors,
  ]] as const;
  return counts.filter(([, count]) => count > 0).map(([code, count]) => ({ code, text: `${count} ${code}` }));
}
