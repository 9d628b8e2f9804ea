/** `tsecho load --against`: loads two endpoints in turn, and compares them. */
import { canMoveCursor, terminalColumns } from "../cli/terminal.ts";
import { STDOUT } from "../cli/values.ts";
import { Failure } from "../failure.ts";
import { type Load, load, type LoadOptions } from "../load.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { STREAM_TRANSPORTS } from "../net/transports.ts";
import { comparisonReport, type NamedRun } from "../report/comparison_report.ts";
import { LoadLive } from "../report/load_live.ts";
import type { LoadStart } from "../report/load_record.ts";
import {
  orderOf,
  SeriesDocument,
  type SeriesExporter,
  seriesRun,
  type Side,
} from "../report/series_record.ts";
import { namingOptions } from "../report/option_names.ts";
import { SeriesText } from "../report/series_text.ts";
import type { AgainstOptions } from "./against.ts";
import { type OnAgain, type OnQuit, type RunOutcome, type Steps, VERSION } from "./command.ts";
import { judgeAll } from "./compare_run.ts";
import { showProgress, sourcesOf, tellInterim } from "./load_outputs.ts";
import { type LoadCommandOptions, planOf, startOf } from "./load_plan.ts";
import { open, progressOf } from "./load_run.ts";
import { Outputs } from "./outputs.ts";

/** A command line that has `--against`. */
export type AgainstCommandOptions = LoadCommandOptions & { against: AgainstOptions };

/** The exporters of a series. */
interface SeriesOutputs extends Outputs<SeriesExporter> {
  /** The live block, where one is shown. */
  live?: LoadLive;
}

/**
 * Loads two endpoints in turn, reports each run, and compares the runs of one with those of the other.
 *
 * @param stop ends the present run, which is left out, and the series with it.
 * @param onAgain gets what ends the present run at once, while there is one, and then the writing.
 * @param onQuit gets what tells how the run goes.
 * @throws {Failure} when no connection is made, no reply comes, it is interrupted before there is a run of each, or a file
 * cannot be read or written.
 */
export async function loadAgainst(
  options: AgainstCommandOptions,
  { stop, onAgain }: Steps,
  onQuit: OnQuit,
): Promise<RunOutcome> {
  const { against: { endpoint: against, repeat, changes }, lenient } = options;
  const plan = await planOf(options, stop);
  const outputs = await openOutputs(options, { stop, onAgain });
  const failed = new AbortController();
  void outputs.failed.then(() => failed.abort());
  const series = new Series(options, plan, outputs, AbortSignal.any([stop, failed.signal]), onAgain, onQuit);
  try {
    if (await series.reach(against)) await series.load(orderOf(repeat));
    const { before, after, ended, failure } = series;
    onAgain();
    const report = series.hasBoth
      ? comparisonReport(before, after, changes, ended === null ? [] : [ended])
      : null;
    const interrupted = series.unopened ??
      new Failure("compare with", formatEndpoint(against), "interrupted");
    const left = report === null ? outputs.leaveFiles(interrupted) : undefined;
    outputs.each((it) => it.end?.({ ended, report }));
    await outputs.flush();
    if (failure !== undefined) throw failure;
    if (report === null) throw left;
    return await judgeAll(report.thresholds, lenient) ? "replies" : "broken";
  } finally {
    await outputs.close();
  }
}

/** The runs of a series, one after the other. */
class Series {
  /** The runs of each side that are whole. */
  readonly before: NamedRun[] = [];
  readonly after: NamedRun[] = [];
  /** Why the series ended before it was meant to, in words; null if it did not. */
  ended: string | null = null;
  /** What ended it, if the user did not. */
  failure: Error | undefined;
  /** What was not done yet for the connections of a run when the user wanted no more. */
  unopened: Failure | undefined;
  readonly #options: AgainstCommandOptions;
  readonly #plan: LoadOptions;
  readonly #outputs: SeriesOutputs;
  readonly #stop: AbortSignal;
  readonly #onAgain: OnAgain;
  readonly #onQuit: OnQuit;
  #begun = false;

  constructor(
    options: AgainstCommandOptions,
    plan: LoadOptions,
    outputs: SeriesOutputs,
    stop: AbortSignal,
    onAgain: OnAgain,
    onQuit: OnQuit,
  ) {
    this.#options = options;
    this.#plan = plan;
    this.#outputs = outputs;
    this.#stop = stop;
    this.#onAgain = onAgain;
    this.#onQuit = onQuit;
  }

  /** Whether each side has a whole run: before, there is nothing to compare, and nothing to save. */
  get hasBoth(): boolean {
    return this.before.length > 0 && this.after.length > 0;
  }

