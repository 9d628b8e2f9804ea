/**
 * Gives one moment to all that is read in a turn of the event loop. The runtime has read all sockets before any of it is
 * looked at: the first look is closest to the moment at which the bytes were there. To read the clock takes a tenth of
 * the time that a line takes.
 */
export class TurnClock {
  readonly #clock: { now(): number };
  #now: number | undefined;

  constructor(clock: { now(): number }) {
    this.#clock = clock;
  }

  /** In ms, as the clock has it. */
  now(): number {
    if (this.#now !== undefined) return this.#now;
    // What continues with a read of this turn is queued already.
    queueMicrotask(this.#forget);
    return this.#now = this.#clock.now();
  }

  readonly #forget = (): void => {
    this.#now = undefined;
  };
}
