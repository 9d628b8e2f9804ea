import { escapeText } from "../failure.ts";
import { durationText } from "../time/duration.ts";
import { comparisonLines } from "./compare_text.ts";
import { RUN_HEADING, runCells } from "./comparison_figures.ts";
import type { Sink } from "./exporter.ts";
import { headerLine } from "./load_text.ts";
import type { SeriesEnd, SeriesExporter, SeriesRun, SeriesStart } from "./series_record.ts";

/** The columns of a run's figure: each line is printed before the next is known. */
const FIGURE_WIDTH = 11;

/** The text for people: what is measured, a line for each run, and the comparison. Escaped, as servers sent some of it. */
export class SeriesText implements SeriesExporter {
  readonly #sink: Sink;
  readonly #rows: boolean;
  #nameWidth = 0;

  /** @param rows whether each run has a line. */
  constructor(sink: Sink, rows: boolean) {
    this.#sink = sink;
    this.#rows = rows;
  }

  start(start: SeriesStart): void {
    const { endpoint, against, repeat } = start;
    this.#nameWidth = `before-${repeat}`.length;
    this.#line(headerLine(start));
    const runs = repeat === 1 ? "one run" : `${repeat} runs`;
    const sides = endpoint === against
      ? "both are the same endpoint, so that what differs is noise"
      : `before is ${endpoint}, after is ${against}`;
    this.#line(`against ${against}, ${runs} of each in turn${lengthText(start)}: ${sides}`);
    if (this.#rows) this.#row(RUN_HEADING);
  }

  event(run: SeriesRun): void {
    if (!this.#rows) return;
    const { generator } = run.run;
    const more = generator === null || generator.verdict === "ok" ? "" : `generator ${generator.verdict}`;
    this.#row(runCells(run), more);
  }

  end({ ended, report }: SeriesEnd): void {
    if (report === null) {
      this.#line(`nothing to compare: ${ended}`);
      return;
    }
    this.#sink.write("\n");
    // What each run came to stands above, where it has a line.
    for (const line of comparisonLines(report, !this.#rows)) this.#line(line);
  }

  #row([name, ...figures]: string[], more = ""): void {
    const cells = [name!.padEnd(this.#nameWidth), ...figures.map((it) => it.padStart(FIGURE_WIDTH))];
    this.#line([...cells, more].join("  ").trimEnd());
  }

  #line(text: string): void {
    this.#sink.write(`${escapeText(text)}\n`);
  }
}

/** How long all runs take together, where that is planned. */
function lengthText({ duration, stages, count, warmup, repeat }: SeriesStart): string {
  const planned = stages?.reduce((sum, it) => sum + it.duration, 0) ?? duration;
  if (planned === null || count !== null) return "";
  return `, ${durationText(Math.ceil(2 * repeat * (planned + warmup)) * 1000)} in all`;
}
