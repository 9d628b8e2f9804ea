/**
 * Whether one sample's values are larger than another's, by their ranks alone: the test of Mann and Whitney (1947), exact,
 * and by how much: the estimate of Hodges and Lehmann (1963), here as a ratio.
 */
/**
 * How probable it is that chance puts the samples' ranks at least so far apart, either way: exact, for samples with equal
 * values too, which share the average of their ranks.
 */
export function mannWhitney(one: readonly number[], other: readonly number[]): number {
  const ranks = doubledRanks([...one, ...other]);
  const sum = ranks.slice(0, one.length).reduce((all, it) => all + it, 0);
  const expected = one.length * (ranks.length + 1);
  const distance = Math.abs(sum - expected);
  const ways = waysToSum(ranks, one.length);
  let [extreme, all] = [0, 0];
  ways.forEach((count, at) => {
    all += count;
    if (Math.abs(at - expected) >= distance) extreme += count;
  });
  return Math.min(1, extreme / all);
}

/** Twice the rank of each value, which makes whole numbers of the averages that equal values get. */
function doubledRanks(values: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return values.map((it) => sorted.indexOf(it) + sorted.lastIndexOf(it) + 2);
}

/** In how many ways so many of the numbers have each sum. */
function waysToSum(numbers: readonly number[], chosen: number): Float64Array {
  const most = numbers.reduce((sum, it) => sum + it, 0);
  const ways = Array.from({ length: chosen + 1 }, () => new Float64Array(most + 1));
  ways[0]![0] = 1;
  let reached = 0;
  numbers.forEach((number, done) => {
    reached += number;
    for (let count = Math.min(done + 1, chosen); count > 0; count--) {
      const [from, to] = [ways[count - 1]!, ways[count]!];
      for (let sum = number; sum <= reached; sum++) to[sum]! += from[sum - number]!;
    }
  });
  return ways[chosen]!;
}

/** A ratio, and the interval that has the true one with the probability asked for. */
export interface RatioEstimate {
  value: number;
  lower: number;
  upper: number;
}

/**
 * By what factor the second sample's values are larger: the median of the ratios of all pairs. Nothing against nothing
 * counts as 1, and something against nothing as infinite.
 *
 * @param one values from 0 on, as `other`.
 * @param chance that the interval misses the true ratio; samples of three have none for 5%, it is 0 to Infinity then.
 */
export function hodgesLehmann(
  one: readonly number[],
  other: readonly number[],
  chance: number,
): RatioEstimate {
  const ratios = other.flatMap((b) => one.map((a) => ratioOf(a, b))).sort((a, b) => a - b);
  const left = outside(one.length, other.length, chance);
  return {
    value: medianRatio(ratios),
    lower: left < 1 ? 0 : ratios[left - 1]!,
    upper: left < 1 ? Infinity : ratios[ratios.length - left]!,
  };
}

/** @param before from 0 on, as `after`. @returns Infinity for something against nothing. */
export function ratioOf(before: number, after: number): number {
  return before === after ? 1 : after / before;
}

/** The median; two in the middle are averaged as ratios are. */
function medianRatio(sorted: readonly number[]): number {
  const [lower, upper] = [sorted[(sorted.length - 1) >> 1]!, sorted[sorted.length >> 1]!];
  if (lower === upper) return lower;
  return lower === 0 && upper === Infinity ? 1 : Math.sqrt(lower * upper);
}

/** How many ratios on each side the interval leaves out, one more: 0 if it can leave out none. */
function outside(one: number, other: number, chance: number): number {
  const ranks = Array.from({ length: one + other }, (_, i) => i + 1);
  const ways = waysToSum(ranks, one);
  const all = ways.reduce((sum, it) => sum + it, 0);
  const least = one * (one + 1) / 2;
  let below = 0;
  for (let pairs = 0;; pairs++) {
    below += ways[least + pairs]!;
    if (below / all > chance / 2) return pairs;
  }
}
