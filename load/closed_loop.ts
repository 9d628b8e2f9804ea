import type { PacingClock } from "../probe/pacing_clock.ts";
import type { LoadLoop, Outlet, Outlets } from "./connection.ts";
import type { LineBatch } from "./line_queue.ts";
import type { Recorder } from "./recorder.ts";
import { sleepUntil } from "./sleep.ts";

/** How many lines a closed loop sends. */
export interface ClosedPlan {
  /** Lines in flight on each outlet. */
  depth: number;
  /** From a reply to the next line in its place, in ms. */
  think: number;
  /** The most lines of the measured part. */
  count: number;
  /** The most lines a second over all outlets; 0 for no limit. */
  maxRate: number;
}

/** Lines that are to be sent at a moment. */
interface Later {
  at: number;
  outlet: Outlet;
  lines: number;
}

/** Keeps so many lines in flight on each outlet: replies call for the next lines. */
export class ClosedLoop implements LoadLoop {
  readonly #outlets: Outlets;
  readonly #recorder: Recorder;
  readonly #clock: PacingClock;
  readonly #plan: ClosedPlan;
  /** Lines of the measured part that may be handed over. */
  #left: number;
  /** Lines that wait for their moment, the next first. */
  readonly #later: Later[] = [];
  #latest = -Infinity;
  /** Outlets with lines that are not yet written. */
  #handed: Outlet[] = [];
  /** Ends what waits; undefined when nothing is to be sent. */
  #sending: AbortController | undefined;
  #wake = () => {};

  constructor(outlets: Outlets, recorder: Recorder, clock: PacingClock, plan: ClosedPlan) {
    this.#outlets = outlets;
    this.#recorder = recorder;
    this.#clock = clock;
    this.#plan = plan;
    this.#left = plan.count;
  }

  async run(signal: AbortSignal): Promise<void> {
    const sending = this.#sending = new AbortController();
    signal.addEventListener("abort", () => sending.abort(), { once: true, signal: sending.signal });
    if (signal.aborted) sending.abort();
    for (const outlet of this.#outlets) this.onOpen(outlet);
    void sleepUntil(this.#recorder.until, this.#clock, sending.signal).then(() => sending.abort());
    await this.#sendLater(sending.signal);
    this.#sending = undefined;
    if (this.#left === 0) this.#recorder.endWithReplies();
    else this.#recorder.end(this.#clock.now());
  }

  catchUp(): void {}

  onOpen(outlet: Outlet): void {
    if (this.#sending === undefined) return;
    // Of lines whose rate is limited those of one outlet need not come together.
    if (this.#plan.maxRate === 0) this.#send(outlet, this.#plan.depth, this.#clock.now());
    else for (let i = 0; i < this.#plan.depth; i++) this.#sendAfter(0, outlet, 1);
  }

  onFreed(outlet: Outlet, lines: number, now: number): void {
    if (this.#sending === undefined) return;
    const { think, maxRate } = this.#plan;
    if (think === 0 && maxRate === 0) return this.#send(outlet, lines, now);
    for (let i = 0; i < lines; i++) this.#sendAfter(think, outlet, 1);
  }

  onUnwritten(lines: LineBatch[]): void {
    for (const batch of lines) {
      if (this.#recorder.isMeasured(batch.planned)) this.#left += batch.lines;
    }
  }

  #send(outlet: Outlet, lines: number, now: number): void {
    const recorder = this.#recorder;
    recorder.turn(now);
    if (now >= recorder.until) return this.#sending?.abort();
    if (now >= recorder.from) {
      lines = Math.min(lines, this.#left);
      this.#left -= lines;
    }
    if (lines > 0) {
      outlet.outgoing.hand(now, now, lines);
      if (this.#handed.push(outlet) === 1) queueMicrotask(this.#flush);
    }
    if (this.#left === 0) this.#sending?.abort();
  }

  /**
   * Writes when all that was read in this turn of the event loop has been taken. Between two writes is too little time
   * then for a server to fall asleep, and to wake it would be the sender's work. Each outlet reads the clock for its
   * write, and does not write after the plan's end.
   */
  readonly #flush = (): void => {
    const outlets = this.#handed;
    this.#handed = [];
    for (const outlet of outlets) outlet.flush();
  };

  #sendAfter(millis: number, outlet: Outlet, lines: number): void {
    const { maxRate } = this.#plan;
    const earliest = this.#clock.now() + millis;
    this.#latest = maxRate === 0 ? earliest : Math.max(earliest, this.#latest + 1000 / maxRate);
    this.#later.push({ at: this.#latest, outlet, lines });
    this.#wake();
  }

  /** Sends what waits for its moment, until the signal is aborted. */
  async #sendLater(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    while (!signal.aborted) {
      const next = this.#later[0];
      if (next === undefined) {
        await Promise.race([aborted, new Promise<void>((resolve) => this.#wake = resolve)]);
        continue;
      }
      await this.#clock.until(next.at, signal);
      while (!signal.aborted && this.#later.length > 0 && this.#later[0]!.at <= this.#clock.now()) {
        const { outlet, lines } = this.#later.shift()!;
        if (outlet.isOpen) this.#send(outlet, lines, this.#clock.now());
      }
    }
  }
}
