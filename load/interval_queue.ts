import type { LoadInterval } from "../stats/load_interval.ts";

/** Intervals on their way to one consumer, which may be slow: there is one a second. */
export class IntervalQueue {
  #intervals: LoadInterval[] = [];
  #ended = false;
  #wake = () => {};

  push(interval: LoadInterval): void {
    this.#intervals.push(interval);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** The next interval, once there is one; undefined at the end. */
  async take(): Promise<LoadInterval | undefined> {
    while (this.#intervals.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#intervals.shift();
  }
}
