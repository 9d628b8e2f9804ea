import { isBeyond, isOpen } from "./load_durations.ts";
import type { LOAD_DURATIONS } from "./load_interval.ts";
import type { LoadStats } from "./load_stats.ts";
import type { LoadSummary } from "./load_summary.ts";
import type { LoadCountName, LoadDurationName } from "./metrics.ts";
import { sumOf } from "./reason_counts.ts";
import { decide, type LoadThreshold, type Measured, statisticOf, type Verdict } from "./threshold.ts";

/** The figures' own names of those that conditions have others for. */
export const DURATION_FIELDS: Record<
  Exclude<LoadDurationName, "latency" | "up" | "down">,
  typeof LOAD_DURATIONS[number]
> = {
  response: "response",
  service: "service",
  send_lag: "sendLag",
  blocked: "blocked",
  connect: "connect",
  handshake: "handshake",
};

const UNSTEADY = "it looks as if a clock had not kept time";

/** Why figures of replies are not known. */
export const ALIKE_HELP = "replies cannot be told apart, since lines come again too soon";

const SAMPLED = "it is of a sample of the lines, and an open loop takes all of them";

/** Compares a load, or what is known of it so far, with a threshold. */
export function judgeLoad(threshold: LoadThreshold, stats: LoadStats): Verdict {
  return decide(threshold, measure(threshold.metric, stats));
}

/** What is counted of lines without their replies. */
const OF_SENDING: readonly string[] = ["planned", "sent", "dropped", "unsent", "errors", "connect_errors"];
const OF_REPLIES: readonly string[] = ["latency", "response", "service", "up", "down"];

/** Whether a metric is not known, since replies cannot be told apart. */
function isUnsure(metric: LoadThreshold["metric"], stats: LoadStats): boolean {
  if (!stats.alike) return false;
  if (metric.of === "duration") return OF_REPLIES.includes(metric.name);
  return (metric.of === "loss" || (metric.of === "count" && !OF_SENDING.includes(metric.name))) &&
    isMixedUp(stats.total);
}

function measure(metric: LoadThreshold["metric"], stats: LoadStats): Measured[] {
  if (isUnsure(metric, stats)) return [{ tag: null, help: ALIKE_HELP }];
  switch (metric.of) {
    case "count":
      return [exactly(countOf(metric.name, stats))];
    case "loss":
      return [lossOf(stats)];
    case "clock":
      return [];
    case "duration": {
      const { name, statistic } = metric;
      if (name === "up" || name === "down") {
        const isLeast = statistic === "max" && stats.total.sampled;
        return stats.directions().map((it) => {
          if (it.unsteady !== null) return { tag: it.tag, help: UNSTEADY };
          const told = { tag: it.tag, ...statisticOf(statistic, it[name]) };
          return isLeast && told.lower !== undefined ? { ...told, upper: Infinity, help: SAMPLED } : told;
        });
      }
      const open = stats.context.loop === "open";
      const kind = name === "latency" ? (open ? "response" : "service") : DURATION_FIELDS[name];
      const percent = statistic === "max" ? 100 : statistic; // what never came is above all that did
      const beyond = typeof percent === "number" ? beyondOf(percent, kind, stats) : undefined;
      return [beyond ?? { tag: null, ...statisticOf(statistic, stats.total[kind]) }];
    }
  }
}

/**
 * Whether even the counts of replies that cannot be told apart may be wrong: unless each line had its own, and none a
 * second one.
 */
export function isMixedUp(
  { alike, sent, received, late, duplicates }: Pick<
    LoadSummary,
    "alike" | "sent" | "received" | "late" | "duplicates"
  >,
): boolean {
  return alike === true && (received < sent || late + duplicates > 0);
}

function exactly(value: number): Measured {
  return { tag: null, lower: value, upper: value, help: "" };
}

function countOf(name: LoadCountName, stats: LoadStats): number {
  switch (name) {
    case "errors":
      return stats.errors;
    case "connect_errors":
      return sumOf(stats.total.connectErrors);
    case "rate":
      return stats.receivedRate;
    default:
      return stats.total[name];
  }
}

/** The share of the lines sent that have failed or were not answered, of those whose fate is known. */
function lossOf(stats: LoadStats): Measured {
  const { received, lost, corrupt } = stats.total;
  const failed = lost + stats.errors;
  const known = received + corrupt + failed;
  return known === 0 ? { tag: null, help: "no line was answered or lost" } : exactly(failed / known);
}

/** A percentile that lines which never came leave no room for; undefined if there is room. */
function beyondOf(
  percent: number,
  kind: typeof LOAD_DURATIONS[number],
  stats: LoadStats,
): Measured | undefined {
  const came = stats.neverCame(kind);
  if (isOpen(percent, came) && !isBeyond(percent, came)) {
    return { tag: null, help: `${came.pending} of ${came.lines} lines were still pending at the end` };
  }
  if (!isBeyond(percent, came)) return undefined;
  const help = `${came.never} of ${came.lines} lines were not answered in time`;
  return { tag: null, lower: stats.context.timeout / 1000, upper: Infinity, beyond: true, help };
}
