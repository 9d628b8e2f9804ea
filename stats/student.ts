/** Student's t distribution, and Welch's comparison of two samples whose variances may differ (1947). */

/** The coefficients of Lanczos' approximation (1964) with g = 7, good to 1e-13 and better. */
const LANCZOS_G = 7;
const LANCZOS = [
  0.99999999999980993,
  676.5203681218851,
  -1259.1392167224028,
  771.32342877765313,
  -176.61502916214059,
  12.507343278686905,
  -0.13857109526572012,
  9.9843695780195716e-6,
  1.5056327351493116e-7,
];

/** The logarithm of the gamma function. @param x above 0. */
function logGamma(x: number): number {
  const sum = LANCZOS.reduce((all, it, i) => i === 0 ? it : all + it / (x - 1 + i), 0);
  const t = x - 1 + LANCZOS_G + 0.5;
  return Math.log(2 * Math.PI) / 2 + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

const MAX_STEPS = 500;
const PRECISION = 1e-15;

/** The regularized incomplete beta function, by its continued fraction (DLMF 8.17.22). @param x from 0 to 1. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  // The fraction converges fast on this side; the other follows by symmetry.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(
    logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x),
  ) / a;
  // Lentz's way to evaluate it from its beginning (Thompson and Barnett 1986).
  let [c, d] = [1, 1 / (1 - (a + b) * x / (a + 1))];
  let value = d;
  for (let m = 1; m < MAX_STEPS; m++) {
    const even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    let change = 1;
    for (const term of [even, odd]) {
      d = 1 / (1 + term * d);
      c = 1 + term / c;
      change = c * d;
      value *= change;
    }
    if (Math.abs(change - 1) < PRECISION) break;
  }
  return front * value;
}

/** How probable a value of Student's t is that is at least so far from 0. @param freedom degrees, above 0. */
export function studentTail(t: number, freedom: number): number {
  return incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5);
}

/** What Student's t exceeds on both sides together with this chance. @param chance from 1e-9 to 1. */
export function studentLimit(chance: number, freedom: number): number {
  let [least, most] = [0, 1];
  while (studentTail(most, freedom) > chance) most *= 2;
  while (most - least > 1e-12 * most) {
    const middle = (least + most) / 2;
    if (studentTail(middle, freedom) > chance) least = middle;
    else most = middle;
  }
  return (least + most) / 2;
}

/** How far two samples' means are apart. */
export interface Difference {
  /** The second's mean less the first's. */
  value: number;
  /** The interval that has the true difference with the probability asked for. */
  lower: number;
  upper: number;
  /** How probable samples of equal means are that differ as much, either way. */
  p: number;
}

/**
 * Welch's test.
 *
 * @param one two values at least, as `other`.
 * @param chance that the interval misses the true difference.
 * @returns undefined where no sample has any variance: then nothing tells what chance does.
 */
export function welch(
  one: readonly number[],
  other: readonly number[],
  chance: number,
): Difference | undefined {
  const [a, b] = [meanOf(one), meanOf(other)];
  const [varianceA, varianceB] = [varianceOfMean(one, a), varianceOfMean(other, b)];
  const variance = varianceA + varianceB;
  if (!(variance > 0)) return undefined;
  const freedom = variance ** 2 / (varianceA ** 2 / (one.length - 1) + varianceB ** 2 / (other.length - 1));
  const error = Math.sqrt(variance);
  const value = b - a;
  const half = studentLimit(chance, freedom) * error;
  return { value, lower: value - half, upper: value + half, p: studentTail(value / error, freedom) };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, it) => sum + it, 0) / values.length;
}

function varianceOfMean(values: readonly number[], mean: number): number {
  // Equal values may have a mean that is off by a rounding, which is no variance.
  if (values.every((it) => it === values[0])) return 0;
  return values.reduce((sum, it) => sum + (it - mean) ** 2, 0) / (values.length - 1) / values.length;
}
