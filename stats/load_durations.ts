import { BATCHES, linesOfBatch, percentileInterval } from "./batches.ts";
import type { Distribution } from "./distribution.ts";
import { LOAD_PERCENTILES, type LoadDurations, type PercentileName } from "./load_summary.ts";
import { durations } from "./summary.ts";
import { seconds } from "./units.ts";

/** Lines without a duration, among all of which there might have been one. */
export interface NeverCame {
  never: number;
  /** Those that were broken off, of which nobody knows. */
  pending: number;
  lines: number;
}

/** No line is missing. */
export const ALL_CAME: NeverCame = { never: 0, pending: 0, lines: 0 };

/** Whether so many lines never came that a percentile of all is one of theirs: it is above the time-out then. */
export function isBeyond(percent: number, { never, lines }: NeverCame): boolean {
  return never > lines * (100 - percent) / 100 + 1e-9;
}

/** Whether those that were broken off may be why: the percentile of all is not known then. */
export function isOpen(percent: number, { never, pending, lines }: NeverCame): boolean {
  return pending > 0 && isBeyond(percent, { never: never + pending, pending: 0, lines });
}

/**
 * A distribution in seconds, with the intervals of its percentiles; null if it is empty.
 *
 * @param batches the same values in equal batches of the run; undefined if the run is too short for intervals.
 */
export function loadDurations(
  values: Distribution,
  came: NeverCame,
  batches: Distribution[] | undefined,
): LoadDurations | null {
  const told = durations(values);
  if (told === null) return null;
  const p95 = values.hasPercentile(95) ? seconds(values.percentile(95)) : null;
  const { p50, p90, p99, p99_9, ...rest } = told;
  const result: LoadDurations = {
    ...rest,
    ...{ p50, p90, p95, p99, p99_9 },
    intervals: { p50: null, p90: null, p95: null, p99: null, p99_9: null },
    never: came.never,
    beyond: [],
  };
  for (const [name, percent] of Object.entries(LOAD_PERCENTILES) as [PercentileName, number][]) {
    if (isBeyond(percent, came)) {
      result[name] = null;
      result.beyond.push(name);
    } else if (isOpen(percent, came)) {
      result[name] = null;
    } else if (result[name] !== null) {
      result.intervals[name] = intervalOf(percent, result[name], batches);
    }
  }
  return result;
}

/** @param value of the whole run, in seconds: the interval is made to hold it, as it should. */
function intervalOf(
  percent: number,
  value: number,
  batches: Distribution[] | undefined,
): [lower: number, upper: number] | null {
  if (batches?.length !== BATCHES) return null;
  if (!batches.every((it) => it.count >= linesOfBatch(percent) && it.min >= 0)) return null;
  const [lower, upper] = percentileInterval(batches.map((it) => it.percentile(percent)));
  return [Math.min(seconds(lower), value), Math.max(seconds(upper), value)];
}
