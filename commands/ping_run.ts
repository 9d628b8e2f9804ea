/** `tsecho ping`: joins a run, or a saved one, to the terminal and to files. */
import type { UsedFile } from "../cli/output.ts";
import { note, tell } from "../cli/stdio.ts";
import { canMoveCursor, terminalColumns } from "../cli/terminal.ts";
import { STDOUT } from "../cli/values.ts";
import { escapeText, Failure } from "../failure.ts";
import { aborted } from "../net/stream.ts";
import { type Ping, ping } from "../ping.ts";
import type { DialOptions, Setup } from "../probe/channel.ts";
import { CsvTable } from "../report/csv.ts";
import type { PingExporter } from "../report/exporter.ts";
import { JsonDocument, jsonStreamOf } from "../report/json.ts";
import { LiveLine } from "../report/live.ts";
import { type Start, VERSION as JSON_VERSION } from "../report/record.ts";
import { namingOptions, withOptionNames } from "../report/option_names.ts";
import { interimLine } from "../report/summary.ts";
import { endedLine, type TextOptions, TextReport, verdictLine } from "../report/text.ts";
import { newStats, readRun } from "../report/transcript.ts";
import type { ProbeEvent } from "../stats/events.ts";
import { IntervalStats } from "../stats/interval.ts";
import type { RunStats } from "../stats/run_stats.ts";
import { judge, type PingThreshold } from "../stats/threshold.ts";
import { seconds } from "../stats/units.ts";
import { wallMicros } from "../time/clock.ts";
import { formatMillis } from "../time/duration.ts";
import { systemClock } from "../time/timers.ts";
import { type RunOutcome, type Steps, VERSION } from "./command.ts";
import { Outputs } from "./outputs.ts";
import { readSaved } from "./saved.ts";

/** Where a run is written to. */
export interface OutputOptions {
  /** Files for the run as one JSON document, as CSV, and as a page, by `parseOutputPath`. */
  json?: string;
  csv?: string;
  html?: string;
  /** Conditions under which the run has failed. */
  thresholds: PingThreshold[];
  /** Whether a run passes of which a threshold cannot be told. */
  lenient: boolean;
}

/** What `tsecho ping` was asked for. Durations are in milliseconds, sizes in bytes. */
export interface PingCommandOptions extends DialOptions, OutputOptions {
  /** Lines to send; undefined for no limit. */
  count?: number;
  /** From one line to the next; 0 for each as soon as the reply to the one before has come. */
  interval: number;
  /** Payload of a line, without its LF. */
  size: number;
  /** How long to wait for a reply. */
  timeout: number;
  /** When to end, whatever has come; 0 for never. */
  deadline: number;
  /** Lines a second over UDP where the interval is 0; 0 for no limit. */
  udpRate: number;
  /** Leaves out a line for each reply. */
  quiet: boolean;
  /** The local time in front of each reply's line. */
  timestamps: boolean;
  /** A connection of its own for each line. */
  reconnect: boolean;
  /** Whether the clocks are known to agree, so that one-way delays are reported. */
  clocksSynced: boolean;
  /** Whether a live line may be shown on a terminal. */
  live: boolean;
  /** Writes the run to stdout as it goes on, one JSON object a line. */
  jsonStream: boolean;
}

/** What `tsecho ping --from` was asked for. */
export interface ReplayOptions extends OutputOptions {
  /** The file of a saved run, by `parseInputPath`. */
  from: string;
  /** Whether one-way delays are reported even if the run was saved without. */
  clocksSynced: boolean;
}

const LIVE_MS = 100;
const INTERVAL_MS = 1000;

/**
 * Pings, and reports what becomes of each line.
 *
 * @param stop ends the run; the summary follows. @param onAgain gets what ends the writing of that.
 * @param onQuit calls its argument whenever the user asks how it goes.
 * @throws {Failure} when no connection is made, or an output cannot be written.
 */
