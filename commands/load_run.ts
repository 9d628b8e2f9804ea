/** `tsecho load`: joins a run to the terminal and to files. */
import { UsageError } from "../cli/parser.ts";
import { note } from "../cli/stdio.ts";
import { canMoveCursor } from "../cli/terminal.ts";
import { STDOUT } from "../cli/values.ts";
import { Failure, reasonOfFile } from "../failure.ts";
import { type Load, load, type LoadOptions } from "../load.ts";
import type { DialOptions } from "../net/dial.ts";
import { readLines } from "../net/file.ts";
import { descriptorLimit } from "../net/limits.ts";
import { MAX_PAYLOAD } from "../protocol.ts";
import { LoadTable } from "../report/load_csv.ts";
import { HdrLog } from "../report/load_hdr.ts";
import { LoadDocument, loadStream } from "../report/load_json.ts";
import { LoadLive, type LoadProgress } from "../report/load_live.ts";
import { LOAD_VERSION, type LoadExporter, type LoadStart } from "../report/load_record.ts";
import { LoadText } from "../report/load_text.ts";
import { verdictLine } from "../report/text.ts";
import { judgeLoad } from "../stats/load_measure.ts";
import type { LoadStats } from "../stats/load_stats.ts";
import { LOAD_METRICS } from "../stats/metrics.ts";
import type { LoadThreshold, Verdict } from "../stats/threshold.ts";
import { wallMicros } from "../time/clock.ts";
import { formatMillis } from "../time/duration.ts";
import { Outputs } from "./outputs.ts";

/** What is sent: what {@linkcode LoadOptions} has, with the defaults that the command shows. Durations are in ms. */
export interface LoadSettings extends Omit<LoadOptions, keyof DialOptions | "signal" | "lines"> {
  connections: number;
  threads: number;
  reconnect: boolean;
  warmup: number;
  timeout: number;
}

/** What `tsecho load` was asked for. */
export interface LoadCommandOptions extends DialOptions {
  settings: LoadSettings;
  /** The file whose lines are sent. */
  data?: string;
  /** What a search has to keep, and the length of its trials in ms. */
  find?: { limit: LoadThreshold; trial: number };
  /** Files for the run as one JSON document, as CSV and as HDR log, by `parseOutputPath`. */
  json?: string;
  csv?: string;
  hdr?: string;
  /** Writes the run to stdout as it goes on, one JSON object a line. */
  jsonStream: boolean;
  /** Shows and streams nothing but the beginning and the end. */
  quiet: boolean;
  /** Conditions under which the run has failed, and those that end it. */
  failIf: LoadThreshold[];
  abortIf: LoadThreshold[];
  /** Whether a run passes of which a threshold cannot be told. */
  lenient: boolean;
}

/** How a run ended: with a reply at least, without any, or with a condition broken. */
export type LoadOutcome = "replies" | "no replies" | "broken";

const LIVE_MS = 250;
/** Bytes of a file of lines. */
const MAX_DATA_SIZE = 256 * 1024 ** 2;
/** Descriptors for all that is not a connection: files, stdio, the runtime's own, a new connection in place of an old. */
const SPARE_DESCRIPTORS = 64;

/**
 * Loads, and reports what came of it.
 *
 * @param stop ends the sending; what is in flight is waited for, and the summary follows.
 * @param onAgain gets what ends the run at once, for when the user asks again.
 * @throws {Failure} when no connection is made, or a file cannot be read or written.
 */
export async function runLoad(
  options: LoadCommandOptions,
  stop: AbortSignal,
  onAgain: (abort: () => void) => void,
): Promise<LoadOutcome> {
  await checkDescriptors(options.settings);
  const { settings, data, endpoint, find: _, json: __, csv: ___, hdr: ____, ...dial } = options;
  const lines = data === undefined ? undefined : await readData(data);
  const plan = { ...dial, ...settings, ...(lines !== undefined && { lines }), signal: stop };
  const outputs = await openOutputs(options);
  let timer: ReturnType<typeof setInterval> | undefined;
  try {
    await using run = load(endpoint, plan);
    void outputs.failed.then(() => run.abort());
    onAgain(() => run.abort());
    const isOpen = await open(run, stop);
    const start = startOf(run, options);
    outputs.each((it) => it.start?.(start));
    if (!isOpen) return await conclude(run, null, options, outputs);
    if (outputs.live !== undefined) timer = setInterval(() => showLive(run, options, stop, outputs), LIVE_MS);
    const aborted = await follow(run, options, outputs);
    clearInterval(timer); // nothing follows the end
    return await conclude(run, aborted, options, outputs);
  } finally {
    clearInterval(timer);
    await outputs.close();
  }
}

/** Hands the intervals on until the run ends. @returns the condition that ended it. */
async function follow(
  run: Load,
  { abortIf }: LoadCommandOptions,
  outputs: LoadOutputs,
): Promise<Verdict | null> {
  let broken: Verdict | null = null;
  for await (const interval of run) {
    outputs.each((it) => it.interval?.(interval));
    if (broken === null && !interval.tail) {
      broken = abortIf.map((it) => judgeLoad(it, run.stats)).find((it) => it.broken) ?? null;
      if (broken !== null) run.stop();
    }
    const full = outputs.whenRoom();
    if (full !== undefined) await full;
  }
  return broken;
}

