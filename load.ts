/**
 * Load: sends lines over many connections to a tsecho server by a plan, and tells what became of them second by second.
 *
 * ```ts
 * import { load } from "./load.ts";
 * import { serve } from "./server.ts";
 *
 * await using server = await serve({ listen: ["tcp://127.0.0.1:0"] });
 * const run = load(server.endpoints[0]!, { rate: 1000, duration: 2000, warmup: 0 });
 * for await (const second of run) console.log(second.received); // 1000 ...
 * console.log(run.summary().response!.p99);
 * ```
 *
 * It prints nothing and never ends the process. UDP needs `--unstable-net`.
 *
 * How it works, from the bottom up: load/pending_lines.ts knows what each reply is, load/connections.ts holds the
 * connections, load/open_loop.ts and load/closed_loop.ts send lines over them, load/recorder.ts counts what happens in
 * intervals, and stats/load_stats.ts makes figures of these. Here they meet.
 */
import { cpuUsage } from "node:process";
import { Failure } from "./failure.ts";
import { Engine } from "./load/engine.ts";
import { IntervalQueue } from "./load/interval_queue.ts";
import { type LoadOptions, type LoadPlan, planOf } from "./load/options.ts";
import { pathsTo } from "./load/paths.ts";
import type { LoadObserver } from "./load/recorder.ts";
import { rehearseOnce } from "./load/rehearsal.ts";
import { NOTICE_MS, type Runner } from "./load/runner.ts";
import { Threads } from "./load/threads.ts";
import type { DialOptions } from "./net/dial.ts";
import { DEFAULT_PORT, type Endpoint, formatEndpoint } from "./net/endpoint.ts";
import { parseEndpoint, transportOf } from "./net/transports.ts";
import { LOAD_DEFAULTS } from "./probe/load_defaults.ts";
import { EventLoopClock } from "./probe/pacing_clock.ts";
import { areAlike } from "./protocol.ts";
import { LoadDirections } from "./stats/load_directions.ts";
import { LoadInterval } from "./stats/load_interval.ts";
import { LoadStats } from "./stats/load_stats.ts";
import type { LoadSummary } from "./stats/load_summary.ts";
import { wallOrigin } from "./time/clock.ts";

export { Failure } from "./failure.ts";
export { TlsFileFailure, type TlsFileRole } from "./net/certificates.ts";
export type { Stage } from "./probe/schedule.ts";
export type { GeneratorVerdict, LoadDurations, LoadServer, PercentileName } from "./stats/load_summary.ts";
export type { ServerPart } from "./stats/load_interval.ts";
export type { Distribution } from "./stats/distribution.ts";
export type { Durations, Estimate } from "./stats/summary.ts";
export type { GeneratorReasonCode } from "./stats/reasons.ts";
export type { Unsteady } from "./stats/steadiness.ts";
export type { Trend } from "./stats/trend.ts";
export type { DialOptions } from "./net/dial.ts";
export type { ProxyVersion } from "./net/proxy.ts";
export type { Endpoint, HostEndpoint, PathEndpoint } from "./net/endpoint.ts";
export type { LoadInterval, LoadSummary };
export { find } from "./load/find.ts";
export { LOAD_DEFAULTS, type LoadOptions };

/**
 * Loads an endpoint, such as `tcp://web:21567` or `web`. Nothing is sent before the intervals are iterated over.
 *
 * @throws {Failure} when the endpoint cannot be read; {@linkcode RangeError} when an option is out of range.
 */
export function load(endpoint: string | Endpoint, options: LoadOptions = {}): Load {
  return new Load(endpoint, options);
}

/** How far a run has come. */
export interface LoadProgress {
  /** The share of the plan that is done, from 0 to 1. */
  share: number;
  /** Lines in flight. */
  inFlight: number;
}

/** A run: its intervals, once, and its figures at any moment. */
export class Load implements AsyncIterable<LoadInterval>, AsyncDisposable {
  /** Where the lines go, as a URL. */
  readonly endpoint: string;
  /** Whether a plan or the replies set the pace. */
  readonly loop: "open" | "closed";
  /**
   * The figures so far.
   *
   * @ignore not for users of the library
   */
  readonly stats: LoadStats;
  readonly #plan: LoadPlan;
  readonly #runner: Runner;
  readonly #clock = new EventLoopClock();
  readonly #intervals = new IntervalQueue();
  readonly #connections = new Map<string | null, number>();
  readonly #cpu: CpuMeter;
  /** Whether this thread sends. */
  readonly #isHere: boolean;
  #opened: Promise<void> | undefined;
  #isIterated = false;
  #running: Promise<void> | undefined;

