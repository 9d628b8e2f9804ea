import { type Bounds, CLIENT_STEP, CLOCK_LAG } from "./feasible_lines.ts";

/** The most that a wall clock gains on a monotonic one without being stepped, in ppm. Linux slews both alike. */
const MAX_SLEW = 100;
/** After this long, in µs, a reading that proves an interval of less than this stands for those before it. */
const MAX_AGE = 1e6;
const GOOD = 50;
/** A reading of the wall clock is at most this late. */
const LATE = CLIENT_STEP + CLOCK_LAG;

/**
 * Finds out when this machine's wall clock was stepped: it is read beside the monotonic clock at each end of each
 * exchange. Before a line is sent the wall clock is read first, after a reply is read the monotonic one: so each
 * exchange proves an interval for the difference of the two, however long the process was held up in between.
 */
export class ClientClock {
  /** Steps so far. */
  steps = 0;
  /** The size of the latest, in µs. */
  latest: Bounds = { lower: 0, upper: 0 };
  #lower = -Infinity;
  #upper = Infinity;
  #at = 0;

  /**
   * Compares the readings of an exchange with those before.
   *
   * @param at when the reply was read, and @param rtt the round trip, in µs on the monotonic clock.
   * @param sent when the line was sent and @param received when the reply was read, in µs on the wall clock.
   * @returns false if the clock was set back during the exchange, whose readings then prove nothing together.
   */
  add(at: number, rtt: number, sent: number, received: number): boolean {
    const lower = sent - (at - rtt);
    const upper = received + LATE - at;
    const slew = MAX_SLEW * Math.abs(at - this.#at) / 1e6 + 1;
    if (lower > upper + 1) {
      this.#step({ lower: upper - LATE, upper });
      this.#begin(-Infinity, upper, at);
      return false;
    }
    if (lower > this.#upper + slew || upper < this.#lower - slew) {
      this.#step({ lower, upper });
      this.#begin(lower, upper, at);
    } else if (this.#lower === -Infinity || (at - this.#at > MAX_AGE && upper - lower < GOOD)) {
      this.#begin(lower, upper, at);
    } else {
      this.#lower = Math.max(this.#lower, lower - slew);
      this.#upper = Math.min(this.#upper, upper + slew);
    }
    return true;
  }

  #step({ lower, upper }: Bounds): void {
    this.steps++;
    this.latest = { lower: lower - this.#upper, upper: upper - Math.max(this.#lower, this.#upper - LATE) };
  }

  #begin(lower: number, upper: number, at: number): void {
    this.#lower = lower;
    this.#upper = upper;
    this.#at = at;
  }
}
