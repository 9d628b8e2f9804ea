/** Whether replies that leave some line of a clock's offset show all the same that it kept to none. */
import { correlationLength } from "./direction.ts";
import type { Minima, TimeBlocks } from "./time_blocks.ts";

/** Why the offset's bound is withdrawn. */
export type Unsteady = "step" | "drift";

/** So much likelier, as a logarithm, another account must be than a steady clock. */
const STEP_EVIDENCE = 7;
const DRIFT_EVIDENCE = 5;
/** A step below this share of the bound does no harm, nor does a drift that explains less than this share of it. */
const STEP_SHARE = 0.25;
const DRIFT_SHARE = 0.01;
/** On a busy machine a direction is quicker by up to so many µs for a while: a step that small must be clearer. */
const SMALL_STEP = 100;
const SMALL_STEP_EVIDENCE = 9;
const SMALL_STEP_SHARE = 0.7;
/** A drift is told from delays that wander if these do not depend on each other over a run of so many stretches. */
const DRIFT_STRETCHES = 4;
/** Delays that clocks alone differ by, in µs: see CLOCK_LAG. */
const LEAST_DELAY = 6;
/** The spread of delays near the shortest is read off the shortest: a 16th of all, but so many at least. */
const FEW = 4;
const FEW_SHARE = 1 / 16;
const FEWEST_BLOCKS = 8;
/** A line through both sides of a step that hides in round trips leans by at most some of these over the run. */
const LEAN = 4;
/** Drifts tried at once, and how often the range between two of them is searched again. */
const TRIES = 24;
const ROUNDS = 3;

/**
 * Compares a steady clock with one that was stepped once, by less than replies exclude, and with one of a steeper
 * drift. Each account leaves some of the delays unexplained; these are nearly exponential above the shortest, so that
 * what an account explains more, over their average, is the logarithm of how much likelier it makes the replies.
 *
 * @param maxDrift the most that a steady clock drifts, in ppm. @param wildDrift the most that any does.
 */
export function unsteadiness(blocks: TimeBlocks, maxDrift: number, wildDrift: number): Unsteady | undefined {
  if (blocks.length < FEWEST_BLOCKS) return undefined;
  const course = new Course(blocks.minima(), blocks.size > 1);
  const steady = maximum((drift) => course.explained(drift), -maxDrift, maxDrift);
  const least = course.explained(steady);
  const shareOf = (gain: number) => least <= 1 ? Infinity : 2 * gain / least;
  const wild = maximum((drift) => course.explained(drift), -wildDrift, wildDrift);
  if (Math.abs(wild) > maxDrift) {
    const gain = course.explained(wild) - least;
    const evidence = course.length * gain / course.spread(wild);
    const clear = evidence > DRIFT_EVIDENCE && shareOf(gain) > DRIFT_SHARE;
    if (clear && course.length >= DRIFT_STRETCHES * course.dependent(wild)) return "drift";
  }
  // A line that leans towards a step explains some of it.
  const lean = LEAN * course.shortest / course.span;
  let [from, to] = [Math.max(-maxDrift, steady - lean), Math.min(maxDrift, steady + lean)];
  let best = course.step(steady, least);
  for (let round = 0; round < ROUNDS; round++) {
    const width = (to - from) / TRIES;
    for (let i = 0; i <= TRIES; i++) {
      const found = course.step(from + i * width, least);
      if (found.gain > best.gain) best = found;
    }
    [from, to] = [Math.max(from, best.drift - width), Math.min(to, best.drift + width)];
  }
  const [leastShare, leastEvidence] = best.gain > SMALL_STEP
    ? [STEP_SHARE, STEP_EVIDENCE]
    : [SMALL_STEP_SHARE, SMALL_STEP_EVIDENCE];
  if (!(shareOf(best.gain) > leastShare)) return undefined;
  return course.length * best.gain / course.spread(best.drift, best) > leastEvidence ? "step" : undefined;
}

/** Where a concave function is largest. */
function maximum(of: (x: number) => number, from: number, to: number): number {
  let [low, high] = [from, to];
  while (high - low > 1e-3) {
    const third = (high - low) / 3;
    if (of(low + third) < of(high - third)) low += third;
    else high -= third;
  }
  // The ends themselves count: of a function that rises all the way, the end is the place.
  return [(low + high) / 2, from, to].reduce((best, it) => of(it) > of(best) ? it : best);
}

/** A step before a block, and how much more the two lines of one drift beside it explain than one line does. */
interface Step {
  drift: number;
  gain: number;
  block: number;
  size: number;
}

