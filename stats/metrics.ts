/** What a threshold can be about. Loads nothing: the command line reads conditions before a run needs figures. */

export const COUNTS = [
  "sent",
  "received",
  "lost",
  "late",
  "duplicates",
  "reordered",
  "corrupt",
  "pending",
  "missed",
] as const;
export const DISTRIBUTIONS = [
  "rtt",
  "response",
  "lag",
  "blocked",
  "connect",
  "handshake",
  "up",
  "down",
] as const;
export const STATISTICS = ["min", "avg", "max", "mdev"] as const;
const CLOCKS = { offset: "time", drift: "drift" } as const;
const PERCENTILE = /^p(\d{1,2}(?:\.\d{1,6})?)$/;

/** What a metric is measured in. */
export type Kind = "time" | "share" | "drift" | "count";

/** A metric, taken apart. */
export type Metric =
  | { of: "count"; name: typeof COUNTS[number] }
  | { of: "loss" }
  | { of: "clock"; name: keyof typeof CLOCKS; absolute: boolean }
  | { of: typeof DISTRIBUTIONS[number]; statistic: typeof STATISTICS[number] | number };

/** Takes a metric apart; undefined for what is none. A number is a percentile. */
export function parseMetric(text: string): Metric | undefined {
  if (text === "loss") return { of: "loss" };
  if ((COUNTS as readonly string[]).includes(text)) {
    return { of: "count", name: text as typeof COUNTS[number] };
  }
  const [, absolute, clock] = /^(?:(abs)\()?([a-z]+)\)?$/.exec(text) ?? [];
  const whole = absolute === undefined ? clock : `abs(${clock})`;
  if (whole === text && clock !== undefined && Object.hasOwn(CLOCKS, clock)) {
    return { of: "clock", name: clock as keyof typeof CLOCKS, absolute: absolute !== undefined };
  }
  const [, distribution = "rtt", name] = /^(?:([a-z]+)\.)?([a-z]+[\d.]*)$/.exec(text) ?? [];
  if (name === undefined || !(DISTRIBUTIONS as readonly string[]).includes(distribution)) return undefined;
  const of = distribution as typeof DISTRIBUTIONS[number];
  const percent = PERCENTILE.exec(name)?.[1];
  if (percent !== undefined) return { of, statistic: Number(percent) };
  if (!(STATISTICS as readonly string[]).includes(name)) return undefined;
  return { of, statistic: name as typeof STATISTICS[number] };
}

export function kindOf(metric: Metric): Kind {
  switch (metric.of) {
    case "count":
      return "count";
    case "loss":
      return "share";
    case "clock":
      return CLOCKS[metric.name];
    default:
      return "time";
  }
}

/** How many values it takes to tell a percentile from the largest of them. */
export function valuesFor(percent: number): number {
  return Math.ceil((100 - 1e-6) / (100 - percent));
}

/** All metrics, in words. */
export function describeMetrics(): string {
  const clocks = Object.keys(CLOCKS).flatMap((it) => [it, `abs(${it})`]);
  return `${
    [...STATISTICS, "p50", "p99.9"].join(", ")
  } and so on of the round trip, or of another duration as in ` +
    `up.p99 (${DISTRIBUTIONS.join(", ")}); loss; a count (${COUNTS.join(", ")}); ${clocks.join(", ")}`;
}
