import { Failure } from "../failure.ts";
import { TlsFileFailure, type TlsFileRole } from "../net/certificates.ts";
import type { DialOptions } from "../net/dial.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import type { LoadInterval } from "../stats/load_interval.ts";
import type { Clock } from "../time/timers.ts";
import { checkModules, lookEveryTurn } from "./apart.ts";
import type { FromThread, IntervalMessage, ToThread } from "./messages.ts";
import type { LoadPlan } from "./options.ts";
import type { LoadObserver } from "./recorder.ts";
import { NOTICE_MS, type Runner } from "./runner.ts";
import type { EndCause } from "./state.ts";
import { answerClock, type ClockMemory, clockMemory } from "./thread_clock.ts";
import { FiguresRehearsal, ThreadReports } from "./thread_reports.ts";

/** {@linkcode NOTICE_MS} for several threads: all are to have heard it. */
const NOTICE_ALL_MS = 20;

/** How long a thread has to do what it is told to end, in ms; then it is ended. */
const END_MS = 1000;

/** A thread, and what it has told. */
interface Thread {
  worker: Worker;
  /** By which it asks for this thread's clock. */
  memory: ClockMemory;
  opened: PromiseWithResolvers<void>;
  over: PromiseWithResolvers<void>;
  closed: PromiseWithResolvers<void>;
  /** Its intervals that are not told of yet. */
  intervals: IntervalMessage[];
  tail: IntervalMessage | undefined;
  isOver: boolean;
  /** As in `Runner`. */
  turned: number;
}

/**
 * Sends the lines of a plan in threads, each with its share of the connections, and every so manieth line of the one
 * schedule. What they count in the same second is one interval.
 */
export class Threads implements Runner {
  stalled = 0;
  clockError = 0;
  from = Infinity;
  cause: EndCause | undefined;
  readonly #plan: LoadPlan;
  readonly #dial: DialOptions;
  readonly #clock: Clock;
  readonly #observer: LoadObserver;
  readonly #reports: ThreadReports;
  readonly #rehearsal = new FiguresRehearsal();
  #threads: Thread[] = [];
  readonly #over = new AbortController();
  readonly #closing = new AbortController();
  /** What each thread has in flight: they write it now and then. */
  readonly #inFlight: Int32Array<SharedArrayBuffer>;
  /**
   * When the plan of all threads ends, if it is cut short. They read it before they plan lines, and so none plans beyond
   * it, however late a message reaches it.
   */
  readonly #planEnd = new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT)).fill(Infinity);

  constructor(plan: LoadPlan, dial: DialOptions, clock: Clock, observer: LoadObserver, first: LoadInterval) {
    this.#plan = plan;
    this.#dial = dial;
    this.#clock = clock;
    this.#observer = observer;
    this.#reports = new ThreadReports(observer, first);
    this.#inFlight = new Int32Array(new SharedArrayBuffer(plan.threads * Int32Array.BYTES_PER_ELEMENT));
  }

  get outstanding(): number {
    return this.#inFlight.reduce((sum, it) => sum + it, 0);
  }

  get turned(): number {
    return this.#threads.reduce((sum, it) => sum + it.turned, 0);
  }

