/**
 * Ping: sends numbered lines to a tsecho server, and learns from its stamps what became of each.
 *
 * ```ts
 * import { ping } from "./ping.ts";
 * import { serve } from "./server.ts";
 *
 * await using server = await serve({ listen: ["tcp://127.0.0.1:0"] });
 * const run = ping(server.endpoints[0]!, { count: 3, interval: 10 }); // or ping("tcp://web")
 * for await (const event of run) console.log(event.seq, event.fate); // 1 received ...
 * console.log(run.summary().rtt);
 * ```
 *
 * It prints nothing and never ends the process. UDP needs `--unstable-net`.
 *
 * How it works, from the bottom up: probe/channel.ts opens the path, probe/schedule.ts says when to send a line,
 * probe/recorder.ts knows each reply by its number and makes an event of it, and stats/run_stats.ts makes figures of
 * the events. Here they meet.
 */
import { Failure } from "./failure.ts";
import {
  DEFAULT_PORT,
  type Endpoint,
  formatEndpoint,
  type HostEndpoint,
  type PathEndpoint,
} from "./net/endpoint.ts";
import { DIAL_DEFAULTS } from "./net/dial.ts";
import { parseEndpoint } from "./net/transports.ts";
import { type DialOptions, openChannel, type Setup } from "./probe/channel.ts";
import type { ProxyVersion } from "./net/proxy.ts";
import { EventQueue } from "./probe/event_queue.ts";
import { MAX_PROBE, MIN_PROBE } from "./probe/lines.ts";
import { Prober } from "./probe/prober.ts";
import { type Plan, PLAN_DEFAULTS } from "./probe/run.ts";
import type { Distribution } from "./stats/distribution.ts";
import type {
  CorruptEvent,
  GivenUpEvent,
  MissedEvent,
  ProbeEvent,
  ReplyEvent,
  SendingTimes,
  StampFormat,
} from "./stats/events.ts";
import { RunStats } from "./stats/run_stats.ts";
import type {
  BreakSummary,
  Counts,
  Durations,
  Estimate,
  OffsetOfServer,
  ServerSummary,
  Summary,
} from "./stats/summary.ts";

export { Failure } from "./failure.ts";
export { TlsFileFailure, type TlsFileRole } from "./net/certificates.ts";
export type { CorruptEvent, GivenUpEvent, MissedEvent, ProbeEvent, ReplyEvent, SendingTimes, StampFormat };
export type { LossPatternSummary, Outage } from "./stats/loss_pattern.ts";
export type { Withdrawal } from "./stats/server_clock.ts";
export type { BreakSummary, Counts, Durations, Estimate, OffsetOfServer, ServerSummary, Summary };
export type {
  DialOptions,
  Distribution,
  Endpoint,
  HostEndpoint,
  PathEndpoint,
  Plan,
  ProxyVersion,
  RunStats,
  Setup,
};

/** How to ping. Every option has a default; durations are in milliseconds, sizes in bytes. */
export interface PingOptions extends Partial<Plan>, Partial<Omit<DialOptions, "endpoint">> {
  /** Whether the clocks are known to agree, so that the summary has one-way delays. */
  clocksSynced?: boolean;
  /** Ends the run. */
  signal?: AbortSignal;
}

/** The options that are used where none are given. */
export const PING_DEFAULTS: Plan & Pick<DialOptions, "connectTimeout" | "insecure"> = {
  ...PLAN_DEFAULTS,
  ...DIAL_DEFAULTS,
};

/** The summary of a run, and how it ended. */
export interface PingSummary extends Summary {
  /** Why the run ended before it was meant to; null if it did not. */
  ended: string | null;
}

/**
 * Pings an endpoint, such as `tcp://web:21567` or `web`. Nothing is sent before the events are iterated over.
 *
 * @throws {Failure} when the endpoint cannot be read; {@linkcode RangeError} when an option is out of range.
 */
export function ping(endpoint: string | Endpoint, options: PingOptions = {}): Ping {
  return new Ping(endpoint, options);
}

/**
 * A run: its events, once, and its figures at any moment. A consumer that is slower than the run holds the next line
 * back.
 */
