import type { PacingClock } from "./pacing_clock.ts";
import type { Schedule } from "./schedule.ts";

/** Why no line was sent at a planned moment: what stood between the plan and the connections. */
export const LATE = "ping was late";
export const HELD = "the reader of the output was slow";

/** A line that is due: moments in ms on the pacer's clock. */
export interface DueLine {
  /** When the plan wanted it. */
  planned: number;
  /** When it is handed to a connection. */
  handed: number;
}

/** What a pacer sets the pace of. */
export interface Paced {
  /** How many more lines may be handed over; 0 ends the plan. */
  readonly wanted: number;
  /** What to wait for before the next lines; undefined for nothing. It must not reject. */
  readonly held: Promise<void> | undefined;
  /**
   * Takes the lines that are due now, one at least, without waiting. What it cannot take it has to count as missed.
   */
  hand(lines: DueLine[]): void;
  /** Records planned moments at which no line is sent. */
  miss(count: number, reason: string): void;
}

/**
 * Hands lines over at the moments of a schedule. What is due is handed over at once, what comes late by more than
 * `catchUp` is missed: each planned moment up to the end has a line, or is counted.
 *
 * A line that is late by less is sent with those that are due by then, for the delay of a garbage collection should
 * cost no line. One that is later is not: a burst after a long delay is not what the plan asks for, and would measure
 * itself.
 */
export class Pacer {
  readonly #schedule: Schedule;
  readonly #clock: PacingClock;
  readonly #catchUp: number;
  #began = 0;
  /** The first moment that has neither been given to a line nor missed; Infinity at the schedule's end. */
  #next = Infinity;
  #wasHeld = false;

  /** @param catchUp the most that a line may be late, in ms. */
  constructor(schedule: Schedule, clock: PacingClock, catchUp: number) {
    this.#schedule = schedule;
    this.#clock = clock;
    this.#catchUp = catchUp;
  }

  /**
   * Follows the schedule from now on, until it ends, or no line is wanted any more, or the signal is aborted.
   *
   * @param endsAt when the signal is going to be aborted, if that is known: however late the abort is noticed, what is
   * planned from then on is neither handed over nor missed.
   */
  async follow(paced: Paced, signal: AbortSignal, endsAt = Infinity): Promise<void> {
    if (signal.aborted) return;
    this.#began = this.#clock.now();
    this.#advance();
    this.#turn(paced); // what is planned for the beginning waits for nothing
    while (paced.wanted > 0 && this.#next < endsAt && !signal.aborted) {
      await this.#clock.until(this.#next, signal);
      if (paced.held !== undefined) await this.#untilReleased(paced);
      if (!signal.aborted && this.#clock.now() < endsAt) this.#turn(paced);
    }
    if (paced.wanted > 0) this.#missBefore(Math.min(this.#clock.now(), endsAt), paced);
  }

  async #untilReleased(paced: Paced): Promise<void> {
    const before = this.#clock.now();
    await paced.held;
    this.#wasHeld = this.#clock.now() - before > this.#catchUp;
  }

  #turn(paced: Paced): void {
    const now = this.#clock.now();
    this.#missBefore(now - this.#catchUp, paced);
    const due: DueLine[] = [];
    for (; this.#next <= now && due.length < paced.wanted; this.#advance()) {
      due.push({ planned: this.#next, handed: now });
    }
    if (due.length > 0) paced.hand(due);
  }

  #missBefore(moment: number, paced: Paced): void {
    let count = 0;
    for (; this.#next < moment; this.#advance()) count++;
    if (count === 0) return;
    paced.miss(count, this.#wasHeld ? HELD : LATE);
    this.#wasHeld = false;
  }

  #advance(): void {
    this.#next = this.#began + (this.#schedule.next() ?? Infinity);
  }
}
