/** When lines are to be sent, whatever becomes of them: moments that rise. */
export interface Schedule {
  /** The next planned moment, in ms since the plan's beginning; undefined at its end. */
  next(): number | undefined;
}

/** A line each interval, without end. */
export class EvenSchedule implements Schedule {
  readonly #interval: number;
  #passed = 0;

  /** @param interval in ms, more than 0. */
  constructor(interval: number) {
    this.#interval = interval;
  }

  next(): number {
    return this.#passed++ * this.#interval; // no sum, whose rounding errors would add up
  }
}
