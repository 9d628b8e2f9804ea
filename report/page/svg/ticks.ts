import type { Quantity } from "../model.ts";
import { isClock, labelsOf } from "./labels.ts";
import type { Scale } from "./scale.ts";

/** A marked value of an axis. */
export interface Tick {
  /** From 0 where the axis begins to 1 where it ends. */
  at: number;
  label: string;
}

/** Seconds between ticks, from a second on. */
const TIME_STEPS = [1, 2, 5, 10, 15, 30].flatMap((it) => [it, it * 60]).concat(
  [1, 2, 3, 6, 12].map((it) => it * 3600),
);
const DAY = 86_400;
/** Rounding of a step must not lose the last tick. */
const SLACK = 1e-9;
/** More nines have no place in 53 bits. */
const MAX_NINES = 15;

/**
 * The ticks of an axis: the finest round steps whose labels find room.
 *
 * @param most how many at most.
 * @param fits whether the labels of ticks find room beside each other.
 */
export function ticksOf(
  scale: Scale,
  quantity: Quantity,
  most: number,
  fits: (ticks: Tick[]) => boolean,
): Tick[] {
  let fewest: Tick[] = [];
  for (const values of candidates(scale, quantity, most)) {
    const shown = values.filter((it) => isInside(scale.at(it)));
    const labels = labelsOf(shown, quantity, scale.kind, isClock(scale, quantity));
    const ticks = shown.map((it, i) => ({ at: scale.at(it), label: labels[i]! }));
    // An axis with a single tick has no scale.
    if (ticks.length < 2 && fewest.length > 0) break;
    fewest = ticks;
    if (ticks.length <= most && fits(ticks)) return ticks;
  }
  return thinned(fewest, fits);
}

function isInside(at: number): boolean {
  return at >= -SLACK && at <= 1 + SLACK;
}

/** Where no step has room for all of its labels: the first and last, or the first. */
function thinned(ticks: Tick[], fits: (ticks: Tick[]) => boolean): Tick[] {
  const ends = [ticks.at(0), ticks.at(-1)].filter((it) => it !== undefined);
  return ends.length === 2 && fits(ends) ? ends : ends.slice(0, 1);
}

/** Values for ticks, from many to few. */
function* candidates(scale: Scale, quantity: Quantity, most: number): Generator<number[]> {
  if (scale.kind === "quantile") yield* quantiles();
  else {
    if (scale.kind === "log") {
      // What 1, 2 and 5 mark is not enough within a decade.
      if (scale.max / scale.min > 8) return yield* decades(scale);
    }
    yield* evenSteps(scale, quantity, most);
  }
}

function* quantiles(): Generator<number[]> {
  const nines = Array.from({ length: MAX_NINES }, (_, i) => Number((1 - 10 ** -(i + 1)).toFixed(i + 1)));
  yield [0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, ...nines.slice(3)];
  yield [0, 0.5, 0.75, ...nines];
  yield [0, 0.5, ...nines];
  yield [0, ...nines];
  yield nines;
  for (const step of [2, 3, 4]) yield nines.filter((_, i) => i % step === 0);
}

/** Decades with 2 and 5 between them, decades alone, or every so many. */
function* decades({ min, max }: Scale): Generator<number[]> {
  const first = Math.floor(Math.log10(min));
  const exponents = Array.from({ length: Math.ceil(Math.log10(max)) - first + 1 }, (_, i) => first + i);
  yield exponents.flatMap((it) => [1, 2, 5].map((digit) => Number(`${digit}e${it}`)));
  yield exponents.flatMap((it) => [1, 3].map((digit) => Number(`${digit}e${it}`)));
  for (let step = 1; step <= exponents.length; step++) {
    yield exponents.filter((it) => it % step === 0).map((it) => Number(`1e${it}`));
  }
}

function* evenSteps({ min, max }: Scale, quantity: Quantity, most: number): Generator<number[]> {
  for (const step of stepsFrom((max - min) / most, quantity)) {
    const first = Math.ceil(min / step - SLACK);
    const count = Math.floor(max / step + SLACK) - first + 1;
    // Products, unlike sums, do not gather errors; the text of a product of decimals needs its digits cut.
    yield Array.from({ length: Math.max(count, 0) }, (_, i) => Number(((first + i) * step).toPrecision(14)));
    if (count < 2) return;
  }
}

/** Round steps, from the first that is not below the least. */
function* stepsFrom(least: number, quantity: Quantity): Generator<number> {
  if (quantity === "time" && least > 0.5) {
    for (const step of TIME_STEPS.filter((it) => it >= least).sort((a, b) => a - b)) yield step;
    for (const days of roundSteps(Math.max(least / DAY, 1))) yield days * DAY;
    return;
  }
  for (const step of roundSteps(quantity === "count" ? Math.max(least, 1) : least)) {
    // From a second on, time is not counted in tens.
    if (quantity === "time" && step >= 1) return yield* stepsFrom(1, quantity);
    yield step;
  }
}

/** 1, 2, 5, 10, 20, 50, …, from the first that is not below the least. */
function* roundSteps(least: number): Generator<number> {
  for (let exponent = Math.floor(Math.log10(least)); exponent < 300; exponent++) {
    for (const digit of [1, 2, 5]) {
      const step = Number(`${digit}e${exponent}`);
      if (step >= least * (1 - SLACK)) yield step;
    }
  }
}
