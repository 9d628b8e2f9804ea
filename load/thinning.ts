import { type Random, seededRandom } from "../probe/random.ts";

/** So many lines of a run, and after these so many a second, say enough: more would cost more than they tell. */
const ENOUGH = 5000;
/** The rate of lines is found anew after this time, in ms. */
const ROUND_MS = 10;
/** Which lines are picked does not depend on the run, and on nothing that repeats in it. */
const SEED = 1;

/**
 * Picks some of very many lines. The lines are cut into stretches, and one line of each, at random, is picked and
 * stands for all lines of its stretch. How long a stretch is depends on the rate, and is fixed before it begins: every
 * line is as likely to be counted as any other, whether it is quick or slow.
 */
export class Thinning {
  readonly #random: Random;
  /** How many lines the present stretch has, how many of these have passed, and which is picked, from 1. */
  #stretch = 1;
  #passed = 0;
  #pick = 1;
  /** How many lines have to have passed before anything is to be done. */
  #due = 1;
  /** Lines of the stretches that have ended, in all and since the rate was found. */
  #counted = 0;
  #lines = 0;
  #roundAt: number | undefined;

  constructor(random: Random = seededRandom(SEED)) {
    this.#random = random;
  }

  /** Of lines that are read now: how many lines those that are picked stand for. @param now in ms. */
  take(lines: number, now: number): number {
    this.#passed += lines;
    return this.#passed < this.#due ? 0 : this.#weigh(now);
  }

  #weigh(now: number): number {
    const weight = this.#due === this.#pick ? this.#stretch : 0;
    this.#due = this.#stretch; // what is left of the stretch is not picked
    const over = this.#passed - this.#stretch;
    if (over < 0) return weight;
    this.#count(this.#stretch, now);
    // Of whole stretches of lines that came together it is the same which is picked.
    const whole = over - over % this.#stretch;
    const left = over - whole;
    this.#count(whole, now);
    this.#passed = 0;
    this.#due = this.#pick = 1 + Math.floor(this.#random() * this.#stretch);
    return weight + whole + (left === 0 ? 0 : this.take(left, now));
  }

  /** Stretches of so many lines have ended: how long the next ones are may change. */
  #count(lines: number, now: number): void {
    this.#lines += lines;
    this.#counted += lines;
    this.#roundAt ??= now;
    const millis = now - this.#roundAt;
    if (millis < ROUND_MS) return;
    if (this.#counted >= ENOUGH) {
      this.#stretch = Math.max(1, Math.round(this.#lines * 1000 / millis / ENOUGH));
    }
    this.#lines = 0;
    this.#roundAt = now;
  }
}