/** The least delays of the blocks, in order. */
class Course {
  readonly length: number;
  /** From the first moment to the last, in seconds. */
  readonly span: number;
  /** The least way there and back of a block. */
  readonly shortest: number;
  readonly #minima: Minima;
  /** Blocks beside a step that may have replies from both sides of it. */
  readonly #mixed: 0 | 1;
  /** The delays above a line of the drift asked for last. */
  readonly #up: Float64Array;
  readonly #down: Float64Array;
  /** The least of these from each block on. */
  readonly #laterUp: Float64Array;
  readonly #laterDown: Float64Array;

  constructor(minima: Minima, mixed: boolean) {
    this.length = minima.up.length;
    this.span = Math.max(minima.upTime[this.length - 1]! - minima.upTime[0]!, 1e-6);
    this.shortest = minima.up.reduce((least, it, i) => Math.min(least, it + minima.down[i]!), Infinity);
    this.#minima = minima;
    this.#mixed = mixed ? 1 : 0;
    [this.#up, this.#down, this.#laterUp, this.#laterDown] = [0, 1, 2, 3].map(() =>
      new Float64Array(this.length)
    ) as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
  }

  /** What the shortest ways there and back sum up to, above a line of this drift. */
  explained(drift: number): number {
    const { up, upTime, down, downTime } = this.#minima;
    let [leastUp, leastDown] = [Infinity, Infinity];
    for (let i = 0; i < this.length; i++) {
      const [u, d] = [up[i]! - drift * upTime[i]!, down[i]! + drift * downTime[i]!];
      if (u < leastUp) leastUp = u;
      if (d < leastDown) leastDown = d;
    }
    return leastUp + leastDown;
  }

  /** The step, between any two blocks, with which most is explained; `least` is what a line without one explains. */
  step(drift: number, least: number): Step {
    this.#lay(drift);
    const [up, down, laterUp, laterDown] = [this.#up, this.#down, this.#laterUp, this.#laterDown];
    const best = { drift, gain: -Infinity, block: 0, size: 0 };
    let [earlierUp, earlierDown] = [up[0]!, down[0]!];
    for (let block = 1; block + this.#mixed < this.length; block++) {
      const [nextUp, nextDown] = [laterUp[block + this.#mixed]!, laterDown[block + this.#mixed]!];
      const [rise, fall] = [nextUp - earlierUp, earlierDown - nextDown];
      // A step shows in both directions, in opposite senses; what only one shows is delay.
      const size = rise * fall > 0 ? Math.sign(rise) * Math.min(Math.abs(rise), Math.abs(fall)) : 0;
      const explained = Math.min(earlierUp, nextUp) + Math.min(earlierDown, nextDown) + Math.abs(size);
      const gain = Math.min(Math.abs(size), explained - least); // what a mixed block left out explains is no step's
      if (gain > best.gain) [best.gain, best.block, best.size] = [gain, block, size];
      earlierUp = Math.min(earlierUp, up[block]!);
      earlierDown = Math.min(earlierDown, down[block]!);
    }
    return best;
  }

  /** How far delays lie above the shortest, on average; or by the shortest of them, if that is more. */
  spread(drift: number, step?: Step): number {
    this.#lay(drift);
    const spread = (values: Float64Array, sign: number) => {
      if (step === undefined) return spreadOf(values.slice());
      const later = values.subarray(step.block + this.#mixed).map((it) => it - sign * step.size);
      return spreadOf(Float64Array.of(...values.subarray(0, step.block), ...later));
    };
    return (spread(this.#up, 1) + spread(this.#down, -1)) / 2;
  }

  /** Over how many blocks the delays above a line of this drift depend on each other. */
  dependent(drift: number): number {
    this.#lay(drift);
    return Math.max(correlationLength(this.#up), correlationLength(this.#down));
  }

  #lay(drift: number): void {
    const { up, upTime, down, downTime } = this.#minima;
    let [leastUp, leastDown] = [Infinity, Infinity];
    for (let i = this.length - 1; i >= 0; i--) {
      this.#up[i] = up[i]! - drift * upTime[i]!;
      this.#down[i] = down[i]! + drift * downTime[i]!;
      this.#laterUp[i] = leastUp = Math.min(leastUp, this.#up[i]!);
      this.#laterDown[i] = leastDown = Math.min(leastDown, this.#down[i]!);
    }
  }
}

/** @param values which are sorted. */
function spreadOf(values: Float64Array): number {
  const sorted = values.sort();
  const count = sorted.length;
  const few = Math.min(count - 1, Math.max(FEW, Math.ceil(count * FEW_SHARE)));
  const average = sorted.reduce((sum, it) => sum + it, 0) / count - sorted[0]!;
  return Math.max(LEAST_DELAY, average, count * (sorted[few]! - sorted[0]!) / few);
}