export async function runPing(
  options: PingCommandOptions,
  { stop, onAgain }: Steps,
  onQuit: (tell: () => void) => void,
): Promise<RunOutcome> {
  const { quiet, timestamps, endpoint, thresholds: _, lenient: __, ...plan } = options;
  const outputs = await openOutputs(options, { header: true, events: !quiet, timestamps }, { stop, onAgain });
  const timers: ReturnType<typeof setInterval>[] = [];
  try {
    await using run = ping(endpoint, { ...plan, signal: stop });
    void outputs.failed.then(() => run.stop());
    onQuit(() => tellInterim(run.stats, outputs));
    const endsAt = performance.now() + options.deadline;
    const setup = await open(run, options, stop);
    const start = startOf(run, options, setup instanceof Failure ? {} : setup);
    outputs.each((it) => it.start?.(start));
    if (options.html !== undefined) run.stats.keepCourse(start.timeout);
    if (setup instanceof Failure) {
      return await conclude(run.stats, { ended: null, start, interrupted: setup }, options, outputs);
    }
    await outputs.whenRoom();
    const intervals = new IntervalStats();
    const endInterval = () => {
      const interval = intervals.end(run.elapsed, run.sent, run.stats.snapshot().offsets);
      outputs.each((it) => it.interval?.(interval));
    };
    if (options.jsonStream) timers.push(setInterval(endInterval, INTERVAL_MS));
    if (outputs.live !== undefined) {
      timers.push(setInterval(() => showLive(run, options, endsAt, outputs), LIVE_MS));
    }
    let isEmpty = true;
    for await (const event of run) {
      if (isEmpty && isMeasured(event)) {
        isEmpty = false;
        outputs.writeFiles();
      }
      if (options.jsonStream) intervals.add(event);
      outputs.each((it) => it.event?.(event));
      const full = outputs.whenRoom();
      if (full !== undefined) await full;
    }
    timers.forEach(clearInterval); // nothing follows the end
    if (options.jsonStream) endInterval();
    const ended = run.ended && withOptionNames(run.ended);
    const interrupted = isEmpty && (stop.aborted || outputs.hasFailed) && ended === null
      ? new Failure("ping", run.endpoint, "interrupted before anything was measured")
      : undefined;
    return await conclude(run.stats, { ended, start, interrupted }, options, outputs);
  } finally {
    timers.forEach(clearInterval);
    await outputs.close();
  }
}

/** Events of a saved run after which signals are looked for: the work on that many takes some milliseconds. */
const EVENTS_A_TURN = 10_000;

/**
 * Reports a saved run again.
 *
 * @param onBegin is called once the run is read, and files are about to be opened: its signal ends the replay, and leaves
 * them as they were.
 * @throws {Failure} when it cannot be read, or is interrupted.
 * @throws {UsageError} when it would be written to where it is read from.
 */
export async function replayPing(options: ReplayOptions, onBegin: () => Steps): Promise<RunOutcome> {
  const { from } = options;
  const { run: saved, files: sources } = await readSaved(from, "--from", readRun);
  const { stop, onAgain } = onBegin();
  const start = { ...saved.start, clocks_synced: saved.start.clocks_synced || options.clocksSynced };
  const text = { header: false, events: false, timestamps: false };
  const flags = { jsonStream: false, live: false, isWhole: true };
  const outputs = await openOutputs({ ...options, ...flags }, text, { sources, stop, onAgain });
  outputs.writeFiles();
  const stopped = aborted(stop);
  try {
    const stats = newStats(start);
    if (options.html !== undefined) stats.keepCourse(start.timeout);
    outputs.each((it) => it.start?.(start));
    for (const [i, event] of saved.events.entries()) {
      stats.add(event);
      outputs.each((it) => it.event?.(event));
      const pause = outputs.whenRoom() ?? (i % EVENTS_A_TURN === 0 ? systemClock.sleep(0) : undefined);
      if (pause !== undefined) await Promise.race([pause, stopped]);
      if (stop.aborted) throw outputs.leaveFiles(new Failure("summarise", from, "interrupted"));
    }
    if (saved.cut) await note(`The run in "${from}" has no end: this is what was saved of it`);
    return await conclude(stats, { ...saved, start }, options, outputs);
  } finally {
    await outputs.close();
  }
}

/** Whether a line was sent, or could not be: not where the run ended while its own connection was only being opened. */
function isMeasured(event: ProbeEvent): boolean {
  return event.fate !== "pending" || event.sent !== undefined;
}

/**
 * Opens the path; a deadline that was too short is told by its option.
 *
 * @returns what was not done yet, when the user wants no more.
 */
async function open(
  run: Ping,
  { deadline }: PingCommandOptions,
  stop: AbortSignal,
): Promise<Setup | Failure> {
  try {
    return await run.open();
  } catch (error) {
    if (stop.aborted && error instanceof Failure) return namingOptions(error);
    if (!run.expired) throw error;
    const reason = `no connection within -w ${formatMillis(deadline)}`;
    throw new Failure("connect to", run.endpoint, reason, { cause: error });
  }
}

