import type { ReplyEvent } from "../stats/events.ts";

const WINDOW = 65_536;

const UNKNOWN = 0;
const WAITING = 1;
const ANSWERED = 2;
const GIVEN_UP = 3;

/** When a line was sent: in ms on the monotonic clock, in µs on the wall clock. */
export interface Sent {
  at: number;
  wall: number;
}

/** The lines on their way, by their numbers 1, 2, 3 and so on: it tells what each reply is. */
export class InFlight {
  /** The number of the latest line sent. */
  sent = 0;
  #waiting = 0;
  readonly #timeoutNanos: number;
  readonly #window: number;
  readonly #state: Uint8Array;
  readonly #at: Float64Array;
  readonly #wall: Float64Array;
  /** Every line before this one has been answered or given up. */
  #oldest = 1;
  /** The largest number that was answered. */
  #newest = 0;

  /**
   * @param timeout how long a line waits, in ms. A reply after exactly that time is in time.
   * @param window how many lines are remembered, whatever the order of their replies: a line this far behind the latest
   *   is forgotten.
   */
  constructor(timeout: number, window = WINDOW) {
    this.#timeoutNanos = timeout * 1e6;
    this.#window = window;
    this.#state = new Uint8Array(window);
    this.#at = new Float64Array(window);
    this.#wall = new Float64Array(window);
  }

  /** Lines sent and neither answered nor given up. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Records the next line, just before it is sent.
   *
   * @returns the line whose place in memory it took while that still waited, if there was one: it is lost.
   */
  send(at: number, wall: number): number | undefined {
    const slot = ++this.sent % this.#window;
    const lost = this.#state[slot] === WAITING ? this.sent - this.#window : undefined;
    if (lost === undefined) this.#waiting++;
    this.#state[slot] = WAITING;
    this.#at[slot] = at;
    this.#wall[slot] = wall;
    this.#oldest = Math.max(this.#oldest, this.sent - this.#window + 1);
    return lost;
  }

  /** Whether a line still waits though its time-out has passed. It is to be given up before its reply is received. */
  hasExpired(seq: number, now: number): boolean {
    if (
      !(seq > this.sent - this.#window && seq <= this.sent) || this.#state[seq % this.#window] !== WAITING
    ) {
      return false;
    }
    // To the nanosecond, as round trips are told: what is told must not contradict what was decided.
    return Math.round((now - this.#at[seq % this.#window]!) * 1e6) > this.#timeoutNanos;
  }

  /** Records a reply to this line, and tells what it is. */
  receive(seq: number): ReplyEvent["fate"] | "corrupt" {
    if (!(seq >= 1 && seq <= this.sent)) return "corrupt";
    if (seq <= this.sent - this.#window) return "duplicate"; // it was answered or given up long ago
    const slot = seq % this.#window;
    const state = this.#state[slot];
    this.#state[slot] = ANSWERED;
    if (state === ANSWERED || state === UNKNOWN) return "duplicate";
    if (state === GIVEN_UP) return "late";
    this.#waiting--;
    if (seq < this.#newest) return "reordered";
    this.#newest = seq;
    return "received";
  }

  /** When a line was sent; undefined if it is forgotten. */
  when(seq: number): Sent | undefined {
    if (seq <= this.sent - this.#window) return undefined;
    return { at: this.#at[seq % this.#window]!, wall: this.#wall[seq % this.#window]! };
  }

  /** The line that has waited longest; undefined if none waits. */
  oldest(): number | undefined {
    if (this.#waiting === 0) return undefined;
    while (this.#state[this.#oldest % this.#window] !== WAITING) this.#oldest++;
    return this.#oldest;
  }

  /** Gives up a line that waits. */
  giveUp(seq: number): void {
    this.#state[seq % this.#window] = GIVEN_UP;
    this.#waiting--;
  }
}
