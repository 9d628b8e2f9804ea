import { aborted } from "../net/stream.ts";
import type { Clock } from "../time/timers.ts";
import { type Observer, Recorder } from "./recorder.ts";
import type { Schedule } from "./schedule.ts";
import { type RunSignal, type RunState, transition } from "./state.ts";

/** What to send, and how long to wait for it. Durations are in milliseconds. */
export interface Plan {
  /** Lines to send; Infinity for no limit. */
  count: number;
  /** From one line to the next; 0 for each as soon as the reply to the one before has come. */
  interval: number;
  /** Payload of a line in bytes, without its LF. */
  size: number;
  /** How long to wait for a reply. */
  timeout: number;
  /** When to end the run, whatever has come; 0 for never. */
  deadline: number;
  /** Datagrams a second where the interval is 0; 0 for no limit. */
  udpRate: number;
  /** Whether each line has a connection of its own. */
  reconnect: boolean;
}

/** The plan of `ping` where nothing else is asked for. */
export const PLAN_DEFAULTS: Plan = {
  count: Infinity,
  interval: 1000,
  size: 56,
  timeout: 5000,
  deadline: 0,
  udpRate: 500,
  reconnect: false,
};

/** One run on its way: what the parts that send and receive share. */
export class Run {
  readonly recorder: Recorder;
  /** Lines of the plan that have been begun, if only with a connection. */
  begun = 0;
  /** Lines that are being written, or whose connection is being made. */
  busy = 0;
  #state: RunState = { phase: "opening" };
  readonly #over = new AbortController();

  constructor(readonly plan: Plan, readonly clock: Clock, observe: Observer) {
    this.recorder = new Recorder(plan, clock, observe);
  }

  get state(): RunState {
    return this.#state;
  }

  /** Aborted when the run is over. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  get isOver(): boolean {
    return this.#state.phase === "over";
  }

  /** Whether there are lines to send. */
  get hasMore(): boolean {
    return this.#state.phase === "sending" && this.begun < this.plan.count;
  }

  apply(signal: RunSignal): void {
    this.#state = transition(this.#state, signal);
    if (this.isOver) this.#over.abort();
  }

  /** Ends the run unless there are lines to send or replies to wait for. */
  endIfDone(): void {
    if (this.#state.phase === "sending" && !this.hasMore) this.apply({ type: "all sent" });
    if (this.busy === 0 && this.recorder.waiting === 0) this.apply({ type: "all known" });
  }

  /** Calls `send` at each moment of a schedule, until the plan or the run ends. */
  async follow(schedule: Schedule, send: () => Promise<void>): Promise<void> {
    while (this.hasMore) {
      const planned = schedule.next(this.clock.now());
      if (planned === undefined) return;
      const missed = schedule.missed - this.recorder.missed;
      if (missed > 0) this.recorder.miss(missed, "ping was late");
      const wait = planned - this.clock.now();
      if (wait > 0) await this.sleep(wait);
      await send();
      if (this.recorder.held !== undefined) await this.recorder.held;
    }
  }

  /** Resolves when the run is over, which may be now. */
  untilOver(): Promise<void> {
    this.endIfDone();
    return aborted(this.signal);
  }

  /** Waits, unless the run is over before. */
  sleep(millis: number): Promise<void> {
    return this.clock.sleep(Math.max(millis, 0), this.signal);
  }
}
