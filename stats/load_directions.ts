import type { Distribution } from "./distribution.ts";
import type { LoadInterval } from "./load_interval.ts";
import type { Baseline, Directions } from "./segment.ts";
import { ServerClock } from "./server_clock.ts";
import { OTHER_TAGS, tagToKeep } from "./server_stats.ts";
import type { Unsteady } from "./steadiness.ts";
import { type Estimate, estimated } from "./summary.ts";

/** What the stamps of one server tell. */
export interface ServerDirections {
  /** Null for a server without one. */
  tag: string | null;
  /** Delays above the direction's best; undefined where the stamps cannot tell. */
  up: Distribution | undefined;
  down: Distribution | undefined;
  /** Server minus client at the end, in seconds. */
  offset: Estimate | null;
  /** What it looks as if a clock had done: then the delays hold only if it did not. Null for nothing. */
  unsteady: Unsteady | null;
}

/**
 * Lines that wait in one queue have their delays together: a run shorter than so many average delays, one after the other,
 * has too few that do not depend on each other to tell a clock by.
 */
const MIN_DELAYS = 64;

/** Exchanges are put into the interval's distributions when there are so many of a server. */
const CHUNK = 1024;
/** Numbers of an exchange in a chunk. */
const FIELDS = 5;

/**
 * Finds the delay of each direction, for each server, from the exchanges of many connections. In an interval delays are
 * counted above the shortest that is known by then; over the whole run, above the shortest of the run.
 *
 * The client's wall clock is read once, and carried on by the monotonic one: a step of it in the run changes nothing.
 */
export class LoadDirections {
  readonly #servers = new Map<string | null, Server>();
  readonly #origin: number;
  readonly #clockError: () => number;
  #interval: LoadInterval;

  /**
   * @param origin the wall clock where the run's clock is 0: µs since the epoch, as `wallOrigin` finds it.
   * @param interval the first interval, which takes the delays until the next one begins.
   * @param clockError how far moments may be off the run's clock, all those of a thread alike: ms, known when the first
   * exchange has ended.
   */
  constructor(origin: number, interval: LoadInterval, clockError: () => number = () => 0) {
    this.#origin = origin;
    this.#clockError = clockError;
    this.#interval = interval;
  }

  /**
   * Adds an exchange with a server whose stamps are of microseconds.
   *
   * @param written just before the write and @param read just after the read: ms on the run's clock.
   * @param stamp in µs since the epoch. @param lines how many it stands for.
   */
  add(tag: string | null, written: number, stamp: number, read: number, lines = 1): void {
    const server = this.#serverOf(tag);
    if (server === undefined) return;
    const wall = stamp - this.#origin;
    server.add(written, wall - 1000 * written, read, 1000 * read - wall, lines, this.#interval);
  }

  /** Ends an interval: all delays of its exchanges are in it. @param next takes the following ones. */
  endInterval(next: LoadInterval): void {
    for (const server of this.#servers.values()) server.flush(this.#interval);
    this.#interval = next;
  }

  /** What is known of each server that has answered. */
  servers(): ServerDirections[] {
    return [...this.#servers.values()].map((it) => it.directions());
  }

  /** Undefined for further tags: no one clock stands behind them. */
  #serverOf(tag: string | null): Server | undefined {
    let server = this.#servers.get(tag);
    if (server !== undefined || tagToKeep(tag, this.#servers) === OTHER_TAGS) return server;
    this.#servers.set(tag, server = new Server(tag, 1000 * this.#clockError()));
    return server;
  }
}

class Server {
  readonly tag: string | null;
  readonly #clock = new ServerClock();
  readonly #clockError: number;
  #seq = 0;
  /** When the first line was written and the latest reply was read, in seconds. */
  #from = Infinity;
  #until = -Infinity;
  /** Exchanges that are in no distribution yet, and how many of them were before the clock's latest break. */
  readonly #chunk = new Float64Array(CHUNK * FIELDS);
  #used = 0;
  #broken = 0;

  /** @param clockError in µs. */
  constructor(tag: string | null, clockError: number) {
    this.tag = tag;
    this.#clockError = clockError;
  }

  add(written: number, up: number, read: number, down: number, lines: number, interval: LoadInterval): void {
    const { breakCount } = this.#clock;
    // The line may have been written so much earlier, and its reply read so much later, by the run's clock. Each way is
    // longer by the same, so that nothing changes above the best.
    up += this.#clockError;
    down += this.#clockError;
    const [sentAt, receivedAt] = [written / 1000, read / 1000];
    this.#from = Math.min(this.#from, sentAt);
    this.#until = Math.max(this.#until, receivedAt);
    this.#clock.add({ seq: ++this.#seq, sentAt, receivedAt, up, down, resolution: 1, lines });
    if (this.#clock.breakCount !== breakCount) this.#broken = this.#used;
    const at = this.#used++ * FIELDS;
    this.#chunk[at] = sentAt;
    this.#chunk[at + 1] = up;
    this.#chunk[at + 2] = receivedAt;
    this.#chunk[at + 3] = down;
    this.#chunk[at + 4] = lines;
    if (this.#used === CHUNK) this.flush(interval);
  }

  /** Puts the exchanges of the chunk into an interval's distributions. */
  flush(interval: LoadInterval): void {
    const { endedBaseline } = this.#clock;
    if (endedBaseline !== undefined) this.#record(0, this.#broken, endedBaseline, interval);
    const baseline = this.#clock.baseline();
    if (baseline !== undefined) this.#record(this.#broken, this.#used, baseline, interval);
    this.#used = this.#broken = 0;
  }

  directions(): ServerDirections {
    const { tag } = this;
    const estimate = this.#clock.estimate();
    if (estimate === undefined) {
      return { tag, up: undefined, down: undefined, offset: null, unsteady: null };
    }
    const { offset, withdrawn } = estimate;
    const delays = this.#clock.delays().all;
    // A queue that grows, on a machine that the run itself keeps busy, can look like a clock that does not keep time.
    const looks = withdrawn === "step" || withdrawn === "drift" ? withdrawn : null;
    if (looks === null || this.#isLong(delays)) {
      return { tag, ...delays, offset: estimated(offset, 1e-6), unsteady: looks };
    }
    return { tag, ...delays, offset: estimated(this.#clock.bounds().together, 1e-6), unsteady: null };
  }

  /** Whether the run is long enough, for delays such as it had, to tell a clock that did not keep time by them. */
  #isLong({ up, down }: Directions): boolean {
    return this.#until - this.#from >= MIN_DELAYS * (up.avg + down.avg) / 1e6;
  }

  #record(begin: number, end: number, { from, drift, up, down }: Baseline, interval: LoadInterval): void {
    if (begin === end) return;
    const part = interval.server(this.tag);
    for (let at = begin * FIELDS; at < end * FIELDS; at += FIELDS) {
      const [sentAt, upwards, receivedAt, downwards, lines] = [
        this.#chunk[at]!,
        this.#chunk[at + 1]!,
        this.#chunk[at + 2]!,
        this.#chunk[at + 3]!,
        this.#chunk[at + 4]!,
      ];
      part.up.record(Math.max(0, upwards - up - drift * (sentAt - from)), lines);
      part.down.record(Math.max(0, downwards - down + drift * (receivedAt - from)), lines);
    }
  }
}
