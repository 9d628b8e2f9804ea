import type { ProbeEvent } from "./events.ts";
import { LineCounters } from "./line_counters.ts";
import type { Counts, Durations, OffsetOfServer } from "./summary.ts";

/** One interval of a run. */
export interface IntervalSummary extends Counts {
  /** When it began and ended: seconds since the run began. */
  from: number;
  to: number;
  rtt: Durations | null;
  /** The offsets proven so far, over the whole run. */
  offsets: OffsetOfServer[];
}

/** The figures of a run's intervals, one after the other. */
export class IntervalStats {
  readonly #counters = new LineCounters();
  #from = 0;
  #sentBefore = 0;

  add(event: ProbeEvent): void {
    this.#counters.add(event);
  }

  /**
   * Ends an interval, and begins the next.
   *
   * @param to seconds since the run began.
   * @param sent the lines of the whole run so far: a line counts in the interval in which it was sent.
   */
  end(to: number, sent: number, offsets: OffsetOfServer[]): IntervalSummary {
    const { rtt, ...counts } = this.#counters.summary();
    const summary = { from: this.#from, to, ...counts, sent: sent - this.#sentBefore, rtt, offsets };
    this.#from = to;
    this.#sentBefore = sent;
    this.#counters.clear();
    return summary;
  }
}
