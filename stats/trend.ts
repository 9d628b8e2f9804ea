/** Whether a figure rises or falls over the parts of a run: Mann's test (1945, with Kendall's statistic) and Sen's slope (1968). */

/** Where a figure goes. */
export type Trend = "rises" | "falls";

/** A trend is told if chance makes such an order of parts, either way, less often than this ... */
const CHANCE = 0.01;
/** ... and if it amounts to this share of the median over the run. */
const SHARE = 0.2;

/** Where values at equal distances go, if they go there more than chance explains, and far enough to matter; else null. */
export function trendOf(values: readonly number[]): Trend | null {
  const slope = senSlope(values);
  const matters = slope !== 0 && Math.abs(slope) * values.length >= SHARE * median(values);
  if (!matters || mannKendall(values) >= CHANCE) return null;
  return slope > 0 ? "rises" : "falls";
}

/** How probable it is that values in random order have at least as clear a trend, up or down. Ties count for neither. */
export function mannKendall(values: readonly number[]): number {
  let score = 0;
  for (let i = 0; i < values.length; i++) {
    for (let j = i + 1; j < values.length; j++) score += Math.sign(values[j]! - values[i]!);
  }
  // Orders of n values by their number of inversions: exact, where a normal distribution would be off for ten values.
  const pairs = values.length * (values.length - 1) / 2;
  let orders = [1];
  for (let n = 2; n <= values.length; n++) {
    const next = new Array<number>(orders.length + n - 1).fill(0);
    orders.forEach((share, inversions) => {
      for (let more = 0; more < n; more++) next[inversions + more]! += share / n;
    });
    orders = next;
  }
  const least = (pairs - Math.abs(score)) / 2;
  const oneSide = orders.reduce((sum, share, inversions) => inversions <= least ? sum + share : sum, 0);
  return Math.min(1, 2 * oneSide);
}

/** The median of the slopes between all pairs of values, per value. */
export function senSlope(values: readonly number[]): number {
  const slopes: number[] = [];
  for (let i = 0; i < values.length; i++) {
    for (let j = i + 1; j < values.length; j++) slopes.push((values[j]! - values[i]!) / (j - i));
  }
  return slopes.length === 0 ? 0 : median(slopes);
}

/** @param values one at least. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
