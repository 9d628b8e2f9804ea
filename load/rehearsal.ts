import { setImmediate } from "node:timers";
import type { Stream } from "../net/stream.ts";
import type { PacingClock } from "../probe/pacing_clock.ts";
import { Prefix, Responder } from "../protocol.ts";
import { LoadDirections } from "../stats/load_directions.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { LoadStats } from "../stats/load_stats.ts";
import { Engine } from "./engine.ts";
import type { LoadPlan } from "./options.ts";
import type { Paths } from "./paths.ts";
import type { LoadObserver } from "./recorder.ts";
import { StreamConnection } from "./stream_connection.ts";
import { TurnClock } from "./turn_clock.ts";

/** Lines of a rehearsal, which make V8 compile what each line needs, and its duration in ms on its own clock. */
const LINES = 6000;
const DURATION_MS = 3000;
const CONNECTIONS = 10;
const MAX_DEPTH = 16;
/** How much time passes on the rehearsal's clock each time it is read, in ms; a closed loop reads it two or three times a line. */
const STEP_MS = DURATION_MS / LINES / 3;

/** The loops that were rehearsed in this thread: what is compiled stays so. */
const rehearsed = new Set<"open" | "closed">();

/** Rehearses a plan's loop, unless that was done before. @param observerOf as {@linkcode rehearse} has it. */
export async function rehearseOnce(plan: LoadPlan, observerOf: ObserverOf = figures): Promise<void> {
  const loop = loopOf(plan);
  if (rehearsed.has(loop)) return;
  rehearsed.add(loop);
  await rehearse(plan, observerOf);
}

/** Makes what takes in what is found, from the first interval on. */
type ObserverOf = (plan: LoadPlan, first: LoadInterval) => LoadObserver;

/** Makes figures of it, as the main thread does. */
export function figures(plan: LoadPlan, first: LoadInterval): LoadObserver {
  const directions = new LoadDirections(0, first);
  const stats = new LoadStats({ loop: loopOf(plan), timeout: plan.timeout, stages: false });
  return {
    onInterval(interval, next) {
      directions.endInterval(next);
      stats.add(interval);
    },
    onExchange: ({ tag, written, stamp, read, lines }) => directions.add(tag, written, stamp, read, lines),
    onServer() {},
    onBegin() {},
  };
}

function loopOf({ stages }: LoadPlan): "open" | "closed" {
  return stages === undefined ? "closed" : "open";
}

/**
 * Runs a load like that of a plan in memory, for some 0.1 s. Code that V8 has not compiled yet takes up to 20 times as
 * long: without this, the first lines would be late, and so would those that meet the end of the first second, when
 * its figures are made.
 *
 * @param observerOf makes what takes them in this thread.
 * @returns what happened, for tests.
 */
export async function rehearse(given: LoadPlan, observerOf: ObserverOf = figures): Promise<LoadInterval> {
  const loop = loopOf(given);
  const rate = LINES * 1000 / DURATION_MS;
  const plan: LoadPlan = {
    connections: CONNECTIONS,
    stages: loop === "closed" ? undefined : [{ duration: 0, rate }, { duration: DURATION_MS, rate }],
    arrivals: "uniform",
    seed: 1,
    depth: Math.min(given.depth, MAX_DEPTH),
    think: 0,
    count: LINES,
    duration: DURATION_MS,
    warmup: 0,
    timeout: DURATION_MS,
    maxInFlight: Infinity,
    reconnect: false,
    size: 31,
    lines: undefined,
    threads: 1,
    apart: false,
    udpRate: 0,
  };
  const clock = new RehearsalClock();
  const first = new LoadInterval();
  const observer = observerOf(plan, first);
  const total = new LoadInterval();
  const engine = new Engine(plan, echoes(clock), clock, {
    onInterval(interval, next) {
      observer.onInterval(interval, next);
      total.extend(interval);
    },
    onExchange: (sample) => observer.onExchange(sample),
    onServer: (tag) => observer.onServer(tag),
    onBegin() {},
  }, first);
  await engine.open();
  let isOver = false;
  const running = engine.run(clock.now()).finally(() => isOver = true);
  while (!isOver) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.skip();
  }
  await running;
  return total;
}

/** A clock that goes on whenever it is read or waited for, and over sleeps when nothing else is to be done. */
class RehearsalClock implements PacingClock {
  #now = 0;
  readonly turned = 0;
  readonly #sleepers = new Set<{ at: number; wake: () => void }>();

  now(): number {
    return this.#now += STEP_MS;
  }

  async until(moment: number): Promise<void> {
    this.#now = Math.max(this.#now, moment);
    await undefined; // the others run
  }

  sleep(millis: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const sleeper = { at: this.#now + millis, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", () => {
        this.#sleepers.delete(sleeper);
        resolve();
      }, { once: true });
    });
  }

  /** Goes on to the next end of a sleep. */
  skip(): void {
    const next = Math.min(...[...this.#sleepers].map(({ at }) => at));
    if (next < Infinity) this.#now = Math.max(this.#now, next);
    for (const sleeper of this.#sleepers) {
      if (sleeper.at > this.#now) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  used(): number {
    return 0;
  }

  close(): void {}
}

function echoes(clock: PacingClock): Paths {
  const turn = new TurnClock(clock);
  return {
    datagrams: false,
    make(lines, events) {
      const connection = new StreamConnection(new EchoStream(clock), lines, clock, events, turn);
      return Promise.resolve({ connection, times: { connectMs: 0.1 } });
    },
  };
}

/** A stream whose other end answers as a server does. */
class EchoStream implements Stream {
  readonly #clock: PacingClock;
  readonly #prefix = new Prefix("iso");
  readonly #responder = new Responder("line", 65_536);
  readonly #replies: Uint8Array[] = [];
  #wake = () => {};
  #isClosed = false;

  constructor(clock: PacingClock) {
    this.#clock = clock;
  }

  write(bytes: Uint8Array): Promise<number> {
    const room = this.#responder.readBuffer();
    const taken = Math.min(bytes.length, room.length);
    room.set(bytes.subarray(0, taken));
    this.#responder.commit(taken);
    const stamp = this.#prefix.at(Math.floor(this.#clock.now() * 1000));
    for (let it; (it = this.#responder.next(stamp)) !== undefined;) this.#replies.push(it.slice());
    this.#wake();
    return Promise.resolve(taken);
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#replies.length === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const replies = this.#replies[0];
    if (replies === undefined) return null;
    const taken = Math.min(replies.length, buffer.length);
    buffer.set(replies.subarray(0, taken));
    if (taken < replies.length) this.#replies[0] = replies.subarray(taken);
    else this.#replies.shift();
    return taken;
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#responder.close();
    this.#wake();
  }
}
