import { counted, escapeText } from "../failure.ts";
import { durationText, formatMillis } from "../time/duration.ts";
import type { Sink } from "./exporter.ts";
import { millis } from "./format.ts";
import { histogramLines } from "./histogram.ts";
import { loadLines, perSecond } from "./load_figures.ts";
import { loadDurations } from "../stats/load_durations.ts";
import type { LoadStats } from "../stats/load_stats.ts";
import type { LoadSummary } from "../stats/load_summary.ts";
import type { LoadFound, LoadTrial } from "../stats/load_trial.ts";
import type { LoadEnd, LoadExporter, LoadStart } from "./load_record.ts";

/** Which text to write beside the summary. */
export interface LoadTextOptions {
  /** A row for each trial of a search. */
  rows: boolean;
  /** Tells the width of the terminal that shows the text; 0 if it is unknown, undefined for none. */
  columns?: () => number;
}

/** The text for people: what is measured, and what came of it. What came from the server is escaped. */
export class LoadText implements LoadExporter {
  readonly #sink: Sink;
  readonly #options: LoadTextOptions;
  #start: LoadStart | undefined;
  #hasRows = false;

  constructor(sink: Sink, options: LoadTextOptions) {
    this.#sink = sink;
    this.#options = options;
  }

  start(start: LoadStart): void {
    this.#start = start;
    this.#line(headerLine(start));
  }

  event(trial: LoadTrial): void {
    if (!this.#options.rows) return;
    if (!this.#hasRows) this.#line(TRIAL_HEADING);
    this.#hasRows = true;
    this.#line(trialRow(trial));
  }

  end({ ended, stats, summary, found }: LoadEnd): void {
    const start = this.#start!;
    if (found !== undefined) this.#line(foundLine(found, start.find!));
    this.#sink.write("\n");
    this.#line(`--- ${start.endpoint} load statistics ---`);
    const title = `${start.loop === "open" ? "response" : "service time"} of all lines:`;
    const histogram = histogramLines(stats.headline, title, this.#options.columns?.());
    if (ended !== null && found === undefined) this.#line(earlyEndLine(ended, summary));
    const figures = loadLines(summary, start.timeout * 1000, stats.receivedLater);
    for (const line of [...figures, ...histogram]) this.#line(line);
  }

  #line(text: string): void {
    this.#sink.write(`${escapeText(text)}\n`);
  }
}

const TRIAL_HEADING = "   lines/s  received     p50 ms     p99 ms";
const TRIAL_WIDTHS = [10, 8, 9, 9, 0];

function trialRow(trial: LoadTrial): string {
  return trialCells(trial).map((cell, place) => cell.padStart(TRIAL_WIDTHS[place]!)).join("  ");
}

/** A trial's rates planned and received, its p50 and p99 in ms, and what came of it. */
export function trialCells(
  { rate, duration, received, received_rate, p50, p99, generator, ...trial }: LoadTrial,
): [rate: string, received: string, p50: string, p99: string, verdict: string] {
  const { passed, purpose, cut_short, reasons, reason_codes } = trial;
  const isInterrupted = reasons.length === 0 || reason_codes.includes("interrupted");
  const verdict = [
    passed ? "passed" : isInterrupted ? "interrupted" : `failed: ${reasons.join(", ")}`,
    ...(cut_short ? ["cut short"] : []),
    ...(purpose === "confirm" ? [`for ${durationText(duration * 1000)}`] : []),
    ...(generator.verdict === "limited" ? ["generator limited"] : []),
  ];
  const told = (value: number | null) => value === null ? "-" : millis(value);
  return [
    perSecond(rate),
    perSecond(received_rate ?? (duration === 0 ? 0 : received / duration)),
    told(p50),
    told(p99),
    verdict.join(", "),
  ];
}

/** What a search came to. */
export function foundLine({ outcome, rate }: LoadFound, condition: string): string {
  const text = rate === null ? "" : `${perSecond(rate)} lines/s`;
  switch (outcome) {
    case "found":
      return `highest rate that keeps ${condition}: ${text}`;
    case "at least":
      return rate === null
        ? `${condition}: cannot tell: this generator was at its limit`
        : `${condition} is kept up to at least ${text}; beyond that this generator was the limit`;
    case "none":
      return `no rate keeps ${condition}`;
    case "unconfirmed":
      return `no rate keeps ${condition} for longer than a trial; the highest that did for one: ${text}`;
    case "interrupted":
      return `search interrupted; ${
        rate === null ? `no rate has kept ${condition}` : `${text} kept ${condition}`
      }`;
  }
}

/** One line for SIGQUIT. @param text how far the run is. @param stats until its last whole second. */
export function loadInterimLine(text: string, stats: LoadStats): string {
  const { sent, received, lost, dropped, unsent, corrupt } = stats.total;
  const kind = stats.context.loop === "open" ? "response" : "service";
  const durations = loadDurations(stats.headline, stats.neverCame(kind), undefined);
  const told = ["p50", "p99"] as const;
  const times = told.flatMap((it) => durations?.[it] ? [`${it} ${millis(durations[it])} ms`] : []);
  const counts = [
    `${counted(sent, "line")} sent`,
    `${received} received`,
    `${lost + dropped + unsent} lost or dropped`,
    counted(stats.errors + corrupt, "error"),
  ];
  return `${text}: ${[...counts, ...times].join(", ")}`;
}

/** Why a run ended before it was meant to, and when. @param ended as in the end's object. */
export function earlyEndLine(ended: string, { duration }: LoadSummary): string {
  const after = `after ${durationText(duration * 1000)}`;
  switch (ended) {
    case "stopped":
      return `interrupted ${after}`;
    case "aborted":
      return `interrupted ${after}, and what was in flight was not waited for`;
    default:
      return `ended early: ${ended}`;
  }
}

/** What is about to be measured. */
export function headerLine(start: LoadStart): string {
  const { endpoint, threads } = start;
  const parts = [
    ...planTexts(start),
    ...lengthTexts(start),
    linesText(start),
    ...(threads > 1 ? [`${threads} threads`] : []),
  ];
  return `LOAD ${endpoint} ${parts.join(", ")}`;
}

/** What sets the pace, and over what: `open loop, 2000 lines/s` and `50 connections`. */
export function planTexts({ find, stages, rate, depth, reconnect, connections }: LoadStart): string[] {
  const over = reconnect ? "a connection for each line" : counted(connections, "connection");
  if (stages !== null) return [`open loop, ${counted(stages.length, "stage")}`, over];
  if (find !== null) return [`search for the highest rate that keeps ${find}`, over];
  if (rate !== null) return [`open loop, ${perSecond(rate)} lines/s`, over];
  return ["closed loop", over, ...(depth === 1 ? [] : [`${depth} lines in flight on each`])];
}

/** A stage as it is given: `30s:1000`. */
export function stageText({ duration, rate }: { duration: number; rate: number }): string {
  return `${formatMillis(duration * 1000)}:${rate}`;
}

/** What ends the run. */
export function lengthTexts({ duration, count }: LoadStart): string[] {
  return [
    ...(duration === null ? [] : [durationText(duration * 1000)]),
    ...(count === null ? [] : [counted(count, "line")]),
  ];
}

/** What a line is. */
export function linesText({ size, data }: LoadStart): string {
  return data === null ? `${size} bytes a line` : `lines of ${data}`;
}
