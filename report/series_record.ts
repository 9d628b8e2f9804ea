/** A series of load's runs of two endpoints, in turn, as JSON; docs/json.md describes its fields. */
import type { ComparisonReport, NamedRun } from "./comparison_report.ts";
import { comparisonRecord } from "./compare_json.ts";
import { comparedRunOf } from "./compared_run.ts";
import type { Exporter, Sink } from "./exporter.ts";
import { type LoadEnd, type LoadStart, toEnd, toSecond } from "./load_record.ts";
import type { Json } from "./record.ts";

/** Which of the two endpoints a run is of. */
export type Side = "before" | "after";

/** What is measured: the runs of `endpoint` are before, those of `against` after. */
export interface SeriesStart extends LoadStart {
  against: string;
  /** How many runs each has. */
  repeat: number;
}

/** A run of a series that has ended. */
export interface SeriesRun extends NamedRun {
  side: Side;
  /** Its object, as it is saved. */
  record: Json;
}

/** How a series ended. */
export interface SeriesEnd {
  /** Why it ended before it was meant to, in words; null if it did not. */
  ended: string | null;
  /** Null where a side has no whole run. */
  report: ComparisonReport | null;
}

/** Writes a series. An event is a run that has ended. */
export type SeriesExporter = Exporter<SeriesStart, SeriesRun, never, SeriesEnd>;

/** The runs of a series in their order: A B B A, so that what drifts meets both sides alike. */
export function orderOf(repeat: number): { side: Side; name: string }[] {
  return Array.from({ length: repeat }, (_, pair) => {
    const sides: Side[] = pair % 2 === 0 ? ["before", "after"] : ["after", "before"];
    return sides.map((side) => ({ side, name: `${side}-${pair + 1}` }));
  }).flat();
}

/** A run of a series, as it is saved and as it is compared: what is read back is the same. */
export function seriesRun(side: Side, name: string, start: LoadStart, end: LoadEnd): SeriesRun {
  const seconds = [...end.stats.seconds()].map((it) => toSecond(it, start.loop));
  const record = JSON.parse(JSON.stringify({ name, side, start, seconds, end: toEnd(end) })) as Json;
  return { side, file: name, record, run: comparedRunOf(record) };
}

/**
 * One JSON document, with a run a line: what a series that is killed has written can be read back. Without a run there is
 * none: it would take the place of an older one.
 */
export class SeriesDocument implements SeriesExporter {
  readonly #sink: Sink;
  #start: SeriesStart | undefined;
  #runs = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  start(start: SeriesStart): void {
    this.#start = start;
  }

  event({ record }: SeriesRun): void {
    const before = this.#runs++ === 0 ? `{"start":${JSON.stringify(this.#start)},"runs":[` : ",";
    this.#sink.write(`${before}\n${JSON.stringify(record)}`);
  }

  end({ ended, report }: SeriesEnd): void {
    if (this.#runs === 0) return;
    const comparison = report === null ? null : comparisonRecord(report);
    this.#sink.write(`\n],"ended":${JSON.stringify(ended)},"comparison":${JSON.stringify(comparison)}}\n`);
  }
}
