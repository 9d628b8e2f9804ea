import { type Schedule, StagesSchedule } from "../probe/schedule.ts";
import { type LoadPlan, shareOf } from "./options.ts";

/**
 * When the lines of an open loop are planned, in ms since the measured part begins: those of the warm-up, whose moments
 * are negative, then the others.
 */
export class LoadPlanSchedule implements Schedule {
  /** When the plan ends; known after the last line. */
  end = Infinity;
  readonly #warmup: number;
  readonly #before: Schedule | undefined;
  readonly #measured: Schedule;
  /** Lines of the measured part that are left. */
  #left: number;

  /** @param thread which of the plan's threads has these lines. */
  constructor({ stages = [], warmup, count, arrivals, seed, threads }: LoadPlan, thread: number) {
    const options = { arrivals, thread, threads };
    const begin = stages.findIndex(({ duration }) => duration > 0);
    // Before the first stage lines are sent at the rate that it begins with, which may be 0.
    const rate = begin > 0 ? stages[begin - 1]!.rate : 0;
    this.#warmup = warmup;
    this.#before = warmup > 0 && rate > 0
      ? StagesSchedule.constant(rate, warmup, { ...options, seed: seed + 1 })
      : undefined;
    this.#measured = new StagesSchedule(stages, { ...options, seed });
    this.#left = shareOf(count, thread, threads);
  }

  next(): number | undefined {
    const before = this.#before?.next();
    if (before !== undefined) return before - this.#warmup;
    const next = this.#measured.next();
    if (next === undefined) return undefined;
    if (this.#left-- > 0) return next;
    this.end = next;
    return undefined;
  }
}