function startOf(run: Ping, options: PingCommandOptions, { connect, handshake }: Setup): Start {
  return {
    type: "start",
    version: JSON_VERSION,
    time: wallMicros() / 1e6,
    endpoint: run.endpoint,
    count: options.count ?? null,
    deadline: options.deadline > 0 ? options.deadline / 1000 : null,
    reconnect: options.reconnect,
    interval: options.interval / 1000,
    pace: run.interval > 0 ? run.interval / 1000 : null,
    size: options.size,
    timeout: options.timeout / 1000,
    clocks_synced: options.clocksSynced,
    connect: connect === undefined ? null : seconds(connect),
    handshake: handshake === undefined ? null : seconds(handshake),
  };
}

/** Says on stderr how it goes. */
function tellInterim(stats: RunStats, { live }: PingOutputs): void {
  live?.clear();
  void tell(escapeText(interimLine(stats.summary())));
}

/** @param endsAt when the deadline passes, on performance.now()'s clock. */
function showLive(
  run: Ping,
  { count, deadline }: PingCommandOptions,
  endsAt: number,
  { live }: PingOutputs,
): void {
  if (run.isOver) return;
  const secondsLeft = deadline > 0 ? Math.max(0, endsAt - performance.now()) / 1000 : undefined;
  live?.show({ sent: run.sent, count, secondsLeft, ...run.stats.snapshot() });
}

/** How a run ended. */
interface Conclusion {
  start: Start;
  ended: string | null;
  cut?: boolean;
  /** Why nothing was measured, if the user ended it before. */
  interrupted?: Failure | undefined;
}

/** Writes the end of a run, and says why it failed. */
async function conclude(
  stats: RunStats,
  { start: { endpoint }, ended, cut = false, interrupted }: Conclusion,
  { thresholds, lenient }: OutputOptions,
  outputs: PingOutputs,
): Promise<RunOutcome> {
  const summary = stats.summary();
  const verdicts = thresholds.map((it) => judge(it, stats));
  const { rtt, course } = stats;
  const left = interrupted && outputs.leaveFiles(interrupted);
  outputs.each((it) => it.end?.({ ended, cut, summary, rtt, thresholds: verdicts, course }));
  await outputs.flush();
  if (left !== undefined) await note(left.message);
  if (ended !== null) await note(endedLine(endpoint, ended));
  // Without a reply most metrics cannot be told: that there is none says it all.
  const told = verdicts.filter((it) => it.lower !== null || summary.received > 0);
  for (const verdict of told) {
    const line = verdictLine(verdict);
    if (line !== undefined) await note(line);
  }
  if (told.some((it) => it.broken || (it.verdict === "cannot tell" && !lenient))) return "broken";
  return summary.received > 0 ? "replies" : "no replies";
}

/** What of a run goes to stdout besides. */
interface OutputFlags {
  jsonStream: boolean;
  live: boolean;
  /** Whether the whole run is there, and files take the place of old ones once they are whole too. */
  isWhole?: boolean;
}

/** Where a run is shown, and where it is written to. */
interface PingOutputs extends Outputs<PingExporter> {
  /** The live line, where one is shown. */
  live?: LiveLine;
}

/**
 * Opens the outputs: text for people unless stdout is wanted for data, and files.
 *
 * @param source the file that the run is read from. @param stop gives up.
 */
async function openOutputs(
  { json, csv, html, jsonStream, live, isWhole = false }:
    & Pick<OutputOptions, "json" | "csv" | "html">
    & OutputFlags,
  text: TextOptions,
  steps: { sources?: UsedFile[] } & Partial<Steps>,
): Promise<PingOutputs> {
  const outputs: PingOutputs = new Outputs<PingExporter>(steps);
  if (!jsonStream && ![json, csv, html].includes(STDOUT)) {
    const stdout = outputs.stdout();
    if (live && canMoveCursor()) {
      outputs.live = new LiveLine(stdout, terminalColumns);
      outputs.add(outputs.live);
    }
    const onTerminal = Deno.stdout.isTerminal() && { columns: terminalColumns };
    outputs.add(new TextReport(outputs.live ?? stdout, { ...text, ...onTerminal }));
  }
  const kind = isWhole ? "document" : "lines";
  await outputs.file(json, "--json", kind, (sink) => new JsonDocument(sink));
  await outputs.file(csv, "--csv", kind, (sink) => new CsvTable(sink));
  if (html !== undefined) {
    const { PingPage } = await import("../report/ping_page.ts"); // most runs need none of what draws it
    await outputs.file(html, "--html", "document", (sink) => new PingPage(sink, VERSION));
  }
  if (jsonStream) outputs.add(jsonStreamOf(outputs.stdout(), text.events));
  return outputs;
}
