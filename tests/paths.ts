/** Paths with jitter of several kinds, and runs over them between clocks whose truth is known. */
import { CLOCK_LAG } from "../stats/feasible_lines.ts";
import { RunStats } from "../stats/run_stats.ts";
import { randomFrom } from "./simulation.ts";

export type Random = () => number;

/** Seeded random numbers; the first few of a small seed are all alike. */
export function seeded(seed: number): Random {
  const random = randomFrom(Math.imul(seed + 1, 0x9e3779b1));
  for (let i = 0; i < 8; i++) random();
  return random;
}

export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random()) * mean;
}

/** A value between two others, all orders of magnitude being as likely. */
export function logUniform(random: Random, from: number, to: number): number {
  return from * (to / from) ** random();
}

/** The delays above the best, in µs, of lines sent at these moments (s) with jitter of a mean of about `mean`. */
export type Jitter = (random: Random, moments: readonly number[], mean: number) => number[];

/** Replies in order: what is delayed holds up what follows. */
const fifo = (delay: (random: Random, mean: number) => number): Jitter => (random, moments, mean) => {
  let last = -Infinity;
  return moments.map((moment) => {
    last = Math.max(last, moment * 1e6 + delay(random, mean));
    return last - moment * 1e6;
  });
};

/** Most of the time next to nothing, and spells of `length` lines on average with much. */
const bursts = (length: number): Jitter => (random, moments, mean) => {
  let on = random() < 0.25;
  return moments.map(() => {
    on = random() < (on ? 1 - 1 / length : 1 / (3 * length));
    return exponential(random, mean / 50) + (on ? exponential(random, 4 * mean) : 0);
  });
};

export const JITTERS: Readonly<Record<string, Jitter>> = {
  independent: (random, moments, mean) => moments.map(() => exponential(random, mean)),
  uniform: (random, moments, mean) => moments.map(() => random() * 2 * mean),
  fifo: fifo(exponential),
  "fifo of spikes": fifo((random, mean) =>
    random() < 0.1 ? exponential(random, 10 * mean) : exponential(random, mean / 50)
  ),
  bursty: bursts(8),
  "short bursts": bursts(3),
};

/** What a run is like. Delays in µs, moments in seconds. */
export interface PathRun {
  moments: readonly number[];
  /** The whole delays of each line. */
  up: readonly number[];
  down: readonly number[];
  /** Server minus client at a moment, in µs. */
  offset?: (moment: number) => number;
  /** The client's wall clock minus its monotonic one, in µs. */
  client?: (moment: number) => number;
  /** How long ping was held up before it read a reply, in µs, of which it knows. */
  heldUp?: readonly number[];
}

const EPOCH = 1.7e15;

/** What ping makes of such a run. */
export function statsOf(
  { moments, up, down, offset = () => 0, client = () => 0, heldUp }: PathRun,
  random: Random,
  synced = false,
): RunStats {
  const stats = new RunStats(synced);
  const wall = (moment: number) => Math.floor(EPOCH + moment * 1e6 + client(moment) - random() * CLOCK_LAG);
  moments.map((sentAt, i) => {
    const stampedAt = sentAt + up[i]! / 1e6;
    const busy = heldUp?.[i] ?? 0;
    const at = stampedAt + (down[i]! + busy) / 1e6;
    return {
      fate: "received" as const,
      seq: i + 1,
      at,
      rtt: (at - sentAt) * 1e6,
      sent: wall(sentAt),
      stamp: Math.floor(EPOCH + stampedAt * 1e6 + offset(stampedAt) - random() * CLOCK_LAG),
      received: wall(at),
      format: "iso" as const,
      ...(busy > 0 && { busy }),
    };
  }).sort((one, other) => one.at - other.at).forEach((event) => stats.add(event));
  return stats;
}
