/** The object of a comparison; docs/json.md describes its fields. */
import { COMPARED } from "../stats/compared_metrics.ts";
import type { ComparisonReport, NamedRun } from "./comparison_report.ts";

/** The format's version. */
const VERSION = 1;

/** A comparison as it is written. */
export function comparisonRecord(
  { before, after, differences, notes, comparison, thresholds }: ComparisonReport,
): object {
  return {
    type: "compare",
    version: VERSION,
    method: comparison.method,
    before: before.map(runRecord),
    after: after.map(runRecord),
    differences: differences.map(({ file, texts }) => ({ file, differs: texts })),
    notes,
    metrics: comparison.metrics,
    thresholds,
  };
}

function runRecord({ file, run }: NamedRun): object {
  const { endpoint, time, duration, ended, settings, generator, figures } = run;
  return {
    ...{ file, time, endpoint, duration, ended, settings, generator },
    ...Object.fromEntries(COMPARED.map((it) => [it, figures[it].value])),
  };
}