  /**
   * Opens the connections of an endpoint and closes them again: a wrong one is to be told before the other was loaded.
   *
   * @returns whether they were opened: not when the user wants no more. @throws {Failure} when the first cannot be.
   */
  async reach(endpoint: Endpoint): Promise<boolean> {
    await using run = this.#load(endpoint);
    this.unopened = await open(run, this.#stop);
    if (this.unopened === undefined) return true;
    this.#begin();
    this.ended = "stopped before the first run";
    return false;
  }

  /** Loads the endpoints in this order, until one fails or the user wants no more. @throws {Failure} */
  async load(order: ReturnType<typeof orderOf>): Promise<void> {
    const { endpoint: before, against: { endpoint: after } } = this.#options;
    for (const { side, name } of order) {
      if (this.#stop.aborted) this.ended = `stopped before ${name}`;
      else await this.#run(side, name, { before, after }[side]);
      if (this.ended !== null) return;
    }
  }

  /** @throws {Failure} when the first connection of the first run is not made. */
  async #run(side: Side, name: string, endpoint: Endpoint): Promise<void> {
    await using run = this.#load(endpoint);
    const isOpen = await this.#open(run);
    if (this.failure !== undefined) return;
    const start = startOf({ ...this.#options, endpoint }, isOpen ? run.begin() : undefined);
    this.#begin(start.time);
    if (isOpen) await this.#show(run, start, name);
    if (!isOpen || run.ended !== null) {
      this.ended = `${name} was stopped, and is left out`;
      return;
    }
    const { stats } = run;
    const whole = seriesRun(side, name, start, {
      ended: null,
      stats,
      summary: run.summary(),
      thresholds: [],
    });
    this[side].push({ file: name, run: whole.run });
    this.#outputs.each((it) => it.event?.(whole));
    if (this.hasBoth) this.#outputs.writeFiles();
    if (stats.total.received === 0) {
      this.#fail(new Failure("go on with", run.endpoint, `no line of ${name} was answered`));
    }
  }

  #load(endpoint: Endpoint): Load {
    const { proxyHeader, ...plan } = this.#plan;
    const isStream = STREAM_TRANSPORTS.includes(endpoint.transport);
    const run = load(endpoint, { ...plan, ...isStream && proxyHeader !== undefined && { proxyHeader } });
    void this.#outputs.failed.then(() => run.abort());
    this.#onAgain(() => (run.abort(), true));
    return run;
  }

  /** @returns whether the connections are open. @throws {Failure} when the first one of the first run is not made. */
  async #open(run: Load): Promise<boolean> {
    try {
      this.unopened = await open(run, this.#stop);
      return this.unopened === undefined;
    } catch (error) {
      if (!this.#begun) throw error;
      this.#fail(error as Error); // what was measured until the server went is told first
      return false;
    }
  }

  /** Shows a run until it ends. */
  async #show(run: Load, start: LoadStart, name: string): Promise<void> {
    const { live } = this.#outputs;
    live?.start(start);
    const progress = () => {
      const { text, ...rest } = progressOf(run, this.#options.settings, this.#stop);
      return { ...rest, text: `${name}: ${text}` };
    };
    const hide = showProgress(live, progress);
    this.#onQuit(() => tellInterim(live, progress().text, run.stats));
    try {
      for await (const interval of run) live?.interval(interval);
    } finally {
      hide();
    }
  }

  #fail(failure: Error): void {
    this.failure = failure;
    this.ended = namingOptions(failure).message;
  }

  /** @param time when the first run's measured part begins, if there is one. */
  #begin(time?: number): void {
    if (this.#begun) return;
    this.#begun = true;
    const { endpoint, repeat } = this.#options.against;
    const start = { ...startOf(this.#options, time), against: formatEndpoint(endpoint), repeat };
    this.#outputs.each((it) => it.start?.(start));
  }
}

/** Opens the outputs: text for people unless stdout is wanted for data, and files. */
async function openOutputs(
  { json, html, quiet, data }: LoadCommandOptions,
  steps: Steps,
): Promise<SeriesOutputs> {
  const outputs: SeriesOutputs = new Outputs<SeriesExporter>({ sources: await sourcesOf(data), ...steps });
  if (![json, html].includes(STDOUT)) {
    const stdout = outputs.stdout();
    if (!quiet && canMoveCursor()) outputs.live = new LoadLive(stdout, terminalColumns);
    outputs.add(new SeriesText(outputs.live ?? stdout, !quiet));
  }
  await outputs.file(json, "--json", "lines", (sink) => new SeriesDocument(sink));
  if (html !== undefined) {
    const { SeriesPage } = await import("../report/compare_page.ts");
    await outputs.file(html, "--html", "document", (sink) => new SeriesPage(sink, VERSION));
  }
  return outputs;
}
