/**
 * When to send the lines of a run: one each interval, counted from the first. An interval of 0 is no schedule: there
 * each line waits for the reply to the one before.
 */
export class Schedule {
  /** Planned moments given up so far, because no line could be sent at them. */
  missed = 0;
  readonly #interval: number;
  #left: number;
  /** The first moment, and how many moments the plan has passed since. */
  #first: number | undefined;
  #passed = 0;

  /**
   * @param interval in ms, more than 0.
   * @param count lines to send; Infinity for no end.
   */
  constructor(interval: number, count: number) {
    this.#interval = interval;
    this.#left = count;
  }

  /**
   * The planned moment of the next line, which may have passed already; undefined at the plan's end. A moment more than
   * an interval ago is given up: after a delay, the lines missed are not sent all at once.
   *
   * @param now in ms, on the clock of the moments returned. The first call's is the first moment.
   */
  next(now: number): number | undefined {
    if (this.#left === 0) return undefined;
    this.#left--;
    this.#first ??= now;
    const due = Math.max(this.#passed, Math.ceil((now - this.#first) / this.#interval - 1));
    this.missed += due - this.#passed;
    this.#passed = due + 1;
    return this.#first + due * this.#interval;
  }
}