export class Ping implements AsyncIterable<ProbeEvent>, AsyncDisposable {
  /** Where the lines go, as a URL. */
  readonly endpoint: string;
  /** The figures so far. */
  readonly stats: RunStats;
  readonly #prober: Prober;
  readonly #events = new EventQueue();
  #setup: Promise<Setup> | undefined;
  #running: Promise<void> | undefined;

  /** What {@linkcode ping} does. */
  constructor(endpoint: string | Endpoint, { clocksSynced = false, signal, ...given }: PingOptions) {
    const options = { ...PING_DEFAULTS, ...given, endpoint: endpointOf(endpoint) };
    checkRanges(options);
    this.endpoint = formatEndpoint(options.endpoint);
    this.stats = new RunStats(clocksSynced);
    this.#prober = new Prober((signal) => openChannel(options, signal), options, (event) => {
      this.stats.add(event);
      return this.#events.push(event);
    });
    if (signal?.aborted) this.stop();
    else signal?.addEventListener("abort", () => this.stop(), { once: true, signal: this.#prober.signal });
  }

  /** Lines sent so far. */
  get sent(): number {
    return this.#prober.sent;
  }

  /** From one planned line to the next, in ms; 0 where each reply calls for the next line. Known once the path is open. */
  get interval(): number {
    return this.#prober.interval;
  }

  /** Seconds since the path was open. */
  get elapsed(): number {
    return this.#prober.elapsed;
  }

  /** Why the run ended before it was meant to: by the server or the network; null if it did not. */
  get ended(): string | null {
    return this.#prober.failure;
  }

  /** Whether no line is sent or awaited any more. */
  get isOver(): boolean {
    return this.#prober.signal.aborted;
  }

  /** Whether the deadline ended the run. */
  get expired(): boolean {
    return this.#prober.expired;
  }

  /** Opens the path, which iterating does too. @throws {Failure} when that cannot be done. */
  open(): Promise<Setup> {
    return this.#setup ??= this.#open();
  }

  /** Ends the run; the events of lines that still wait follow. */
  stop(): void {
    this.#prober.stop();
  }

  /** Sends the lines, and gives what becomes of each. Breaking out of the loop ends the run. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ProbeEvent, void> {
    await this.open();
    if (this.#running !== undefined) throw new TypeError("The events of a run can be iterated over once");
    this.#running = this.#prober.run().finally(() => this.#events.end());
    try {
      for (let events; (events = await this.#events.take()).length > 0;) {
        for (const event of events) yield event;
      }
    } finally {
      this.stop();
      this.#events.end();
      await this.#running;
    }
  }

  /** The figures so far. */
  summary(): PingSummary {
    return { ...this.stats.summary(), ended: this.ended };
  }

  /** Ends the run, and closes the path. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    this.#events.end();
    await this.#setup?.catch(() => {}); // its caller has been told
    await this.#running;
    this.#prober.close();
  }

  async #open(): Promise<Setup> {
    const setup = await this.#prober.open();
    if (setup.connect !== undefined) this.stats.connected(setup.connect, setup.handshake);
    return setup;
  }
}

function endpointOf(endpoint: string | Endpoint): Endpoint {
  if (typeof endpoint !== "string") return endpoint;
  try {
    return parseEndpoint(endpoint, { hostname: "localhost", port: DEFAULT_PORT }, 1);
  } catch (error) {
    throw new Failure("ping", endpoint, (error as Error).message, { cause: error });
  }
}

function checkRanges(plan: Plan): void {
  const ranges: [keyof Plan, min: number, max: number][] = [
    ["count", 1, Infinity],
    ["interval", 0, Infinity],
    ["size", MIN_PROBE, MAX_PROBE],
    ["timeout", 1, Infinity],
    ["deadline", 0, Infinity],
    ["udpRate", 0, Infinity],
  ];
  for (const [name, min, max] of ranges) {
    const value = plan[name] as number;
    if (!(value >= min && value <= max)) {
      throw new RangeError(`Cannot use ${name} ${value}: expected a number from ${min} to ${max}`);
    }
  }
}
