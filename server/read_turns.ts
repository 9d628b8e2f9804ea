import { setImmediate } from "node:timers";
import type { Clock } from "../time/timers.ts";

/** Up to this many connections are served by two turns of the event loop, which need nobody to share them out. */
const FEW = 256;
/**
 * After this many reads in a turn, connections may have been left over: Deno completes 128 operations on sockets in a
 * turn, and some of them are no reads.
 */
const FULL_TURN = 120;
/** Connections that may read again at the end of a turn: with their writes they take half of the next. */
const RELEASED = 32;
/** The same while connections that were left over come first: when this many of them read in a turn, there are more. */
const RELEASED_AFTER_MANY = 8;
const MANY = 32;
/** Deno looks at sockets once in this many turns at least: if none was left over until then, none is. */
const TURNS_UNTIL_LOOK = 61;
/** Milliseconds without a read that show the same. */
const IDLE_MS = 2;

/**
 * Has connections that can read do so in turn, where there are more than Deno serves in a turn of its event loop.
 *
 * Deno would not: sockets that have become readable since its last turn come first, and of those that it could not serve
 * it tries each one again in each turn. With 5,000 busy connections, 128 were served again and again, most of the
 * others got no reply for seconds, and new ones were not accepted. So connections that were served wait here, and are
 * released bit by bit.
 */
export class ReadTurns {
  readonly #connections: { readonly size: number };
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #isCrowded = false;
  /** Whether the end of this turn is awaited. */
  #isEnding = false;
  /** Reads in this turn of connections that had not waited; whether they were many, and how many turns ago. */
  #others = 0;
  #areMany = false;
  #turnsSince = 0;
  #isWatched = false;
  #wasIdle = false;

  /** @param connections those that may read. */
  constructor(connections: { readonly size: number }, clock: Clock) {
    this.#connections = connections;
    this.#clock = clock;
  }

  /** To be called after each read. @param hadWaited whether the connection had waited for this one. */
  count(hadWaited: boolean): void {
    if (!this.#isCrowded && this.#connections.size <= FEW) return;
    if (!hadWaited) this.#others++;
    if (this.#isEnding) return;
    this.#isEnding = true;
    // A turn of the event loop is no time, so the clock has no part in it: its shortest sleep is a timer of a
    // millisecond, which took 20% of the lines of 1,000 busy connections.
    if (this.#isCrowded) setImmediate(() => this.#endTurn());
    // The other reads of this turn are in the queue of microtasks before this.
    else queueMicrotask(() => this.#look());
  }

  /** What is to be awaited before the next read; undefined if there is no reason to wait. */
  next(): Promise<void> | undefined {
    if (!this.#isCrowded) return undefined;
    void this.#watch();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #look(): void {
    this.#isCrowded = this.#areMany = this.#others >= FULL_TURN;
    this.#others = this.#turnsSince = 0;
    this.#isEnding = false;
  }

  #endTurn(): void {
    if (this.#others > 0) {
      this.#areMany = this.#others >= MANY;
      this.#others = this.#turnsSince = 0;
    } else if (++this.#turnsSince > TURNS_UNTIL_LOOK) {
      this.#areMany = false;
    }
    this.#isEnding = false;
    this.#wasIdle = false;
    this.#release(this.#areMany ? RELEASED_AFTER_MANY : RELEASED);
  }

  /** Releases all when the event loop had nothing to do. */
  async #watch(): Promise<void> {
    if (this.#isWatched) return;
    this.#isWatched = true;
    while (this.#waiting.length > 0) {
      this.#wasIdle = true;
      // After the first one, what has arrived meanwhile is read.
      await this.#clock.sleep(IDLE_MS);
      if (this.#wasIdle) await this.#clock.sleep(IDLE_MS);
      if (this.#wasIdle) this.#release(Infinity);
    }
    this.#isWatched = false;
  }

  #release(most: number): void {
    for (const resolve of this.#waiting.splice(0, most)) resolve();
    if (this.#waiting.length === 0) this.#isCrowded = false;
  }
}
