/** Whether a direction carries the delay: a paired test over stretches of the run. docs/clock.md explains it. */
import type { Block } from "./time_blocks.ts";

/** A claim takes at least this many replies. */
export const CLAIM_REPLIES = 50;
/** How often a claim may be made where there is nothing to claim, if stretches are independent. */
const FALSE_CLAIMS = 0.0005;
/** A direction carries the delay if it has this many times the other's ... */
const CARRIES = 3;
/** ... and more of it by this many µs, and by this share of the shortest round trip. */
const CARRIES_MICROS = 100;
const CARRIES_SHARE = 0.1;
/** A stretch counts for a direction whose average delay is this many times the other's ... */
const CLEARLY = 2;
/** ... and larger by this many µs, and by this share of the shortest round trip. */
export const STRETCH_MICROS = 50;
export const STRETCH_SHARE = 0.05;
/** Stretches are this many times as long as the delays depend on each other. */
const LENGTHS = 1.5;
/** The most stretches of which all must agree where they may not be independent, and of how many blocks at least. */
const WHOLE = 25;
const WHOLE_BLOCKS = 64;

/** The direction that clearly has more of the delay; null if neither does. @param shortest round trip; all in µs. */
export function clearlyLarger(up: number, down: number, shortest: number): "up" | "down" | null {
  const [more, less] = [Math.max(up, down), Math.min(up, down)];
  const least = Math.max(CARRIES_MICROS, CARRIES_SHARE * shortest);
  if (more < CARRIES * less || more - less < least) return null;
  return up > down ? "up" : "down";
}

/**
 * Whether a direction has more of the delay than the other in nearly all stretches of a run that are independent, or in
 * all of them whether they are or not: then it had the delay from the beginning to the end.
 *
 * @param blocks the run's blocks in order, their delays above the best of each direction.
 * @param least how much more it must be in a stretch, in µs.
 */
export function isConsistent(direction: "up" | "down", blocks: readonly Block[], least: number): boolean {
  const other = direction === "up" ? "down" : "up";
  const whole = stretches(blocks, Math.ceil(blocks.length / WHOLE), least);
  if (blocks.length >= WHOLE_BLOCKS && whole[direction] === whole.all) return true;
  const dependent = Math.max(
    correlationLength(blocks.map(({ up, down }) => up - down)),
    correlationLength(blocks.map((it) => it[direction])),
  );
  const found = stretches(blocks, Math.ceil(LENGTHS * dependent), least);
  return found[direction] > found[other] && signTest(found.up, found.down) <= FALSE_CLAIMS;
}

/** How many stretches of so many blocks there are, and in how many of them each direction clearly has more. */
function stretches(
  blocks: readonly Block[],
  length: number,
  least: number,
): { up: number; down: number; all: number } {
  const found = { up: 0, down: 0, all: 0 };
  for (let end = blocks.length; end >= length; end -= length) {
    let [up, down] = [0, 0];
    for (let i = end - length; i < end; i++) {
      up += blocks[i]!.up / length;
      down += blocks[i]!.down / length;
    }
    found.all++;
    if (up >= CLEARLY * down && up - down >= least) found.up++;
    else if (down >= CLEARLY * up && down - up >= least) found.down++;
  }
  return found;
}

/**
 * Over how many values, one after the other, they depend on each other: their integrated autocorrelation time, by
 * Geyer's initial positive sequence (1992), of ranks, so that a few large values do not decide. At least 1.
 */
export function correlationLength(values: ArrayLike<number>): number {
  const count = values.length;
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const ranks = new Array<number>(count);
  order.forEach((index, rank) => ranks[index] = rank - (count - 1) / 2);
  const products = (lag: number) => {
    let sum = 0;
    for (let i = 0; i + lag < count; i++) sum += ranks[i]! * ranks[i + lag]!;
    return sum;
  };
  const variance = products(0);
  let length = -1;
  for (let lag = 0; lag + 1 < count / 2; lag += 2) {
    const pair = (products(lag) + products(lag + 1)) / variance;
    if (!(pair > 0)) break;
    length += 2 * pair;
  }
  return Math.max(1, length);
}

/** How probable it is that fair coins fall at least as unevenly, either way. */
export function signTest(heads: number, tails: number): number {
  const [least, all] = [Math.min(heads, tails), heads + tails];
  let [term, sum] = [2 ** -all, 0];
  for (let i = 0; i <= least; i++) {
    sum += term;
    term *= (all - i) / (i + 1);
  }
  return Math.min(1, 2 * sum);
}
