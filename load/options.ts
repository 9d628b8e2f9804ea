import type { DialOptions } from "../net/dial.ts";
import { LOAD_DEFAULTS } from "../probe/load_defaults.ts";
import type { Stage } from "../probe/schedule.ts";
import { MAX_PAYLOAD } from "../protocol.ts";
import { canSendApart } from "./apart.ts";

/** How to load. Every option has a default; durations are in milliseconds, sizes in bytes. */
export interface LoadOptions extends Partial<Omit<DialOptions, "endpoint">> {
  /** How many; all are open before the first line is sent. */
  connections?: number;
  /** Lines a second over all connections. Without it, and without stages, each reply calls for the next line. */
  rate?: number;
  /** Instead of a rate: it goes evenly to each stage's, from 0 on; a duration of 0 jumps. */
  stages?: Stage[];
  /** How lines are placed in time: `poisson` as those of many independent users. */
  arrivals?: "uniform" | "poisson";
  /** Repeats the arrivals of `poisson`. */
  seed?: number;
  /** Lines in flight on each connection of a closed loop. */
  depth?: number;
  /** From a reply to the next line of a closed loop. */
  think?: number;
  /** The most lines of the measured part. */
  count?: number;
  /** Of the measured part. With a count alone there is no limit. */
  duration?: number;
  /** How long lines are sent before they are measured. Stages that begin at 0 have no such time. */
  warmup?: number;
  /** How long a line waits for its reply. */
  timeout?: number;
  /** Planned lines beyond this many in flight are dropped. */
  maxInFlight?: number;
  /** Whether each line has a connection of its own. */
  reconnect?: boolean;
  /** Of a line's payload. */
  size?: number;
  /** The payloads, in turn, without LF. */
  lines?: Uint8Array[];
  /** Threads that send. */
  threads?: number;
  /**
   * Whether an open loop is sent by threads of its own even where `threads` is 1, and the caller's only makes the figures:
   * replies are noticed sooner then. It sets `DENO_TOKIO_EVENT_INTERVAL` in the environment of the process for good,
   * unless that has a value, and needs the permissions for that variable and to read; without them it does nothing.
   */
  apart?: boolean;
  /** The most lines a second over UDP without a rate; 0 for no limit: a server answers so many to an address. */
  udpRate?: number;
  /** Ends the sending. */
  signal?: AbortSignal;
}

/** A plan in which nothing is left open. It can be cloned to another thread. */
export interface LoadPlan {
  connections: number;
  /** Undefined in a closed loop. */
  stages: Stage[] | undefined;
  arrivals: "uniform" | "poisson";
  seed: number;
  depth: number;
  think: number;
  /** Infinity for no limit, as duration. */
  count: number;
  duration: number;
  warmup: number;
  timeout: number;
  maxInFlight: number;
  reconnect: boolean;
  size: number;
  lines: Uint8Array[] | undefined;
  threads: number;
  /** Whether threads of their own send even where it is one. */
  apart: boolean;
  udpRate: number;
}

/** The plan that options make. @throws {RangeError} */
export function planOf(options: LoadOptions): LoadPlan {
  const { rate, stages, count, lines } = options;
  checkRanges(options);
  if (rate !== undefined && stages !== undefined) {
    throw new RangeError("Cannot use a rate and stages together");
  }
  const isOpen = rate !== undefined || stages !== undefined;
  if (isOpen && options.depth !== undefined) throw new RangeError("Cannot use a depth with a rate");
  if (isOpen && options.think !== undefined) throw new RangeError("Cannot use a think time with a rate");
  const {
    arrivals,
    depth,
    think,
    warmup,
    timeout,
    maxInFlight,
    reconnect,
    size,
    threads,
    udpRate,
    connections,
  } = {
    ...LOAD_DEFAULTS,
    ...options,
  };
  if (threads > connections) {
    throw new RangeError(`Cannot use ${threads} threads for ${connections} connections: each needs one`);
  }
  const duration = stages?.reduce((sum, it) => sum + it.duration, 0) ??
    options.duration ?? (count === undefined ? LOAD_DEFAULTS.duration : Infinity);
  return {
    connections,
    stages: stages ?? (rate === undefined ? undefined : [{ duration: 0, rate }, { duration, rate }]),
    arrivals,
    seed: options.seed ?? Math.floor(Math.random() * 2 ** 32),
    count: count ?? Infinity,
    lines: lines === undefined || lines.length === 0 ? undefined : lines,
    apart: isOpen && options.apart === true && canSendApart(),
    ...{ depth, think, duration, warmup, timeout, maxInFlight, reconnect, size, threads, udpRate },
  };
}

function checkRanges(options: LoadOptions): void {
  const ranges: [name: keyof LoadOptions, min: number, max: number][] = [
    ["connections", 1, 1_000_000],
    ["rate", Number.MIN_VALUE, 1e9],
    ["depth", 1, 1_000_000],
    ["think", 0, Infinity],
    ["count", 1, Infinity],
    ["duration", Number.MIN_VALUE, Infinity],
    ["warmup", 0, 1e9],
    ["timeout", 1, 1e9],
    ["maxInFlight", 1, Infinity],
    ["size", 1, MAX_PAYLOAD],
    ["threads", 1, 1024],
    ["udpRate", 0, Infinity],
  ];
  for (const [name, min, max] of ranges) {
    const value = options[name];
    if (value === undefined || (value as number >= min && value as number <= max)) continue;
    throw new RangeError(`Cannot use ${name} ${value}: expected a number from ${min} to ${max}`);
  }
  for (const { length } of options.lines ?? []) {
    if (length > MAX_PAYLOAD) {
      throw new RangeError(`Cannot use a line of ${length} bytes: expected at most ${MAX_PAYLOAD}`);
    }
  }
}

/** How many of so many things a thread has where they are dealt to all in turn. */
export function shareOf(count: number, thread: number, threads: number): number {
  return Math.max(0, Math.ceil((count - thread) / threads));
}
