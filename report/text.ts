import { counted, escapeText } from "../failure.ts";
import type { ProbeEvent, ReplyEvent } from "../stats/events.ts";
import { type Kind, kindOf, PING_METRICS, type Vocabulary } from "../stats/metrics.ts";
import { parseThresholdOf, type Verdict } from "../stats/threshold.ts";
import { wallMicros } from "../time/clock.ts";
import { durationText } from "../time/duration.ts";
import type { End, PingExporter, Sink } from "./exporter.ts";
import { exactPercent, millis, millisOfMicros } from "./format.ts";
import { histogramLines } from "./histogram.ts";
import { reasonLine } from "./load_figures.ts";
import { withOptionNames } from "./option_names.ts";
import { paceLines } from "./pace.ts";
import type { Start } from "./record.ts";
import { summaryLines } from "./summary.ts";

/** Which text to write beside the summary. */
export interface TextOptions {
  /** The line at the beginning. */
  header: boolean;
  /** A line for each event ... */
  events: boolean;
  /** ... with the local time in front. */
  timestamps: boolean;
  /** Tells the width of the terminal that shows the text; 0 if it is unknown, undefined for none. */
  columns?: () => number;
}

/** The text that ping(8) prints. What came from the server is escaped. */
export class TextReport implements PingExporter {
  readonly #sink: Sink;
  readonly #options: TextOptions;
  #start: Start | undefined;
  /** Corrupt replies in a row, of which the first has its line: a web server sends a page of them. */
  #corrupt = 0;

  constructor(sink: Sink, options: TextOptions) {
    this.#sink = sink;
    this.#options = options;
  }

  start(start: Start): void {
    this.#start = start;
    if (this.#options.header) this.#line(`PING ${start.endpoint} ${start.size} bytes of payload`);
  }

  event(event: ProbeEvent): void {
    if (!this.#options.events) return;
    if (event.fate === "corrupt") {
      if (this.#corrupt++ > 0) return;
    } else {
      this.#endCorrupt();
    }
    this.#eventLine(eventLine(event, this.#start!));
  }

  end({ summary, rtt }: End): void {
    this.#endCorrupt();
    this.#sink.write("\n");
    this.#line(`--- ${this.#start!.endpoint} ping statistics ---`);
    const [counts, ...figures] = summaryLines(summary);
    const title = `round trips${summary.servers.length > 1 ? " of all servers together" : ""}:`;
    const histogram = histogramLines(rtt, title, this.#options.columns?.());
    const pace = paceLines(summary, this.#start!.pace);
    const errors = reasonLine("errors", summary.errors);
    for (const line of [counts!, ...errors, ...pace, ...figures, ...histogram]) this.#line(line);
  }

  #endCorrupt(): void {
    const more = this.#corrupt - 1;
    if (more > 0) this.#eventLine(counted(more, "more corrupt reply", "more corrupt replies"));
    this.#corrupt = 0;
  }

  #eventLine(text: string): void {
    const time = this.#options.timestamps ? `[${(wallMicros() / 1e6).toFixed(6)}] ` : "";
    this.#line(time + text);
  }

  #line(text: string): void {
    this.#sink.write(`${escapeText(text)}\n`);
  }
}

function eventLine(event: ProbeEvent, start: Start): string {
  switch (event.fate) {
    case "lost": {
      const why = event.reason === undefined
        ? ` in ${durationText(start.timeout * 1000)}`
        : `: ${withOptionNames(event.reason)}`;
      return `no reply to seq=${event.seq}${why}`;
    }
    case "pending":
      return `seq=${event.seq} still pending at the end`;
    case "corrupt":
      return `corrupt reply: ${event.reason ?? "not of this run, or changed"}`;
    case "missed":
      return `${counted(event.count, "line")} not sent: ${event.reason}`;
    default:
      return replyLine(event, start);
  }
}

const MARKS = { received: "", reordered: " (reordered)", late: " (late)", duplicate: " (DUP!)" };

function replyLine({ fate, seq, rtt, tag, connect, handshake }: ReplyEvent, start: Start): string {
  const times = Object.entries({ time: rtt, connect, handshake }).filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${millisOfMicros(value!)} ms`);
  const from = tag === undefined ? start.endpoint : `${tag} (${start.endpoint})`;
  return `${start.size} bytes from ${from}: seq=${seq}${times.join("")}${MARKS[fate]}`;
}

/** Why a run has ended before it was meant to. */
export function endedLine(endpoint: string, ended: string): string {
  return `Cannot ping "${endpoint}" any further: ${ended}`;
}

/** Why a run has failed: `Threshold broken: p99>5ms: it is 7.123 ms`; undefined if it has not, for this threshold. */
export function verdictLine(verdict: Verdict, vocabulary: Vocabulary = PING_METRICS): string | undefined {
  const { metric } = parseThresholdOf(vocabulary, verdict.threshold);
  return verdictText(verdict, (value) => valueText(value, kindOf(metric)));
}

/** A verdict in words, that of a kept threshold too: `Threshold kept: p99>5ms: it is 1.234 ms`. */
export function thresholdText(verdict: Verdict, vocabulary: Vocabulary = PING_METRICS): string {
  const { threshold } = verdict;
  const { metric } = parseThresholdOf(vocabulary, threshold);
  const text = (value: number) => valueText(value, kindOf(metric));
  return verdictText(verdict, text) ?? `Threshold kept: ${threshold}: it is ${rangeText(verdict, text)}`;
}

/** Likewise, for values that `text` puts into words. */
export function verdictText(verdict: Verdict, text: (value: number) => string): string | undefined {
  const { threshold, help, lower } = verdict;
  const range = () => rangeText(verdict, text);
  switch (verdict.verdict) {
    case "kept":
      return undefined;
    case "broken":
      return `Threshold broken: ${threshold}: it is ${range()}` + (help === null ? "" : `: ${help}`);
    case "cannot tell": {
      const known = lower === null ? "" : `it is ${range()}; `;
      return `Cannot tell whether "${threshold}" holds: ${known}${help}`;
    }
  }
}

/** The interval in which a metric is known to lie, and whose it is. */
function rangeText({ tag, lower, upper }: Verdict, text: (value: number) => string): string {
  const whose = tag === null ? "" : ` for ${tag}`;
  const range = upper === null
    ? `at least ${text(lower!)}`
    : upper === lower
    ? text(upper)
    : `from ${text(lower!)} to ${text(upper)}`;
  return range + whose;
}

/** A value of a threshold's metric, in its unit. */
export function valueText(value: number, kind: Kind): string {
  switch (kind) {
    case "share":
      return exactPercent(value);
    case "drift":
      return `${value.toFixed(3)} ppm`;
    case "count":
      return String(value);
    case "time":
      return `${millis(value)} ms`;
  }
}
