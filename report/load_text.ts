import { escapeText } from "../failure.ts";
import { formatMillis } from "../time/duration.ts";
import type { Sink } from "./exporter.ts";
import { histogramLines } from "./histogram.ts";
import { loadLines, perSecond } from "./load_figures.ts";
import type { LoadEnd, LoadExporter, LoadStart } from "./load_record.ts";

/** The text for people: what is measured, and what came of it. What came from the server is escaped. */
export class LoadText implements LoadExporter {
  readonly #sink: Sink;
  readonly #columns: (() => number) | undefined;
  #start: LoadStart | undefined;

  /** @param columns tells the width of the terminal that shows the text; 0 if it is unknown, undefined for none. */
  constructor(sink: Sink, columns?: () => number) {
    this.#sink = sink;
    this.#columns = columns;
  }

  start(start: LoadStart): void {
    this.#start = start;
    this.#line(headerLine(start));
  }

  end({ stats, summary }: LoadEnd): void {
    const start = this.#start!;
    this.#sink.write("\n");
    this.#line(`--- ${start.endpoint} load statistics ---`);
    const title = `${start.loop === "open" ? "response" : "service time"} of all lines:`;
    const histogram = histogramLines(stats.headline, title, this.#columns?.());
    for (const line of [...loadLines(summary, start.timeout * 1000), ...histogram]) this.#line(line);
  }

  #line(text: string): void {
    this.#sink.write(`${escapeText(text)}\n`);
  }
}

/** What is about to be measured. */
function headerLine(start: LoadStart): string {
  const { endpoint, connections, rate, stages, depth, size, data, reconnect, threads } = start;
  const over = reconnect
    ? "a connection for each line"
    : `${connections} connection${connections === 1 ? "" : "s"}`;
  const plan = stages !== null
    ? [`open loop, ${stages.length} stage${stages.length === 1 ? "" : "s"}, ${over}`]
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
