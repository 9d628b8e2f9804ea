import { escapeText } from "../failure.ts";
import { formatMillis } from "../time/duration.ts";
import type { Sink } from "./exporter.ts";
import { millis } from "./format.ts";
import { histogramLines } from "./histogram.ts";
import { loadLines, perSecond } from "./load_figures.ts";
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

  end({ stats, summary, found }: LoadEnd): void {
    const start = this.#start!;
    if (found !== undefined) this.#line(foundLine(found, start.find!));
    this.#sink.write("\n");
    this.#line(`--- ${start.endpoint} load statistics ---`);
    const title = `${start.loop === "open" ? "response" : "service time"} of all lines:`;
    const histogram = histogramLines(stats.headline, title, this.#options.columns?.());
    for (const line of [...loadLines(summary, start.timeout * 1000), ...histogram]) this.#line(line);
  }

  #line(text: string): void {
    this.#sink.write(`${escapeText(text)}\n`);
  }
}

const TRIAL_HEADING = "   lines/s  received     p50 ms     p99 ms";

function trialRow({ rate, duration, received, p50, p99, generator, ...trial }: LoadTrial): string {
  const { passed, purpose, cut_short, reasons } = trial;
  const cells = [
    perSecond(rate).padStart(10),
    perSecond(duration === 0 ? 0 : received / duration).padStart(8),
    ...[p50, p99].map((it) => (it === null ? "-" : millis(it)).padStart(9)),
  ];
  const verdict = [
    passed ? "passed" : reasons.length === 0 ? "interrupted" : `failed: ${reasons.join(", ")}`,
    ...(cut_short ? ["cut short"] : []),
    ...(purpose === "confirm" ? [`for ${formatMillis(duration * 1000)}`] : []),
    ...(generator.verdict === "limited" ? ["generator limited"] : []),
  ];
  return [...cells, verdict.join(", ")].join("  ");
}

/** What a search came to. */
function foundLine({ outcome, rate }: LoadFound, condition: string): string {
  const text = rate === null ? "" : `${perSecond(rate)} lines/s`;
  switch (outcome) {
    case "found":
      return `highest rate that keeps ${condition}: ${text}`;
    case "at least":
      return rate === null
        ? `${condition}: cannot tell, the generator could do no more`
        : `${condition} is kept at ${text} at least: the generator could do no more`;
    case "none":
      return `no rate keeps ${condition}`;
    case "unconfirmed":
      return `no rate keeps ${condition} for longer than a trial`;
    case "interrupted":
      return `search interrupted; ${
        rate === null ? `no rate has kept ${condition}` : `${text} kept ${condition}`
      }`;
  }
}

/** What is about to be measured. */
export function headerLine(start: LoadStart): string {
  const { endpoint, connections, rate, stages, depth, size, data, reconnect, threads } = start;
  const over = reconnect
    ? "a connection for each line"
    : `${connections} connection${connections === 1 ? "" : "s"}`;
  const plan = stages !== null
    ? [`open loop, ${stages.length} stage${stages.length === 1 ? "" : "s"}, ${over}`]
    : start.find !== null
    ? [`search for the highest rate that keeps ${start.find}, ${over}`]
    : rate !== null
    ? [`open loop, ${perSecond(rate)} lines/s, ${over}`]
    : [`closed loop, ${over}`, ...(depth === 1 ? [] : [`${depth} lines in flight on each`])];
  const parts = [
    ...plan,
    ...(start.duration === null ? [] : [formatMillis(start.duration * 1000)]),
    ...(start.count === null ? [] : [`${start.count} lines`]),
    data === null ? `${size} bytes a line` : `lines of ${data}`,
    ...(threads > 1 ? [`${threads} threads`] : []),
  ];
  return `LOAD ${endpoint} ${parts.join(", ")}`;
}
