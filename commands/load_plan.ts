/** What `tsecho load` was asked for, and what is made of it before a run begins. */
import { UsageError } from "../cli/parser.ts";
import { Failure, reasonOfFile } from "../failure.ts";
import type { LoadOptions } from "../load.ts";
import type { DialOptions } from "../net/dial.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import { readLines } from "../net/file.ts";
import { descriptorLimit } from "../net/limits.ts";
import { MAX_PAYLOAD } from "../protocol.ts";
import { LOAD_VERSION, type LoadStart } from "../report/load_record.ts";
import type { LoadThreshold } from "../stats/threshold.ts";
import { wallMicros } from "../time/clock.ts";
import { unlessAborted } from "../time/timers.ts";
import type { AgainstOptions } from "./against.ts";
import type { OutputOptions } from "./load_outputs.ts";

/** What is sent: what {@linkcode LoadOptions} has, with the defaults that the command shows. Durations are in ms. */
export interface LoadSettings extends Omit<LoadOptions, keyof DialOptions | "signal" | "lines"> {
  connections: number;
  threads: number;
  reconnect: boolean;
  warmup: number;
  timeout: number;
}

/** What `tsecho load` was asked for. */
export interface LoadCommandOptions extends DialOptions, OutputOptions {
  settings: LoadSettings;
  /** What a search has to keep, and the length of its trials in ms. */
  find?: { limit: LoadThreshold; trial: number };
  /** The other endpoint of a series of runs. */
  against?: AgainstOptions;
  /** Conditions under which the run has failed, and those that end it. */
  failIf: LoadThreshold[];
  abortIf: LoadThreshold[];
  /** Whether a run passes of which a threshold cannot be told. */
  lenient: boolean;
}

/** Bytes of a file of lines. */
const MAX_DATA_SIZE = 256 * 1024 ** 2;
/** Descriptors for all that is not a connection: files, stdio, the runtime's own, a new connection in place of an old. */
const SPARE_DESCRIPTORS = 64;
/** And those of a thread. */
const DESCRIPTORS_PER_THREAD = 8;

/**
 * The options of a run. @param stop ends its sending.
 *
 * @throws {UsageError} for more connections than this process may have; {@linkcode Failure} for a file of no lines, or
 * without descriptors.
 */
export async function planOf(options: LoadCommandOptions, stop: AbortSignal): Promise<LoadOptions> {
  const { settings, data, failIf: _, abortIf: __, endpoint: ___, find: ____, against: _____, ...dial } =
    options;
  await checkDescriptors(settings);
  return {
    ...dial,
    ...settings,
    apart: true,
    ...(data !== undefined && { lines: await readData(data, stop) }),
    signal: stop,
  };
}

/** @throws {UsageError} for more connections than this process may have descriptors; {@linkcode Failure} for none. */
async function checkDescriptors({ connections, threads }: LoadSettings): Promise<void> {
  const limit = await descriptorLimit("load");
  const needed = connections + SPARE_DESCRIPTORS + threads * DESCRIPTORS_PER_THREAD;
  if (limit === undefined || needed <= limit) return;
  const reason =
    `that takes ${needed} file descriptors, and this process may have ${limit}; raise the limit ` +
    `(ulimit -n ${needed})`;
  throw new UsageError("use --connections", String(connections), reason);
}

/** The lines of a file, which may be one that waits for its writer. @throws {Failure} */
async function readData(path: string, stop: AbortSignal): Promise<Uint8Array[]> {
  try {
    const lines = await unlessAborted(readLines(path, MAX_DATA_SIZE), stop);
    if (lines.length === 0) throw new Error("there are none in it");
    const long = lines.findIndex((it) => it.length > MAX_PAYLOAD);
    if (long >= 0) {
      throw new Error(`line ${long + 1} has ${lines[long]!.length} bytes, and ${MAX_PAYLOAD} are the most`);
    }
    return lines;
  } catch (error) {
    throw new Failure("read lines from", path, reasonOfFile(error), { cause: error });
  }
}

/**
 * How a run begins.
 *
 * @param time when its measured part does, in seconds since the epoch; now, where none follows.
 */
export function startOf(
  { endpoint, settings, data, find }: LoadCommandOptions,
  time: number = wallMicros() / 1e6,
): LoadStart {
  const { stages, ...plan } = settings;
  const open = stages !== undefined || plan.rate !== undefined || find !== undefined;
  const seconds = (millis: number | undefined) => millis === undefined ? null : millis / 1000;
  return {
    type: "start",
    command: "load",
    version: LOAD_VERSION,
    time,
    endpoint: formatEndpoint(endpoint),
    loop: open ? "open" : "closed",
    connections: plan.connections,
    threads: plan.threads,
    reconnect: plan.reconnect,
    rate: plan.rate ?? null,
    stages: stages?.map(({ duration, rate }) => ({ duration: duration / 1000, rate })) ?? null,
    arrivals: open ? plan.arrivals ?? "uniform" : null,
    seed: plan.seed ?? null,
    max_in_flight: plan.maxInFlight ?? null,
    depth: plan.depth ?? null,
    think: seconds(plan.think),
    count: plan.count ?? null,
    duration: seconds(plan.duration),
    warmup: plan.warmup / 1000,
    timeout: plan.timeout / 1000,
    size: plan.size ?? null,
    data: data ?? null,
    find: find?.limit.text ?? null,
  };
}
