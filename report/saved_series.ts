/** A saved series of load's runs, read for a comparison. */
import { comparedRunOf } from "./compared_run.ts";
import type { NamedRun } from "./comparison_report.ts";
import type { Json } from "./record.ts";
import { objectOf, parseSeries, textOf } from "./saved_records.ts";

/** The runs of both sides. */
export interface SavedSeries {
  before: NamedRun[];
  after: NamedRun[];
  /** Why the series ended before it was meant to, in words; null if it did not. */
  ended: string | null;
}

/**
 * Reads a saved series: the document of load's `--json` with `--against`, of which the end may be missing.
 *
 * @returns undefined for a text that is no series. @throws {Error} whose message says what is wrong with one.
 */
export function readSeries(text: string): SavedSeries | undefined {
  const series = parseSeries(text);
  if (series === undefined) return undefined;
  const runs = series.runs.map((it) => readRun(objectOf(it, "tsecho load")));
  const [before, after] = ["before", "after"].map((side) =>
    runs.filter((it) => it.side === side).map(({ file, run }) => ({ file, run }))
  ) as [NamedRun[], NamedRun[]];
  for (const [side, of] of [["before", before], ["after", after]] as const) {
    if (of.length === 0) throw new Error(`it has no whole run of the side "${side}"`);
  }
  return { before, after, ended: series.ended };
}

function readRun(record: Json): NamedRun & { side: string } {
  const whose = "a run's";
  const side = textOf(record, whose, "side");
  if (side !== "before" && side !== "after") throw new Error(`a run's side is unknown: "${side}"`);
  return { side, file: textOf(record, whose, "name"), run: comparedRunOf(record) };
}
