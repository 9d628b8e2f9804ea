import { errorReply, SMALL_SLOT } from "../protocol.ts";
import type { Clock } from "../time/timers.ts";
import type { Connection } from "./connection.ts";
import type { Report } from "./events.ts";
import { RejectionLog } from "./rejection_log.ts";

/** A connection that was ended for its memory may read its error line for this many milliseconds. */
const LINGER_MS = 100;
const REASON = "out of memory for lines";

/**
 * The memory that the lines of all connections take: what was read and is not answered, and replies under way. When it
 * is used up, connections that use much of it are ended.
 */
export class LineMemory {
  readonly #max: number;
  readonly #connections: Iterable<Connection>;
  readonly #clock: Clock;
  readonly #farewell: Uint8Array;
  readonly #evictions: RejectionLog<"out-of-memory">;
  #used = 0;

  /** @param max in bytes. */
  constructor(max: number, connections: Iterable<Connection>, report: Report, clock: Clock) {
    this.#max = max;
    this.#connections = connections;
    this.#clock = clock;
    this.#farewell = errorReply(`${REASON} (${max} bytes)`);
    this.#evictions = new RejectionLog((it) => report({ type: "evict", ...it }), () => clock.now());
  }

  /** Whether so much is used that connections should take no more than they need. */
  get isShort(): boolean {
    return this.#used * 2 > this.#max;
  }

  /** Counts bytes that were taken, or given back where they are less than 0. */
  add(bytes: number): void {
    this.#used += bytes;
    while (bytes > 0 && this.#used > this.#max && this.#evict());
  }

  /** Gives back what a connection holds. */
  release(connection: Connection): void {
    this.#used -= connection.held;
    connection.held = 0;
  }

  /** Ends who has got stuck, and tells what was held back for a second. To be called at each tick of the idle clock. */
  tick(): void {
    while (this.#used > this.#max && this.#evict());
    this.#evictions.tick();
  }

  /** Tells all that was held back. */
  flush(): void {
    this.#evictions.flush();
  }

  /** Ends the connection with the largest unfinished line, or if all are short, the one that holds most and is stuck. */
  #evict(): boolean {
    let largest: Connection | undefined;
    let stuck: Connection | undefined;
    for (const connection of this.#connections) {
      const { unfinished, held, isStuck } = connection;
      if (unfinished > (largest?.unfinished ?? 0)) largest = connection;
      if (isStuck && held > (stuck?.held ?? 0)) stuck = connection;
    }
    const isLine = largest !== undefined && largest.unfinished > SMALL_SLOT;
    const victim = isLine ? largest : stuck ?? largest;
    if (victim === undefined) return false;
    this.#evictions.add({ code: "out-of-memory", reason: REASON, peer: victim.admitted.peer });
    this.release(victim); // it is given back soon
    if (victim === stuck) {
      victim.cut(REASON);
    } else {
      victim.finish(REASON, this.#farewell);
      void this.#clock.sleep(LINGER_MS).then(() => victim.cut(REASON));
    }
    return true;
  }
}
