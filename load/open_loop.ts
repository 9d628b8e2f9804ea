import type { PacingClock } from "../probe/pacing_clock.ts";
import type { LoadPlanSchedule } from "./plan_schedule.ts";
import type { LoadLoop, Outlet, Outlets } from "./connection.ts";
import type { LineBatch } from "./line_queue.ts";
import type { Recorder } from "./recorder.ts";
import { sleepUntil } from "./sleep.ts";

/** Why a line failed that no outlet was there for. */
const NOT_CONNECTED = "not connected";

/** Sends lines when the plan wants them, whatever becomes of those before. */
export class OpenLoop implements LoadLoop {
  readonly #outlets: Outlets;
  readonly #recorder: Recorder;
  readonly #clock: PacingClock;
  readonly #maxInFlight: number;
  readonly #schedule: LoadPlanSchedule;
  readonly #planEnd: () => number;
  /** The next planned moment, in ms on the clock; Infinity after the last. */
  #next = Infinity;
  /** Outlets with lines that are not yet handed over. */
  readonly #dealt = new Set<Outlet>();

  /** @param planEnd tells when the plan ends for all threads, if it is cut short: as {@linkcode Engine} has it. */
  constructor(
    outlets: Outlets,
    recorder: Recorder,
    clock: PacingClock,
    maxInFlight: number,
    schedule: LoadPlanSchedule,
    planEnd: () => number,
  ) {
    this.#outlets = outlets;
    this.#recorder = recorder;
    this.#clock = clock;
    this.#maxInFlight = maxInFlight;
    this.#schedule = schedule;
    this.#planEnd = planEnd;
    recorder.planBefore = (moment) => {
      const end = Math.min(moment, planEnd());
      this.#deal((planned) => planned < end);
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#advance();
    if (!signal.aborted) this.#turn(); // what is planned for the beginning waits for nothing
    while (this.#next < this.#planEnd()) {
      await this.#clock.until(this.#next, signal);
      if (signal.aborted) break;
      this.#turn();
    }
    // What is planned last is not the end of the plan, which is when the next line would be. Of one that is cut short
    // nothing was planned from then on, however late this comes to know of it.
    const { from, until } = this.#recorder;
    const end = Math.min(this.#next, from + this.#schedule.end, until, this.#planEnd());
    this.#next = Infinity;
    await sleepUntil(end, this.#clock, signal);
    this.#recorder.end(Math.min(end, this.#clock.now()));
  }

  /** Sends the lines that are due. */
  #turn(): void {
    const now = this.#clock.now();
    const end = this.#planEnd();
    this.#recorder.turn(now);
    this.#deal((planned) => planned <= now && planned < end);
    for (const outlet of this.#dealt) {
      outlet.outgoing.setHanded(this.#clock.now());
      outlet.flush();
    }
    this.#dealt.clear();
  }

  catchUp(): void {
    this.#turn();
  }

  onOpen(): void {}

  onFreed(): void {}

  onUnwritten(lines: LineBatch[]): void {
    for (const batch of lines) {
      const outlet = this.#outlets.next();
      if (outlet === undefined) this.#failAll(batch.planned, batch.lines);
      else {
        const handed = Math.min(batch.handed, this.#clock.now());
        outlet.outgoing.hand(batch.planned, handed, batch.lines);
        outlet.flush();
      }
    }
  }

  /** Deals the lines that are due to the outlets in turn. */
  #deal(isDue: (planned: number) => boolean): void {
    for (; isDue(this.#next); this.#advance()) {
      const planned = this.#next;
      this.#recorder.plan(planned, 1);
      if (this.#recorder.outstanding >= this.#maxInFlight) {
        this.#recorder.drop(planned, this.#clock.now(), 1);
        continue;
      }
      const outlet = this.#outlets.next();
      if (outlet === undefined) {
        this.#failAll(planned, 1);
        continue;
      }
      outlet.outgoing.hand(planned, Infinity, 1);
      this.#dealt.add(outlet);
    }
  }

  #failAll(planned: number, lines: number): void {
    this.#recorder.hand(lines);
    this.#recorder.send(planned, lines);
    this.#recorder.fail(planned, NOT_CONNECTED, lines);
  }

  #advance(): void {
    this.#next = this.#recorder.from + (this.#schedule.next() ?? Infinity);
  }
}