  async open(): Promise<void> {
    if (this.cause !== undefined) throw this.#failure("interrupted");
    checkModules();
    if (this.#plan.apart) lookEveryTurn();
    this.#threads = Array.from({ length: this.#plan.threads }, () => this.#start());
    this.#threads.forEach((it, thread) => {
      const { memory } = it;
      const [plan, dial, inFlight, planEnd] = [this.#plan, this.#dial, this.#inFlight, this.#planEnd];
      this.#send(it, { type: "open", plan, dial, thread, memory, inFlight, planEnd });
    });
    try {
      await Promise.all(this.#threads.map(({ opened }) => opened.promise));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async run(began: number): Promise<void> {
    began += this.#plan.threads === 1 ? NOTICE_MS : NOTICE_ALL_MS;
    this.from = began + this.#plan.warmup;
    void this.#clock.sleep(this.from - this.#clock.now(), this.#over.signal).then(() =>
      this.#observer.onBegin()
    );
    for (const it of this.#threads) this.#send(it, { type: "run", began });
    void this.#rehearsal.run(this.#plan, this.#clock, this.from, this.#over.signal);
    try {
      await Promise.all(this.#threads.map(({ over }) => over.promise));
      this.cause ??= "done";
      this.#tellTail();
    } finally {
      await this.close();
    }
  }

  stop(): void {
    this.cause ??= "stopped";
    if (this.#plan.threads > 1 && this.#planEnd[0] === Infinity) {
      this.#planEnd[0] = this.#clock.now() + NOTICE_MS; // no thread is ahead of it by then
    }
    for (const it of this.#threads) this.#send(it, { type: "stop" });
  }

  abort(): void {
    if (this.#over.signal.aborted) return;
    this.cause = "aborted";
    const threads = this.#threads;
    for (const it of threads) this.#send(it, { type: "abort" });
    void this.#clock.sleep(END_MS, this.#closing.signal).then(() =>
      threads.forEach((it) => this.#onOver(it))
    );
  }

  async close(): Promise<void> {
    this.#over.abort();
    this.#closing.abort();
    const threads = this.#threads;
    this.#threads = [];
    for (const it of threads) this.#send(it, { type: "close" });
    const late = new AbortController();
    const closed = Promise.all(threads.map(({ closed }) => closed.promise)).finally(() => late.abort());
    await Promise.race([closed, this.#clock.sleep(END_MS, late.signal)]);
    for (const { worker } of threads) worker.terminate();
  }

  #start(): Thread {
    const worker = new Worker(new URL("./thread.ts", import.meta.url), { type: "module" });
    const thread: Thread = {
      worker,
      memory: clockMemory(),
      opened: Promise.withResolvers(),
      over: Promise.withResolvers(),
      closed: Promise.withResolvers(),
      intervals: [],
      tail: undefined,
      isOver: false,
      turned: 0,
    };
    for (const { promise } of [thread.opened, thread.over, thread.closed]) promise.catch(() => {});
    worker.onmessage = ({ data }: MessageEvent<FromThread>) => this.#onMessage(thread, data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#onBroken(thread, event.message);
    };
    return thread;
  }

  #onBroken({ opened, over, closed }: Thread, message: string): void {
    const error = new Error(message);
    opened.reject(error);
    over.reject(error);
    closed.resolve();
  }

  #onOver(thread: Thread): void {
    thread.isOver = true;
    this.#tellWhole();
    thread.over.resolve();
  }

  #send({ worker }: Thread, message: ToThread): void {
    worker.postMessage(message);
  }

  #onMessage(thread: Thread, message: FromThread): void {
    switch (message.type) {
      case "clock":
        return answerClock(thread.memory);
      case "opened":
        this.clockError = Math.max(this.clockError, message.clockError);
        return thread.opened.resolve();
      case "failed":
        return thread.opened.reject(this.#failure(message.reason, message.file));
      case "closed":
        return thread.closed.resolve();
      case "over":
        this.stalled = Math.max(this.stalled, message.stalled);
        return this.#onOver(thread);
      case "broken":
        return this.#onBroken(thread, message.message);
      case "rehearsed":
        return this.#rehearsal.add(message);
      case "exchanges":
        return this.#reports.tellExchanges(message);
      case "interval":
        thread.turned = message.turned;
        if (message.interval.tail) thread.tail = message;
        else thread.intervals.push(message);
        this.#tellWhole();
    }
  }

  /** Tells of the intervals that all threads have ended. */
  #tellWhole(): void {
    for (;;) {
      const next = this.#threads.flatMap(({ intervals }) => intervals.slice(0, 1));
      const isWhole = this.#threads.every((it) =>
        it.intervals.length > 0 || it.isOver || it.tail !== undefined
      );
      if (next.length === 0 || !isWhole) return;
      for (const { intervals } of this.#threads) intervals.shift();
      this.#reports.tellInterval(next);
    }
  }

  #tellTail(): void {
    const tails = this.#threads.flatMap(({ tail }) => tail ?? []);
    if (tails.length > 0) this.#reports.tellInterval(tails, true);
  }

  #failure(reason: string, file?: { role: TlsFileRole; path: string }): Failure {
    if (file !== undefined) return new TlsFileFailure(file.role, file.path, reason);
    return new Failure("connect to", formatEndpoint(this.#dial.endpoint), reason);
  }
}
