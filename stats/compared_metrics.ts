/** What two runs are compared by, and the conditions on its change. Loads nothing: the command line reads conditions. */
import { type Condition, splitCondition } from "./threshold.ts";

/** What is compared, under the names that docs/json.md promises: percentiles of the latency, and two shares. */
export const COMPARED = ["p50", "p90", "p99", "p99_9", "rate", "loss"] as const;
/** One of {@linkcode COMPARED}. */
export type ComparedMetric = typeof COMPARED[number];
/** Those that are percentiles. */
export const COMPARED_PERCENTILES = { p50: 50, p90: 90, p99: 99, p99_9: 99.9 } as const;

/** The name of a metric as people write it: `p99.9`. */
export function nameOfCompared(metric: ComparedMetric): string {
  return metric.replace("_", ".");
}

/** A condition on how a metric changed: the limit is the change as a share of the value before. */
export interface ChangeThreshold extends Condition {
  metric: ComparedMetric;
}

/**
 * Reads a condition on a change: `p99>+10%`, `rate<-5%`.
 *
 * @throws {Error} whose message says what was expected.
 */
export function parseChange(text: string): ChangeThreshold {
  const change = "a change with its sign, such as p99>+10%";
  const { name, operator, number, unit } = splitCondition(text, change);
  const metric = COMPARED.find((it) => nameOfCompared(it) === name);
  if (metric === undefined) {
    throw new Error(`there is no metric "${name}", expected ${COMPARED.map(nameOfCompared).join(", ")}`);
  }
  if (!/^[+-]/.test(number) || unit !== "%") throw new Error(`expected ${change}`);
  const limit = Number(number) / 100;
  if (limit < -1) throw new Error("nothing can fall by more than 100%");
  return { text, metric, operator, limit };
}