/** Opens the connections. @returns whether they are open: not when the user wants no more. */
async function open(run: Load, stop: AbortSignal): Promise<boolean> {
  try {
    await run.open();
    return true;
  } catch (error) {
    if (stop.aborted) return false;
    throw error;
  }
}

/** @throws {UsageError} for more connections than this process may have descriptors. */
async function checkDescriptors({ connections, threads }: LoadSettings): Promise<void> {
  const limit = await descriptorLimit();
  const needed = connections + SPARE_DESCRIPTORS + threads * 8;
  if (limit === undefined || needed <= limit) return;
  const reason =
    `that takes ${needed} file descriptors, and this process may have ${limit}; raise the limit ` +
    `(ulimit -n ${needed})`;
  throw new UsageError("use --connections", String(connections), reason);
}

/** The lines of a file. @throws {Failure} */
async function readData(path: string): Promise<Uint8Array[]> {
  try {
    const lines = await readLines(path, MAX_DATA_SIZE);
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

function startOf({ endpoint, loop }: Load, options: LoadCommandOptions): LoadStart {
  const { settings: { stages, ...plan }, data, find } = options;
  const open = loop === "open";
  const seconds = (millis: number | undefined) => millis === undefined ? null : millis / 1000;
  return {
    type: "start",
    command: "load",
    version: LOAD_VERSION,
    time: (wallMicros() + plan.warmup * 1000) / 1e6,
    endpoint,
    loop,
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

function showLive(
  run: Load,
  { settings: { count, duration, stages } }: LoadCommandOptions,
  stop: AbortSignal,
  { live }: LoadOutputs,
): void {
  const { share, inFlight } = run.progress;
  const { elapsed, stats } = run;
  const planned = duration ?? stages?.reduce((sum, it) => sum + it.duration, 0);
  const text = planned !== undefined && count === undefined
    ? `${Math.floor(Math.min(elapsed, planned / 1000))} of ${Number((planned / 1000).toFixed(3))} s`
    : `${stats.total.planned} of ${count} lines`;
  const phase: LoadProgress["phase"] = elapsed === 0
    ? "warm-up"
    : share >= 1 || stop.aborted
    ? "waiting for replies"
    : "load";
  live?.show({ phase, share, text, inFlight });
}

/** Writes the end of a run, and says why it failed. @param aborted the condition that ended it. */
async function conclude(
  run: Load,
  aborted: Verdict | null,
  { failIf, lenient }: LoadCommandOptions,
  outputs: LoadOutputs,
): Promise<LoadOutcome> {
  const { stats } = run;
  const summary = run.summary();
  const thresholds = [...aborted === null ? [] : [aborted], ...failIf.map((it) => judgeLoad(it, stats))];
  const ended = aborted === null
    ? run.ended
    : `--abort-if ${aborted.threshold} held after ${formatMillis(stats.elapsed)}`;
  outputs.each((it) => it.end?.({ ended, stats, summary, thresholds, trials: [] }));
  await outputs.flush();
  if (aborted !== null) await note(`Ended after ${formatMillis(stats.elapsed)} by --abort-if`);
  else if (run.ended !== null) await note(`Cannot load "${run.endpoint}" any further: ${run.ended}`);
  return await judgeAll(thresholds, stats, lenient);
}

/** Says which conditions failed the run. */
async function judgeAll(thresholds: Verdict[], { total }: LoadStats, lenient: boolean): Promise<LoadOutcome> {
  // Without a reply most metrics cannot be told: that there is none says it all.
  const told = thresholds.filter((it) => it.lower !== null || total.received > 0);
  for (const verdict of told) {
    const line = verdictLine(verdict, LOAD_METRICS);
    if (line !== undefined) await note(line);
  }
  if (told.some((it) => it.broken || (it.verdict === "cannot tell" && !lenient))) return "broken";
  return total.received > 0 ? "replies" : "no replies";
}

/** Where a run is shown, and where it is written to. */
interface LoadOutputs extends Outputs<LoadExporter> {
  /** The live block, where one is shown. */
  live?: LoadLive;
}

/** Opens the outputs: text for people unless stdout is wanted for data, and files. */
async function openOutputs(options: LoadCommandOptions): Promise<LoadOutputs> {
  const { json, csv, hdr, jsonStream, quiet } = options;
  const outputs: LoadOutputs = new Outputs<LoadExporter>();
  if (!jsonStream && ![json, csv, hdr].includes(STDOUT)) {
    const stdout = outputs.stdout();
    const columns = () => Deno.consoleSize().columns;
    if (!quiet && canMoveCursor()) {
      outputs.live = new LoadLive(stdout, columns);
      outputs.add(outputs.live);
    }
    outputs.add(new LoadText(outputs.live ?? stdout, Deno.stdout.isTerminal() ? columns : undefined));
  }
  await outputs.file(json, "--json", (sink) => new LoadDocument(sink));
  await outputs.file(csv, "--csv", (sink) => new LoadTable(sink));
  await outputs.file(hdr, "--hdr", (sink) => new HdrLog(sink));
  if (jsonStream) outputs.add(loadStream(outputs.stdout(), !quiet));
  return outputs;
}
