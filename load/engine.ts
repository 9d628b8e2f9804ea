import type { PacingClock } from "../probe/pacing_clock.ts";
import { LineRing } from "../protocol.ts";
import type { LoadInterval } from "../stats/load_interval.ts";
import { ClosedLoop } from "./closed_loop.ts";
import { Connections, type LoadLoop, type MakeConnection } from "./connections.ts";
import { OpenLoop } from "./open_loop.ts";
import type { LoadPlan } from "./options.ts";
import type { SharedLines } from "./outgoing_lines.ts";
import { PendingLines } from "./pending_lines.ts";
import { LoadPlanSchedule } from "./plan_schedule.ts";
import { type LoadObserver, Recorder } from "./recorder.ts";
import { type LoadSignal, type LoadState, nextLoadState } from "./state.ts";

/** Time-outs and intervals that end are looked at this often, at least. */
const MAX_BEAT_MS = 50;
/** The first lines of neighbouring connections are this far apart, so that a reply on the wrong one is noticed. */
const FIRST_LINE_STEP = 7;

/** Where an engine's connections come from. */
export interface Paths {
  /** Whether they are of datagrams. */
  datagrams: boolean;
  /** Makes a connection for lines. */
  make(lines: PendingLines, ...rest: Parameters<MakeConnection>): ReturnType<MakeConnection>;
}

/** Sends the lines of a plan in one thread. `open`, then `run`. */
export class Engine {
  readonly recorder: Recorder;
  readonly #plan: LoadPlan;
  readonly #observer: LoadObserver;
  readonly #clock: PacingClock;
  readonly #connections: Connections;
  readonly #loop: LoadLoop;
  #state: LoadState = { phase: "opening" };
  /** Aborted when nothing more is to be sent, and when nothing is awaited any more. */
  readonly #sending = new AbortController();
  readonly #over = new AbortController();

  /** @param first the first interval. @param thread which of the plan's threads this is, from 0. */
  constructor(
    plan: LoadPlan,
    paths: Paths,
    clock: PacingClock,
    observer: LoadObserver,
    first: LoadInterval,
    thread = 0,
  ) {
    const { threads, reconnect, timeout } = plan;
    this.#plan = plan;
    this.#observer = observer;
    this.#clock = clock;
    this.recorder = new Recorder(observer, plan.stages !== undefined, first);
    const ring = plan.lines === undefined ? LineRing.ofSize(plan.size) : LineRing.of(plan.lines);
    const shared: SharedLines = {
      ring,
      recorder: this.recorder,
      timeout,
      hasOwnConnections: reconnect,
      datagrams: paths.datagrams,
    };
    const share = Math.floor((plan.connections - thread - 1) / threads) + 1;
    this.#connections = new Connections(
      share,
      (place, events, signal) => {
        const firstLine = (place * threads + thread) * FIRST_LINE_STEP;
        return paths.make(new PendingLines(shared, firstLine), place, events, signal);
      },
      this.recorder,
      clock,
    );
    this.#loop = this.#connections.loop = plan.stages === undefined
      ? this.#closedLoop(paths.datagrams)
      : new OpenLoop(
        this.#connections,
        this.recorder,
        clock,
        plan.maxInFlight,
        new LoadPlanSchedule(plan, thread),
      );
  }

  get state(): LoadState {
    return this.#state;
  }

  /** Opens the connections. @throws {Failure} when the first cannot be opened. */
  async open(): Promise<void> {
    const preparing = this.#clock.prepare();
    try {
      await this.#connections.openAll(this.#over.signal);
      await preparing;
    } catch (error) {
      await preparing;
      await this.close();
      throw error;
    }
  }

  /** Sends lines until the fate of all is known. @param began when the warm-up begins, in ms on the clock. */
  async run(began: number): Promise<void> {
    const { warmup, duration } = this.#plan;
    this.recorder.begin(began + warmup, duration);
    this.#apply({ type: "opened" });
    void this.#clock.sleep(warmup, this.#over.signal).then(() => this.#observer.onBegin());
    const beating = this.#beat();
    try {
      await this.#loop.run(this.#sending.signal);
      this.#apply({ type: "all sent" });
      this.#endIfDone();
      await beating;
    } finally {
      this.#apply({ type: "abort" });
      this.#connections.pend();
      this.recorder.finish(this.#clock.now());
      await this.close();
    }
  }

  /** Closes the connections. After it nothing can be sent. */
  async close(): Promise<void> {
    this.abort();
    await this.#connections.close();
    this.#clock.close();
  }

  /** Sends nothing more, and waits for what is in flight. */
  stop(): void {
    this.#apply({ type: "stop" });
    this.#connections.unsend();
    this.#endIfDone();
  }

  /** Ends at once. */
  abort(): void {
    this.#apply({ type: "abort" });
  }

  #closedLoop(datagrams: boolean): ClosedLoop {
    const { depth, think, count, udpRate, threads } = this.#plan;
    const maxRate = datagrams ? udpRate / threads : 0;
    return new ClosedLoop(this.#connections, this.recorder, this.#clock, { depth, think, count, maxRate });
  }

  /** Ends intervals in time, and gives up lines whose time-out has passed. */
  async #beat(): Promise<void> {
    const beat = Math.min(MAX_BEAT_MS, Math.max(1, this.#plan.timeout / 10));
    while (this.#state.phase !== "over") {
      const now = this.#clock.now();
      await this.#clock.sleep(Math.min(beat, Math.max(0, this.recorder.cutAt - now)), this.#over.signal);
      this.recorder.turn(this.#clock.now());
      this.#connections.expire(this.#clock.now());
      this.#endIfDone();
    }
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
