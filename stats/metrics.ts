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

/** What can be measured of a run, by its names. */
export interface Vocabulary<Count extends string = string, Of extends string = string> {
  counts: readonly Count[];
  distributions: readonly Of[];
  /** The distribution of a statistic that names none ... */
  latency: Of;
  /** ... and what it is called. */
  latencyName: string;
  clocks: readonly (keyof typeof CLOCKS)[];
}

/** What thresholds of ping can be about. */
export const PING_METRICS: Vocabulary<typeof COUNTS[number], typeof DISTRIBUTIONS[number]> = {
  counts: COUNTS,
  distributions: DISTRIBUTIONS,
  latency: "rtt",
  latencyName: "the round trip",
  clocks: ["offset", "drift"],
};

const PERCENTILE = /^p(\d{1,2}(?:\.\d{1,6})?)$/;

/** What a metric is measured in. */
export type Kind = "time" | "share" | "drift" | "count";

/** The counts of lines that add up. */
export const LOAD_COUNTS = [
  "planned",
  "sent",
  "received",
  "lost",
  "late",
  "dropped",
  "unsent",
  "corrupt",
  "duplicates",
  "pending",
] as const;
const LOAD_COUNT_NAMES = [...LOAD_COUNTS, "errors", "connect_errors", "rate"] as const;
const LOAD_DURATION_NAMES = [
  "latency",
  "response",
  "service",
  "send_lag",
  "blocked",
  "connect",
  "handshake",
  "up",
  "down",
] as const;
export type LoadCountName = typeof LOAD_COUNT_NAMES[number];
export type LoadDurationName = typeof LOAD_DURATION_NAMES[number];
/** Those that only a plan gives. */
export const OPEN_LOOP_DURATIONS: readonly string[] = ["response", "send_lag", "blocked"];

/** What thresholds of load can be about: `rate` is that of received lines. */
export const LOAD_METRICS: Vocabulary<LoadCountName, LoadDurationName> = {
  counts: LOAD_COUNT_NAMES,
  distributions: LOAD_DURATION_NAMES,
  latency: "latency",
  latencyName: "the latency (response in an open loop, service in a closed one)",
  clocks: [],
};

/** A statistic of a distribution; a number is a percentile. */
export type Statistic = typeof STATISTICS[number] | number;

/** A metric, taken apart. */
export type Metric<Count extends string = string, Of extends string = string> =
  | { of: "count"; name: Count }
  | { of: "loss" }
  | { of: "clock"; name: keyof typeof CLOCKS; absolute: boolean }
  | { of: "duration"; name: Of; statistic: Statistic };

/** Takes a metric apart; undefined for what is none. */
export function parseMetric<Count extends string, Of extends string>(
  text: string,
  { counts, distributions, latency, clocks }: Vocabulary<Count, Of>,
): Metric<Count, Of> | undefined {
  if (text === "loss") return { of: "loss" };
  const count = counts.find((it) => it === text);
  if (count !== undefined) return { of: "count", name: count };
  const [, absolute, clockName] = /^(?:(abs)\()?([a-z]+)\)?$/.exec(text) ?? [];
  const whole = absolute === undefined ? clockName : `abs(${clockName})`;
  const clock = whole === text ? clocks.find((it) => it === clockName) : undefined;
  if (clock !== undefined) return { of: "clock", name: clock, absolute: absolute !== undefined };
  const [, distribution = latency, statistic] = /^(?:([a-z_]+)\.)?([a-z]+[\d.]*)$/.exec(text) ?? [];
  const name = distributions.find((it) => it === distribution);
  if (name === undefined || statistic === undefined) return undefined;
  const percent = PERCENTILE.exec(statistic)?.[1];
  if (percent !== undefined) return { of: "duration", name, statistic: Number(percent) };
  const known = STATISTICS.find((it) => it === statistic);
  return known === undefined ? undefined : { of: "duration", name, statistic: known };
}

export function kindOf(metric: Metric): Kind {
  switch (metric.of) {
    case "count":
      return "count";
    case "loss":
      return "share";
    case "clock":
      return CLOCKS[metric.name];
    case "duration":
      return "time";
  }
}

/** How many values it takes to tell a percentile from the largest of them. */
export function valuesFor(percent: number): number {
  return Math.ceil((100 - 1e-6) / (100 - percent));
}

/** All metrics, in words. */
export function describeMetrics({ counts, distributions, latencyName, clocks }: Vocabulary): string {
  const groups = [
    `${
      [...STATISTICS, "p50", "p99.9"].join(", ")
    } and so on of ${latencyName}, or of another duration as in ` +
    `up.p99 (${distributions.join(", ")})`,
    "loss",
    `a count (${counts.join(", ")})`,
    clocks.flatMap((it) => [it, `abs(${it})`]).join(", "),
  ];
  return groups.filter((it) => it !== "").join("; ");
}
