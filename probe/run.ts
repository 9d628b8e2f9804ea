import { aborted } from "../net/stream.ts";
import { type DueLine, Pacer } from "./pacer.ts";
import type { PacingClock } from "./pacing_clock.ts";
import { type Observer, Recorder } from "./recorder.ts";
import { EvenSchedule } from "./schedule.ts";
import { StallWatch } from "./stall_watch.ts";
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

/** From one planned line to the next, in ms; 0 where each reply calls for the next line. */
export function intervalOf({ interval, udpRate, reconnect }: Plan, datagrams: boolean): number {
  // A server limits the datagrams that it answers: what it drops would look like loss.
  return datagrams && !reconnect && udpRate > 0 && interval === 0 ? 1000 / udpRate : interval;
}

/** Lines up to this late are sent with the next ones, in ms, or lines up to an interval late if that is longer. */
const CATCH_UP_MS = 20;

/** One run on its way: what the parts that send and receive share. */
export class Run {
  readonly recorder: Recorder;
  readonly stalls = new StallWatch();
  /** Lines of the plan that have been handed to a connection. */
  begun = 0;
  /** Writes under way, and what else keeps the run from being done. */
  busy = 0;
  /** When the deadline passes, in ms on the run's clock; Infinity for never. */
  endsAt = Infinity;
  #state: RunState = { phase: "opening" };
  readonly #over = new AbortController();

  constructor(readonly plan: Plan, readonly clock: PacingClock, observe: Observer) {
    this.recorder = new Recorder(plan, clock, observe, this.stalls);
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

  /** Why the server or the network ended the run; undefined if they did not. */
  get failure(): string | undefined {
    return this.#state.phase === "over" && this.#state.cause === "failed" ? this.#state.reason : undefined;
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

  /**
   * Hands a line over each interval, until the plan or the run ends. At each planned moment a line is handed over or
   * missed.
   *
   * @param interval in ms, more than 0.
   * @param hand takes lines, and counts those as begun that it can send.
   */
  async follow(interval: number, hand: (lines: DueLine[]) => void): Promise<void> {
    const left = () => this.plan.count - this.begun;
    const { recorder } = this;
    const pacer = new Pacer(new EvenSchedule(interval), this.clock, Math.max(interval, CATCH_UP_MS));
    await pacer.follow(
      {
        get wanted() {
          return left();
        },
        get held() {
          return recorder.held;
        },
        hand,
        miss: (count, reason) => recorder.miss(count, this.failure ?? reason),
      },
      this.signal,
      this.endsAt,
    );
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
