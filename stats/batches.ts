/**
 * Intervals from batches of a run. Lines of one second depend on each other, so that intervals from the order statistics
 * of all lines are far too narrow; averages and percentiles of a few long batches are nearly independent (Law and
 * Kelton's batch means; Conway 1963).
 */

/** How many batches a run is cut into. */
export const BATCHES = 5;
/** From this length on a run supports intervals and a judgement of its steadiness, in ms. */
export const LONG_ENOUGH = 30_000;
/** What 95% of Student's t distribution lies within, with a degree of freedom less than batches. */
const T_OF_BATCHES = 2.7764;
/** A duration of 0 has no logarithm: half the clock's step stands for it, in µs. */
const LEAST_MICROS = 0.05;
/** How probable it may be that a batch has no line beyond its percentile: on each side as much as the interval leaves. */
const ONE_SIDE = 0.025;

/**
 * The interval that holds what the batches are samples of, if they are independent and about normal.
 *
 * @param t what the wanted share of Student's t distribution lies within, for one less than there are batches.
 */
export function batchInterval(batches: readonly number[], t: number): [lower: number, upper: number] {
  const count = batches.length;
  const mean = batches.reduce((sum, it) => sum + it, 0) / count;
  const squares = batches.reduce((sum, it) => sum + (it - mean) ** 2, 0);
  const half = t * Math.sqrt(squares / (count - 1) / count);
  return [mean - half, mean + half];
}

/** The 95% interval of a percentile of durations, in µs, from its values in the {@linkcode BATCHES} batches. */
export function percentileInterval(micros: readonly number[]): [lower: number, upper: number] {
  const logarithms = micros.map((it) => Math.log(Math.max(it, LEAST_MICROS)));
  const [lower, upper] = batchInterval(logarithms, T_OF_BATCHES);
  return [Math.exp(lower), Math.exp(upper)];
}

/** How many values a batch needs for a percentile to be within them: 36 for p90, 368 for p99, 3,688 for p99.9. */
export function linesOfBatch(percent: number): number {
  return Math.ceil(Math.log(ONE_SIDE) / Math.log(percent / 100));
}
