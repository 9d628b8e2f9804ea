import type { Opened, Setup } from "./channel.ts";
import { ChannelPerLine } from "./channel_per_line.ts";
import { OneChannel } from "./one_channel.ts";
import { EventLoopClock, type PacingClock } from "./pacing_clock.ts";
import type { Observer } from "./recorder.ts";
import { intervalOf, type Plan, Run } from "./run.ts";

/** How long after its time-out a line is given up, in ms: a reply at the very end of it is in time. */
const AFTER_TIMEOUT_MS = 1;

/** A way to send the lines of a run, and to read their replies. */
interface Way {
  /** Sends and reads until the run is over. */
  go(): Promise<void>;
  /** Goes on after lines were given up. */
  resume?(): Promise<void>;
}

/**
 * Sends the lines of a plan, and tells an observer what became of each. `open`, then `run`; {@linkcode Prober.stop} at
 * any time.
 */
export class Prober {
  readonly #run: Run;
  readonly #open: (signal: AbortSignal) => Promise<Opened>;
  /** How the lines are sent; undefined before the path is open. */
  #way: Way | undefined;
  #first: Opened | undefined;
  readonly #clock: PacingClock;

  /** @param open makes a channel. @throws {Failure} when it cannot. */
  constructor(
    open: (signal: AbortSignal) => Promise<Opened>,
    plan: Plan,
    observe: Observer,
    clock: PacingClock = new EventLoopClock(),
  ) {
    this.#open = open;
    this.#clock = clock;
    this.#run = new Run(plan, clock, observe);
  }

  /** Aborted when the run is over. */
  get signal(): AbortSignal {
    return this.#run.signal;
  }

  /** Lines sent so far. */
  get sent(): number {
    return this.#run.recorder.sent;
  }

  /** From one planned line to the next, in ms; 0 where each reply calls for the next line. Known once the path is open. */
  get interval(): number {
    return intervalOf(this.#run.plan, this.#first?.channel.datagrams ?? false);
  }

  /** Seconds since the first line could be sent. */
  get elapsed(): number {
    return this.#run.recorder.at(this.#clock.now());
  }

  /** Why the run ended before it was meant to, because of the server or the network; null if it did not. */
  get failure(): string | null {
    return this.#run.failure ?? null;
  }

  /** Whether the deadline ended the run. */
  get expired(): boolean {
    const { state } = this.#run;
    return state.phase === "over" && state.cause === "expired";
  }

  /** Ends the run: no line is sent, and no reply awaited any more. */
  stop(): void {
    this.#run.apply({ type: "stop" });
  }

  /** Opens the path, from which moment on the deadline runs. @throws {Failure} when that cannot be done. */
  async open(): Promise<Setup> {
    const { plan, signal, recorder } = this.#run;
    if (plan.deadline > 0) {
      this.#run.endsAt = this.#clock.now() + plan.deadline;
      void this.#clock.sleep(plan.deadline, signal).then(() => this.#run.apply({ type: "expire" }));
    }
    const preparing = this.#clock.prepare();
    try {
      this.#first = plan.reconnect ? undefined : await this.#open(signal);
    } catch (error) {
      this.stop();
      throw error;
    } finally {
      await preparing;
      if (this.#run.isOver) this.#clock.close();
    }
    this.#way = this.#first === undefined
      ? new ChannelPerLine(this.#run, this.#open)
      : new OneChannel(this.#run, this.#first.channel);
    recorder.begin();
    this.#run.apply({ type: "opened" });
    return this.#first?.setup ?? {};
  }

  /** Sends lines until the run is over; then the fate of each has been told. */
  async run(): Promise<void> {
    const { recorder } = this.#run;
    recorder.begin(); // the caller may have taken its time since the path was open
    const expiring = this.#expireLines();
    const watching = this.#run.stalls.watch(this.#clock, this.#run.signal);
    try {
      await this.#way!.go();
    } finally {
      this.stop(); // or, unless something unexpected was thrown, it has ended
      this.close();
      await expiring;
      await watching;
    }
    recorder.settle(this.failure ?? undefined);
  }

  /** Closes what is open. */
  close(): void {
    this.#first?.channel.close();
    this.#run.recorder.close();
    this.#clock.close();
  }

  /** Gives up each line when its time-out has passed. */
  async #expireLines(): Promise<void> {
    const { plan, clock, recorder } = this.#run;
    while (!this.#run.isOver) {
      // No line sent while this sleeps expires earlier.
      const oldest = recorder.oldestSince ?? clock.now();
      await this.#run.sleep(oldest + plan.timeout - clock.now() + AFTER_TIMEOUT_MS);
      if (this.#run.isOver) return;
      recorder.expire();
      void this.#way?.resume?.();
      this.#run.endIfDone();
    }
  }
}
