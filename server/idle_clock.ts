import type { Clock } from "../time/timers.ts";

/** The idle clock ticks once a second, or faster for short time-outs. */
const MAX_PERIOD_MS = 1_000;
const MIN_PERIOD_MS = 10;

/** Deno's event loop takes 128 operations a turn: after more than that, some may have waited for theirs. */
const MANY_READS = 64;

/**
 * Whether all connections that had sent something were read from. If not, their silence is the server's own.
 *
 * @param reads on all connections, within some milliseconds.
 */
export function hadTime(reads: number): boolean {
  return reads < MANY_READS;
}

/** Milliseconds from tick to tick for some time-outs; 0 for one that there is not. */
export function tickPeriod(...timeouts: number[]): number {
  const shortest = Math.min(...timeouts.filter((it) => it > 0));
  return Math.min(Math.max(shortest / 10, MIN_PERIOD_MS), MAX_PERIOD_MS);
}

/**
 * The clock by which idle and lingering connections are closed. It ticks, and stands still while the process does:
 * what a peer sends while this process is stopped is not read, and such time is nobody's silence.
 */
export class IdleClock {
  /** What the clock will say at its next tick, in milliseconds: what happens until then counts as happening then. */
  next = 0;
  readonly #clock: Clock;
  #period: number;
  #now = 0;
  /** What the other clock said when this one was advanced last. */
  #before: number;
  #hurry = new AbortController();

  /** @param period milliseconds from tick to tick. */
  constructor(clock: Clock, period: number) {
    this.#clock = clock;
    this.#period = period;
    this.next = period;
    this.#before = clock.now();
  }

  /** Ticks more often, or less, from now on. */
  setPeriod(period: number): void {
    this.#advance();
    this.#period = period;
    this.next = this.#now + period;
    this.#hurry.abort();
  }

  /** Ticks until the signal is aborted. @param tick is given what the clock says. */
  async run(tick: (now: number) => void, signal: AbortSignal): Promise<void> {
    const stop = () => this.#hurry.abort();
    signal.addEventListener("abort", stop, { once: true });
    let wasLate = false;
    while (!signal.aborted) {
      await this.#clock.sleep(this.#period, this.#hurry.signal);
      if (this.#hurry.signal.aborted) this.#hurry = new AbortController();
      const passed = this.#advance();
      this.next = this.#now + this.#period;
      // After a standstill, what has come meanwhile is read before anybody is found silent.
      wasLate = passed > 2 * this.#period && !wasLate;
      if (!wasLate && !signal.aborted) tick(this.#now);
    }
    signal.removeEventListener("abort", stop);
  }

  /** Adds the time that has passed, or of a standstill one period. @returns the time that has passed. */
  #advance(): number {
    const now = this.#clock.now();
    const passed = now - this.#before;
    this.#before = now;
    this.#now += Math.min(passed, this.#period);
    return passed;
  }
}
