import type { ReplyEvent } from "../stats/events.ts";

/** Lines remembered; enough for 13,000 a second that wait 5 s each. */
const WINDOW = 65_536;

const UNKNOWN = 0;
const WAITING = 1;
const ANSWERED = 2;
const GIVEN_UP = 3;

/** The moments of a line. NaN is one that has not come, or is unknown. */
export interface Moments {
  /** When the plan wanted it, in ms on the monotonic clock. */
  planned: number;
  /** When it was handed to its connection, or its own connection was begun; likewise. */
  handed: number;
  /** Just before it was written; likewise. */
  written: number;
  /** The same moment in µs on the wall clock. */
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
  readonly #planned: Float64Array;
  readonly #handed: Float64Array;
  readonly #written: Float64Array;
  readonly #wall: Float64Array;
  /** Since when lines wait. */
  readonly #since: Float64Array;
  /** Every line before this one has been answered or given up. */
  #oldest = 1;
  /** The largest number that was answered. */
  #newest = 0;

  /**
   * @param timeout how long a line waits, in ms. A reply after exactly that time is in time.
   * @param since whether it waits since it was `handed` over or since it was `written`.
   * @param window how many lines are remembered, whatever the order of their replies: a line this far behind the latest
   *   is forgotten.
   */
  constructor(timeout: number, since: "handed" | "written" = "written", window = WINDOW) {
    this.#timeoutNanos = timeout * 1e6;
    this.#window = window;
    this.#state = new Uint8Array(window);
    const moments = () => new Float64Array(window);
    [this.#planned, this.#handed, this.#written, this.#wall] = [moments(), moments(), moments(), moments()];
    this.#since = since === "handed" ? this.#handed : this.#written;
  }

  /** Lines sent and neither answered nor given up. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Records the next line, just before it is sent. A moment that has not come is NaN.
   *
   * @returns the line whose place in memory it took while that still waited, if there was one: it is lost.
   */
  send({ planned, handed, written, wall }: Moments): number | undefined {
    const slot = ++this.sent % this.#window;
    const lost = this.#state[slot] === WAITING ? this.sent - this.#window : undefined;
    if (lost === undefined) this.#waiting++;
    this.#state[slot] = WAITING;
    this.#planned[slot] = planned;
    this.#handed[slot] = handed;
    this.#written[slot] = written;
    this.#wall[slot] = wall;
    this.#oldest = Math.max(this.#oldest, this.sent - this.#window + 1);
    return lost;
  }

  /** Records that a line that waits is written, which {@linkcode send} had announced. */
  write(seq: number, written: number, wall: number): void {
    this.#written[seq % this.#window] = written;
    this.#wall[seq % this.#window] = wall;
  }

  /** Whether a line waits. */
  isWaiting(seq: number): boolean {
    return seq > this.sent - this.#window && seq <= this.sent && this.#state[seq % this.#window] === WAITING;
  }

  /** Whether a line still waits though its time-out has passed. It is to be given up before its reply is received. */
  hasExpired(seq: number, now: number): boolean {
    if (!this.isWaiting(seq)) return false;
    // To the nanosecond, as round trips are told: what is told must not contradict what was decided.
    return Math.round((now - this.#since[seq % this.#window]!) * 1e6) > this.#timeoutNanos;
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
  when(seq: number): Moments | undefined {
    if (seq <= this.sent - this.#window) return undefined;
    const slot = seq % this.#window;
    return {
      planned: this.#planned[slot]!,
      handed: this.#handed[slot]!,
      written: this.#written[slot]!,
      wall: this.#wall[slot]!,
    };
  }

  /** Since when the line waits that has waited longest; undefined if none waits. */
  oldestSince(): number | undefined {
    const seq = this.oldest();
    return seq === undefined ? undefined : this.#since[seq % this.#window];
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
