import type { Clock } from "../time/timers.ts";

/** How often a timer is to fire. */
const BEAT_MS = 20;
/** It fires up to this late where nothing is amiss. */
const TIMER_MS = 5;

/**
 * Finds out when this process did not run in time, because the machine was busy, or the process was stopped, or was at
 * other work: a timer that fires late tells. What was read by then may have come earlier.
 */
export class StallWatch {
  /** When the timer is to fire next. */
  #due = Infinity;
  /** The latest time in which nothing ran, in ms. */
  #from = 0;
  #until = 0;
  readonly #onStall: (from: number, until: number) => void;
  readonly #used: () => number;

  /**
   * @param onStall is told of each time in which this process had no processor, in ms: of one in which a timer is late,
   * without what it used itself.
   * @param used how much it has used so far, in ms.
   */
  constructor(onStall: (from: number, until: number) => void = () => {}, used: () => number = () => 0) {
    this.#onStall = onStall;
    this.#used = used;
  }

  /** Watches until the signal is aborted. */
  async watch(clock: Clock, signal: AbortSignal): Promise<void> {
    let used = this.#used();
    while (!signal.aborted) {
      const began = clock.now();
      this.#due = began + BEAT_MS;
      await clock.sleep(BEAT_MS, signal);
      const now = clock.now();
      const before = used;
      used = this.#used();
      if (now <= this.#due + TIMER_MS) continue;
      [this.#from, this.#until] = [this.#due, now];
      const without = Math.min(now - this.#due, now - began - (used - before));
      if (without > 0) this.#onStall(now - without, now);
    }
    this.#due = Infinity;
  }

  /** Whether nothing may have run at a moment before now: since the last timer that fired in time nothing tells. */
  hasMissed(moment: number, now: number): boolean {
    const [from, until] = this.#latest(now);
    return moment > from - BEAT_MS && moment < until;
  }

  #latest(now: number): [from: number, until: number] {
    // The timer that is overdue may fire after what came in the meantime is read.
    const overdue = now > this.#due + TIMER_MS;
    return overdue ? [this.#due, now] : [this.#from, this.#until];
  }

  /** How long nothing may have run from a moment up to now, in µs; undefined if all did. */
  since(moment: number, now: number): number | undefined {
    const [from, until] = this.#latest(now);
    return until > moment ? Math.round((until - Math.max(moment, from)) * 1e6) / 1e3 : undefined;
  }
}