  /** What {@linkcode load} does. */
  constructor(endpoint: string | Endpoint, options: LoadOptions) {
    const { signal, ...given } = options;
    const dial = { ...LOAD_DEFAULTS, ...given, endpoint: endpointOf(endpoint) };
    this.#plan = planOf(options);
    this.endpoint = formatEndpoint(dial.endpoint);
    this.loop = this.#plan.stages === undefined ? "closed" : "open";
    const first = new LoadInterval();
    const directions = new LoadDirections(
      wallOrigin(() => this.#clock.now()),
      first,
      () => this.#runner.clockError,
    );
    this.#cpu = new CpuMeter(this.#plan.threads, () => this.#runner.turned);
    const isDatagrams = transportOf(dial.endpoint).kind === "datagram";
    const { reconnect, size, lines } = this.#plan;
    const alike = isDatagrams && !reconnect && areAlike(size, lines);
    this.stats = new LoadStats({
      loop: this.loop,
      timeout: this.#plan.timeout,
      stages: options.stages !== undefined,
      alike,
      cpu: () => this.#cpu.share,
      stalled: () => this.#runner.stalled,
      connections: () => this.#connections,
      directions: () => directions.servers(),
    });
    const observer: LoadObserver = {
      onInterval: (interval, next) => {
        directions.endInterval(next);
        if (interval.tail === false) this.#cpu.read();
        this.stats.add(interval);
        this.#intervals.push(interval);
      },
      onExchange: ({ tag, written, stamp, read, lines }) => {
        // Where replies are alike it may be the stamp of another line.
        if (!this.stats.alike) directions.add(tag, written, stamp, read, lines);
      },
      onServer: (tag) => this.#connections.set(tag, (this.#connections.get(tag) ?? 0) + 1),
      onBegin: () => this.#cpu.begin(),
    };
    this.#isHere = this.#plan.threads === 1 && !this.#plan.apart;
    this.#runner = this.#isHere
      ? new Engine(this.#plan, pathsTo(dial, this.#clock), this.#clock, observer, first)
      : new Threads(this.#plan, dialOptionsOf(dial), this.#clock, observer, first);
    if (signal?.aborted) this.stop();
    else signal?.addEventListener("abort", () => this.stop(), { once: true });
  }

  /** How far it has come. */
  get progress(): LoadProgress {
    const { duration, count } = this.#plan;
    const share = Math.max(this.elapsed * 1000 / duration, this.stats.total.planned / count);
    return { share: Math.min(1, share), inFlight: this.#runner.outstanding };
  }

  /** Seconds since the measured part began; 0 before. */
  get elapsed(): number {
    return Math.max(0, this.#clock.now() - this.#runner.from) / 1000;
  }

  /** Why the run ended before it was meant to; null if it did not. */
  get ended(): string | null {
    const { cause = "done" } = this.#runner;
    return cause === "done" ? null : cause;
  }

  /** Opens all connections, which iterating does too. @throws {Failure} when the first cannot be opened. */
  open(): Promise<void> {
    return this.#opened ??= this.#open();
  }

  async #open(): Promise<void> {
    if (this.#isHere) await rehearseOnce(this.#plan); // else each thread does
    await this.#runner.open();
  }

  /**
   * Begins a run whose connections are open, ahead of iterating over it.
   *
   * @returns this machine's wall clock when the measured part begins, in seconds since the Unix epoch.
   * @ignore not for users of the library
   */
  begin(): number {
    this.#run(this.#clock.now() + (this.#isHere ? NOTICE_MS : 0)); // threads have their own
    const origin = wallOrigin(() => this.#clock.now());
    return Math.round(origin + this.#runner.from * 1000) / 1e6;
  }

  #run(began: number): void {
    this.#running = this.#runner.run(began).finally(() => this.#intervals.end());
  }

  /** Ends the sending; what is in flight is waited for. */
  stop(): void {
    this.#runner.stop();
  }

  /** Ends at once; what is in flight is pending. */
  abort(): void {
    this.#runner.abort();
  }

  /** Sends the lines, and gives what happened in each second, the rest after the plan's end last. */
  async *[Symbol.asyncIterator](): AsyncGenerator<LoadInterval, void> {
    await this.open();
    if (this.#isIterated) throw new TypeError("The intervals of a run can be iterated over once");
    this.#isIterated = true;
    if (this.#running === undefined) this.#run(this.#clock.now());
    try {
      for (let interval; (interval = await this.#intervals.take()) !== undefined;) yield interval;
    } finally {
      this.abort();
      await this.#running;
    }
  }

  /** The figures of the intervals so far. */
  summary(): LoadSummary {
    return this.stats.summary();
  }

  /** Ends the run, and closes all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.abort();
    await this.#opened?.catch(() => {}); // its caller has been told
    await this.#running;
    await this.#runner.close();
  }
}

/** The options of dialling alone, which can be cloned to another thread. */
function dialOptionsOf(
  { endpoint, family, proxyHeader, connectTimeout, caFile, serverName, insecure, identity }: DialOptions,
): DialOptions {
  return {
    endpoint,
    connectTimeout,
    insecure,
    ...(family !== undefined && { family }),
    ...(proxyHeader !== undefined && { proxyHeader }),
    ...(caFile !== undefined && { caFile }),
    ...(serverName !== undefined && { serverName }),
    ...(identity !== undefined && { identity }),
  };
}

/** How much of its cores this process uses. */
class CpuMeter {
  /** The share of a core that each thread used in the measured time for more than to wait. */
  share = 0;
  readonly #threads: number;
  readonly #turned: () => number;
  #began: { used: number; at: number } | undefined;

  /** @param turned what all threads used to wait since it began, in ms. */
  constructor(threads: number, turned: () => number) {
    this.#threads = threads;
    this.#turned = turned;
  }

  begin(): void {
    this.#began = { used: usedMicros(), at: performance.now() };
  }

  /** Reads what was used up to now. A run of a few ms may end before it is told that its measured time began. */
  read(): void {
    if (this.#began === undefined) return;
    const elapsed = performance.now() - this.#began.at;
    if (elapsed === 0) return;
    const used = (usedMicros() - this.#began.used) / 1000 - this.#turned();
    this.share = Math.max(0, used) / (elapsed * this.#threads);
  }
}

function usedMicros(): number {
  const { user, system } = cpuUsage();
  return user + system;
}

function endpointOf(endpoint: string | Endpoint): Endpoint {
  if (typeof endpoint !== "string") return endpoint;
  try {
    return parseEndpoint(endpoint, { hostname: "localhost", port: DEFAULT_PORT }, 1);
  } catch (error) {
    throw new Failure("load", endpoint, (error as Error).message, { cause: error });
  }
}
