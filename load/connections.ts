import { Failure } from "../failure.ts";
import type { PacingClock } from "../probe/pacing_clock.ts";
import type { ConnectionEvents, LoadConnection, LoadLoop, MakeConnection, Outlets } from "./connection.ts";
import { nextPlaceState, type PlaceSignal, type PlaceState } from "./connection_state.ts";
import type { LineBatch } from "./line_queue.ts";
import type { PendingLines } from "./pending_lines.ts";
import type { Recorder } from "./recorder.ts";
import { WorkSet } from "./work_set.ts";

/** The wait before a connection is made anew: it doubles each time. */
const MIN_BACK_OFF_MS = 10;
const MAX_BACK_OFF_MS = 1000;

/** The connections of a run: one that ends is made anew. */
export class Connections implements Outlets, ConnectionEvents {
  /** How many are open. */
  open = 0;
  readonly #places: PlaceState<LoadConnection>[];
  readonly #make: MakeConnection;
  readonly #linesOf: (place: number) => PendingLines;
  readonly #recorder: Recorder;
  readonly #clock: PacingClock;
  readonly #maxConnects: number;
  readonly #random: () => number;
  readonly #closed = new AbortController();
  /** All that is under way for a connection. */
  readonly #working = new WorkSet();
  /** The place of each connection. */
  readonly #placeOf = new WeakMap<LoadConnection, number>();
  #turn = 0;
  loop: LoadLoop | undefined;

  /**
   * @param linesOf makes the lines of a place's next connection.
   * @param maxConnects connects under way at once while all connections are opened.
   */
  constructor(
    count: number,
    make: MakeConnection,
    linesOf: (place: number) => PendingLines,
    recorder: Recorder,
    clock: PacingClock,
    maxConnects: number,
    random: () => number = Math.random,
  ) {
    this.#places = Array.from({ length: count }, () => ({ phase: "connecting", failures: 0 }));
    this.#make = make;
    this.#linesOf = linesOf;
    this.#recorder = recorder;
    this.#clock = clock;
    this.#maxConnects = maxConnects;
    this.#random = random;
  }

  /** Those that are open. */
  *[Symbol.iterator](): Generator<LoadConnection> {
    for (const place of this.#places) if (place.phase === "open") yield place.connection;
  }

  /** The next open connection in turn; undefined if none is open. */
  next(): LoadConnection | undefined {
    if (this.open === 0) return undefined;
    for (;;) {
      const place = this.#places[this.#turn]!;
      this.#turn = (this.#turn + 1) % this.#places.length;
      if (place.phase === "open") return place.connection;
    }
  }

  /**
   * Opens all connections. One that cannot be opened is tried again later.
   *
   * @throws {Failure} if the first one cannot be opened, or the signal is aborted.
   */
  async openAll(signal: AbortSignal): Promise<void> {
    if (signal.aborted) this.#closed.abort();
    signal.addEventListener("abort", () => this.#closed.abort(), { signal: this.#closed.signal });
    await this.#connect(0, true);
    let next = 1;
    const open = async () => {
      while (next < this.#places.length && !this.#closed.signal.aborted) await this.#connect(next++, false);
    };
    await Promise.all(Array.from({ length: this.#maxConnects }, open));
    if (this.#closed.signal.aborted) throw new Failure("open", "all connections", "interrupted");
  }

  /** Gives up the lines whose time-out has passed. */
  expire(now: number): void {
    for (const connection of this) {
      const before = connection.lines.waiting;
      connection.lines.expire(now);
      const freed = before - connection.lines.waiting;
      if (freed > 0) this.onFreed(connection, freed, now);
    }
  }

  /** Takes back what is not written yet: it is not to be sent. */
  unsend(): void {
    for (const { lines } of this) lines.outgoing.unsend();
  }

  /** Nothing is awaited any more. */
  pend(): void {
    for (const { lines } of this) lines.pend();
  }

  onFreed(connection: LoadConnection, lines: number, now: number): void {
    this.loop?.onFreed(connection, lines, now);
  }

  onEnd(connection: LoadConnection, queued: LineBatch[], reason: string): void {
    // Where no line has failed with it, nothing else would tell.
    if (connection.outgoing.isUnused) this.#recorder.connectFailed(reason);
    const index = this.#placeOf.get(connection)!;
    this.open--;
    this.#apply(index, { type: "ended", answered: connection.lines.answered });
    this.loop?.onUnwritten(queued);
    this.#working.add(this.#reopen(index));
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    this.#closed.abort();
    this.#places.forEach((place, index) => {
      this.#apply(index, { type: "close" });
      if (place.phase === "open") place.connection.close();
    });
    await this.#working.ended();
  }

  async #connect(index: number, isFirst: boolean): Promise<void> {
    try {
      const { connection, times } = await this.#make(this.#linesOf(index), this, this.#closed.signal);
      this.#working.add(connection.read());
      this.#apply(index, { type: "connected", connection });
      if (this.#places[index]!.phase !== "open") return connection.close();
      this.#placeOf.set(connection, index);
      this.open++;
      if (times !== undefined) this.#recorder.connected(times);
      this.loop?.onOpen(connection);
    } catch (error) {
      if (isFirst || !(error instanceof Failure)) throw error;
      if (this.#closed.signal.aborted) return;
      this.#recorder.connectFailed(error.reason);
      this.#apply(index, { type: "failed" });
      this.#working.add(this.#reopen(index));
    }
  }

  /** Waits, longer each time, and tries again. */
  async #reopen(index: number): Promise<void> {
    const place = this.#places[index]!;
    if (place.phase !== "backing off") return;
    const wait = Math.min(MIN_BACK_OFF_MS * 2 ** (place.failures - 1), MAX_BACK_OFF_MS);
    // From half of it on, so that connections that ended together do not come back together.
    await this.#clock.sleep(wait * (0.5 + this.#random() / 2), this.#closed.signal);
    if (this.#closed.signal.aborted) return;
    this.#apply(index, { type: "retry" });
    await this.#connect(index, false);
  }

  #apply(index: number, signal: PlaceSignal<LoadConnection>): void {
    this.#places[index] = nextPlaceState(this.#places[index]!, signal);
  }
}
