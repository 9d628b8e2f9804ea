import type { PacingClock } from "../probe/pacing_clock.ts";
import { StallWatch } from "../probe/stall_watch.ts";
import { LineRing } from "../protocol.ts";
import type { LoadInterval } from "../stats/load_interval.ts";
import { ClosedLoop } from "./closed_loop.ts";
import type { LoadLoop, Outlets } from "./connection.ts";
import { Connections } from "./connections.ts";
import { LineQueue } from "./line_queue.ts";
import { OpenLoop } from "./open_loop.ts";
import { type LoadPlan, shareOf } from "./options.ts";
import { OutgoingLines, type SharedLines } from "./outgoing_lines.ts";
import { OwnConnections } from "./own_connections.ts";
import type { Paths } from "./paths.ts";
import { PendingLines } from "./pending_lines.ts";
import { LoadPlanSchedule } from "./plan_schedule.ts";
import { type LoadObserver, Recorder } from "./recorder.ts";
import type { Runner } from "./runner.ts";
import { type EndCause, type LoadSignal, type LoadState, nextLoadState } from "./state.ts";

/** Time-outs and intervals that end are looked at this often, at least. */
const MAX_BEAT_MS = 50;
/** Connects under way at once while all connections are opened. */
const MAX_CONNECTS = 100;
/** The first lines of neighbouring connections are this far apart, so that a reply on the wrong one is noticed. */
const FIRST_LINE_STEP = 7;

/** Sends the lines of a plan in one thread. `open`, then `run`. */
export class Engine implements Runner {
  readonly recorder: Recorder;
  stalled = 0;
  readonly clockError = 0;
  readonly #plan: LoadPlan;
  readonly #thread: number;
  readonly #planEnd: () => number;
  readonly #observer: LoadObserver;
  readonly #clock: PacingClock;
  readonly #ring: LineRing;
  readonly #outlets: Outlets;
  readonly #loop: LoadLoop;
  #state: LoadState = { phase: "opening" };
  /** Aborted when nothing more is to be sent, and when nothing is awaited any more. */
  readonly #sending = new AbortController();
  readonly #over = new AbortController();
  #isClosed = false;
  #turnedBefore = 0;

  /**
   * @param first the first interval. @param thread which of the plan's threads this is, from 0.
   * @param planEnd tells when the plan ends for all threads if it is cut short, in ms on the run's clock; Infinity before
   * that is known, and where each thread ends its part when it is stopped.
   */
  constructor(
    plan: LoadPlan,
    paths: Paths,
    clock: PacingClock,
    observer: LoadObserver,
    first: LoadInterval,
    thread = 0,
    planEnd: () => number = () => Infinity,
  ) {
    this.#plan = plan;
    this.#thread = thread;
    this.#planEnd = planEnd;
    this.#observer = observer;
    this.#clock = clock;
    this.recorder = new Recorder(observer, plan.stages !== undefined, first);
    const mayLose = paths.datagrams && !plan.reconnect; // a connection's one line is known by the connection
    this.#ring = plan.lines === undefined
      ? LineRing.ofSize(plan.size, mayLose)
      : LineRing.of(plan.lines, mayLose);
    this.#outlets = this.#outletsOf(paths, thread);
    this.#loop = this.#outlets.loop = plan.stages === undefined
      ? this.#closedLoop(paths.datagrams)
      : new OpenLoop(
        this.#outlets,
        this.recorder,
        clock,
        Math.max(1, Math.floor(plan.maxInFlight / plan.threads)),
        new LoadPlanSchedule(plan, thread),
        planEnd,
      );
  }

  get outstanding(): number {
    return this.recorder.inFlight;
  }

  get turned(): number {
    return this.#clock.turned - this.#turnedBefore;
  }

  get from(): number {
    return this.recorder.from;
  }

  get cause(): EndCause | undefined {
    return "cause" in this.#state ? this.#state.cause : undefined;
  }

  async open(): Promise<void> {
    const preparing = this.#clock.prepare();
    try {
      await this.#outlets.openAll(this.#over.signal);
      await preparing;
    } catch (error) {
      await preparing;
      await this.close();
      throw error;
    }
  }

