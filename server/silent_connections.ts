import type { Clock } from "../time/timers.ts";
import type { Counters } from "./counters.ts";
import type { Report } from "./events.ts";

const MINUTE_MS = 60_000;

/** Counts connections that ended without a byte from the peer, as health checks do, and tells them once a minute. */
export class SilentConnections {
  readonly #counters: Counters;
  readonly #report: Report;
  readonly #clock: Clock;
  #total = 0;
  #untold = 0;
  #toldAt: number;

  constructor(counters: Counters, report: Report, clock: Clock) {
    this.#counters = counters;
    this.#report = report;
    this.#clock = clock;
    this.#toldAt = clock.now();
  }

  add(): void {
    this.#counters.silent();
    this.#total++;
    this.#untold++;
  }

  /** To be called now and then. */
  tick(): void {
    if (this.#clock.now() - this.#toldAt >= MINUTE_MS) this.flush();
  }

  /** Tells what was not told. */
  flush(): void {
    const count = this.#untold;
    this.#toldAt = this.#clock.now();
    this.#untold = 0;
    if (count > 0) this.#report({ type: "checks", count, total: this.#total });
  }
}
