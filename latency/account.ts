/** What became of a line that was sent, or what a reply is. */
export const FATES = [
  /** A reply in time. */
  "received",
  /** In time too, but after the reply to a later line (RFC 4737, 3.3). */
  "reordered",
  /** It came after the line had been given up. */
  "late",
  /** A second reply to the same line (RFC 5560). */
  "duplicate",
  /** Not a reply to any line of this run, or one that was changed on its way. */
  "corrupt",
  /** No reply in time (RFC 7680). */
  "lost",
  /** The run ended before its reply could be expected. */
  "pending",
] as const;
export type Fate = typeof FATES[number];

/** Lines on whose fate can be told whatever order their replies come in: a line so far behind the last is forgotten. */
const WINDOW = 65_536;

const UNKNOWN = 0;
const WAITING = 1;
const ANSWERED = 2;
const GIVEN_UP = 3;

/** When a line was sent: by the monotonic clock in ms, by the wall clock in µs. */
export interface Sent {
  at: number;
  wall: number;
}

/** Tells what each reply is, by its sequence number. Lines have the numbers 1, 2, 3 and so on. */
export class Account {
  /** The number of the latest line sent. */
  sent = 0;
  #waiting = 0;
  readonly #state = new Uint8Array(WINDOW);
  readonly #at = new Float64Array(WINDOW);
  readonly #wall = new Float64Array(WINDOW);
  /** Every line before this one has been answered or given up. */
  #oldest = 1;
  /** The largest number that was answered. */
  #newest = 0;

  /** Lines sent and neither answered nor given up. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Takes note of the next line, which is about to be sent.
   *
   * @returns the line that its place in memory was taken from while it still waited, if there was one: it is lost.
   */
  sending(at: number, wall: number): number | undefined {
    const slot = ++this.sent % WINDOW;
    const lost = this.#state[slot] === WAITING ? this.sent - WINDOW : undefined;
    if (lost === undefined) this.#waiting++;
    this.#state[slot] = WAITING;
    this.#at[slot] = at;
    this.#wall[slot] = wall;
    this.#oldest = Math.max(this.#oldest, this.sent - WINDOW + 1);
    return lost;
  }

  /** What a reply to this line is. */
  arrived(seq: number): Fate {
    if (!(seq >= 1 && seq <= this.sent)) return "corrupt";
    if (seq <= this.sent - WINDOW) return "duplicate"; // it was answered or given up long ago
    const slot = seq % WINDOW;
    const state = this.#state[slot];
    this.#state[slot] = ANSWERED;
    if (state === ANSWERED || state === UNKNOWN) return "duplicate";
    if (state === GIVEN_UP) return "late";
    this.#waiting--;
    if (seq < this.#newest) return "reordered";
    this.#newest = seq;
    return "received";
  }

  /** When a line was sent; undefined for one that is forgotten. */
  when(seq: number): Sent | undefined {
    if (seq <= this.sent - WINDOW) return undefined;
    return { at: this.#at[seq % WINDOW]!, wall: this.#wall[seq % WINDOW]! };
  }

  /** The line that has waited longest, or undefined if none waits. */
  oldest(): number | undefined {
    if (this.#waiting === 0) return undefined;
    while (this.#state[this.#oldest % WINDOW] !== WAITING) this.#oldest++;
    return this.#oldest;
  }

  /** Gives up a line that waits. */
  giveUp(seq: number): void {
    this.#state[seq % WINDOW] = GIVEN_UP;
    this.#waiting--;
  }
}