  async run(began: number): Promise<void> {
    const { warmup, duration } = this.#plan;
    this.recorder.begin(began + warmup, duration);
    this.#apply({ type: "opened" });
    void this.#clock.sleep(began + warmup - this.#clock.now(), this.#over.signal).then(() => {
      this.#turnedBefore = this.#clock.turned;
      this.#observer.onBegin();
    });
    const beating = this.#beat();
    const watching = this.#watchStalls();
    try {
      // Threads begin together.
      if (began > this.#clock.now()) await this.#clock.sleep(began - this.#clock.now(), this.#sending.signal);
      await this.#loop.run(this.#sending.signal);
      this.#apply({ type: "all sent" });
      this.#endIfDone();
      await beating;
    } finally {
      this.#apply({ type: "abort" });
      await watching;
      this.#outlets.pend();
      this.recorder.finish(this.#clock.now());
      await this.close();
    }
  }

  async close(): Promise<void> {
    this.abort();
    await this.#outlets.close();
    this.#clock.close();
    if (!this.#isClosed) this.#ring.close();
    this.#isClosed = true;
  }

  stop(): void {
    const end = this.#planEnd();
    if (end === Infinity) return this.#stop();
    void this.#clock.sleep(Math.max(0, end - this.#clock.now()), this.#over.signal).then(() => {
      if (this.#state.phase === "sending") this.#loop.catchUp();
      this.#stop();
    });
  }

  #stop(): void {
    this.#apply({ type: "stop" });
    this.#outlets.unsend();
    this.#endIfDone();
  }

  abort(): void {
    this.#apply({ type: "abort" });
  }

  #outletsOf({ datagrams, make }: Paths, thread: number): Outlets {
    const { threads, connections, reconnect, timeout } = this.#plan;
    const { recorder } = this;
    const ring = this.#ring;
    const shared: SharedLines = {
      ...{ ring, recorder, connections, timeout },
      ...{ hasOwnConnections: reconnect, datagrams },
    };
    const share = shareOf(connections, thread, threads);
    const linesOf = (number: number) =>
      new PendingLines(shared, (number * threads + thread) * FIRST_LINE_STEP);
    if (!reconnect) {
      return new Connections(share, make, linesOf, recorder, this.#clock, Math.ceil(MAX_CONNECTS / threads));
    }
    let number = 0;
    const outgoing = new OutgoingLines(shared, new LineQueue(), 0);
    return new OwnConnections(share, make, () => linesOf(number++), outgoing, recorder, timeout, this.#clock);
  }

  #closedLoop(datagrams: boolean): ClosedLoop {
    const { connections, think, udpRate, threads, reconnect } = this.#plan;
    const maxRate = datagrams ? udpRate / threads : 0;
    const count = shareOf(this.#plan.count, this.#thread, threads);
    // Lines with connections of their own have one outlet for all.
    const depth = this.#plan.depth * (reconnect ? shareOf(connections, this.#thread, threads) : 1);
    return new ClosedLoop(this.#outlets, this.recorder, this.#clock, { depth, think, count, maxRate });
  }

  /** Ends intervals in time, and gives up lines whose time-out has passed. */
  async #beat(): Promise<void> {
    const beat = Math.min(MAX_BEAT_MS, Math.max(1, this.#plan.timeout / 10));
    while (this.#state.phase !== "over") {
      const now = this.#clock.now();
      await this.#clock.sleep(Math.min(beat, Math.max(0, this.recorder.cutAt - now)), this.#over.signal);
      this.recorder.turn(this.#clock.now());
      this.#outlets.expire(this.#clock.now());
      this.#endIfDone();
    }
  }

  /** Watches whether this thread runs in time, and when time-outs pass: a plan shows only some of that. */
  async #watchStalls(): Promise<void> {
    const stalls = new StallWatch((from, until) => {
      const { recorder } = this;
      this.stalled += Math.max(0, Math.min(until, recorder.until) - Math.max(from, recorder.from));
    }, () => this.#clock.used() / this.#plan.threads);
    this.recorder.hasMissed = (moment, now) => stalls.hasMissed(moment, now);
    await stalls.watch(this.#clock, this.#over.signal);
  }

  #endIfDone(): void {
    if (this.#state.phase === "draining" && this.recorder.outstanding === 0) {
      this.#apply({ type: "all known" });
    }
  }

  #apply(signal: LoadSignal): void {
    this.#state = nextLoadState(this.#state, signal);
    if (this.#state.phase === "draining" || this.#state.phase === "over") this.#sending.abort();
    if (this.#state.phase === "over") this.#over.abort();
  }
}
