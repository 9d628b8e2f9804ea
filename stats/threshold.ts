import type { Distribution } from "./distribution.ts";
import type { RunStats } from "./run_stats.ts";
import { seconds } from "./units.ts";

/** A condition under which a run has failed. */
export interface Threshold {
  /** As the user wrote it. */
  text: string;
  metric: string;
  operator: "<" | "<=" | ">" | ">=";
  /** In seconds, as a share of 1, in ppm, or a plain number: as the metric is. */
  limit: number;
}

/** The verdict of a run on a threshold. */
export interface Verdict {
  threshold: string;
  /** In the unit of {@linkcode Threshold.limit}; null if it cannot be told, which breaks the threshold too. */
  value: number | null;
  /** The server that the value belongs to. */
  tag: string | null;
  broken: boolean;
}

const COUNTS = ["sent", "received", "lost", "late", "duplicates", "reordered", "corrupt", "missed"] as const;
const DISTRIBUTIONS = ["rtt", "response", "lag", "blocked", "connect", "handshake", "up", "down"] as const;
const STATISTIC = /^(?:min|avg|max|mdev|p(\d{1,2}(?:\.\d{1,3})?))$/;

/**
 * The units of a limit, each with the factor and the divisor that give the summary's unit. A factor of 0.01 would make
 * 57 % a little more than 0.57.
 */
const UNITS = {
  time: { ns: [1, 1e9], us: [1, 1e6], "µs": [1, 1e6], ms: [1, 1e3], s: [1, 1], m: [60, 1] },
  share: { "%": [1, 100] },
  drift: { ppm: [1, 1] },
  count: { "": [1, 1] },
};
const EXPECTED: Record<keyof typeof UNITS, string> = {
  time: "a time with its unit, such as 500us, 5ms or 1s",
  share: "a share, such as 1%",
  drift: "a drift, such as 50ppm",
  count: "a number without a unit",
};

function kindOf(metric: string): keyof typeof UNITS | undefined {
  const plain = metric.replace(/^abs\((offset|drift)\)$/, "$1");
  if (plain === "offset") return "time";
  if (plain === "drift") return "drift";
  if (plain === "loss") return "share";
  if ((COUNTS as readonly string[]).includes(plain)) return "count";
  const [statistic, distribution = "rtt"] = plain.split(/\.(?=[a-z])/).reverse();
  return (DISTRIBUTIONS as readonly string[]).includes(distribution!) && STATISTIC.test(statistic!)
    ? "time"
    : undefined;
}

/**
 * Reads a threshold: `p99>5ms`, `loss>1%`, `abs(offset)>50ms`, `down.p99>2ms`.
 *
 * @throws {Error} whose message says what was expected.
 */
export function parseThreshold(text: string): Threshold {
  const match = /^\s*(\S+?)\s*([<>]=?)\s*([+-]?\d+(?:\.\d+)?)\s*(\D*?)\s*$/.exec(text);
  if (match === null) throw new Error('expected a metric, ">" or "<", and a value, such as p99>5ms');
  const [, metric, operator, number, unit] = match as unknown as [
    string,
    string,
    Threshold["operator"],
    string,
    string,
  ];
  const kind = kindOf(metric);
  if (kind === undefined) {
    throw new Error(
      `there is no metric "${metric}", expected loss, min, avg, max, mdev, p50, p99.9 and so on, of a distribution ` +
        `too (up.p99, down.p99, connect.max, handshake.max), offset, abs(offset), drift, abs(drift), or a count ` +
        `(${COUNTS.join(", ")})`,
    );
  }
  const units = UNITS[kind] as unknown as Record<string, [times: number, per: number]>;
  const none = Number(number) === 0 && unit === "";
  if (!none && !Object.hasOwn(units, unit)) throw new Error(`expected ${EXPECTED[kind]}`);
  const [times, per] = none ? [1, 1] : units[unit]!;
  return { text, metric, operator, limit: Number(number) * times / per };
}

/** Compares a run with a threshold: the first server that breaks it decides, or else the last. */
export function judge(threshold: Threshold, stats: RunStats): Verdict {
  let verdict: Verdict = { threshold: threshold.text, value: null, tag: null, broken: true };
  for (const { tag, value } of measure(threshold.metric, stats)) {
    verdict = { ...verdict, tag, value, broken: value === null || breaks(threshold, value) };
    if (verdict.broken) break;
  }
  return verdict;
}

function breaks({ operator, limit }: Threshold, value: number): boolean {
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
}

/** The values of a metric: one of the run, or one of each server for what its clock tells. */
function measure(metric: string, stats: RunStats): { tag: string | null; value: number | null }[] {
  const summary = stats.summary();
  const [, whole, clock] = /^(abs\()?(offset|drift)\)?$/.exec(metric) ?? [];
  if (clock !== undefined) {
    return summary.servers.map(({ tag, offset, drift }) => {
      const value = (clock === "offset" ? offset : drift)?.value ?? null;
      return { tag, value: value !== null && whole !== undefined ? Math.abs(value) : value };
    });
  }
  if (metric === "loss" || (COUNTS as readonly string[]).includes(metric)) {
    return [{ tag: null, value: summary[metric as "loss"] }];
  }
  const [statistic, distribution = "rtt"] = metric.split(/\.(?=[a-z])/).reverse();
  return stats.distributions(distribution as typeof DISTRIBUTIONS[number]).map(({ tag, values }) => ({
    tag,
    value: statisticOf(statistic!, values),
  }));
}

function statisticOf(name: string, values: Distribution | undefined): number | null {
  if (values === undefined || values.count === 0) return null;
  const percent = STATISTIC.exec(name)?.[1];
  return seconds(
    percent === undefined
      ? values[name as "min" | "avg" | "max" | "mdev"]
      : values.percentile(Number(percent)),
  );
}
