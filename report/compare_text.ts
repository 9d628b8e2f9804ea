/** A comparison as lines of text. */
import { escapeText } from "../failure.ts";
import { COMPARED } from "../stats/compared_metrics.ts";
import {
  differenceText,
  legend,
  metricCells,
  metricHeading,
  RUN_HEADING,
  runCells,
  settingsText,
  sideText,
  warningTexts,
} from "./comparison_figures.ts";
import type { ComparisonReport, NamedRun } from "./comparison_report.ts";

/** What a comparison prints. What came from files and servers is escaped. @param runs whether each of several has a row. */
export function comparisonLines(report: ComparisonReport, runs = true): string[] {
  const { before, after, differences, notes, comparison: { method } } = report;
  return [
    `COMPARE ${before[0]!.run.settings.command}: ${settingsText(before[0]!)}`,
    ...sideLines("before", before),
    ...sideLines("after", after),
    ...differences.map(differenceText),
    ...notes,
    "",
    ...(method === "parts" || !runs ? [] : [...runTable(before, after), ""]),
    ...metricTable(report),
    "",
    ...legend(report),
  ].map(escapeText);
}

/** A run, or several, and what speaks against believing them. */
function sideLines(side: string, runs: readonly NamedRun[]): string[] {
  return [`${side}: ${sideText(runs)}`, ...warningTexts(runs).map((it) => `  ${it}`)];
}

/** Each of several runs. */
function runTable(before: readonly NamedRun[], after: readonly NamedRun[]): string[] {
  return tableLines([RUN_HEADING, ...[...before, ...after].map(runCells)]);
}

function metricTable(report: ComparisonReport): string[] {
  const rows = COMPARED.map((metric) => metricCells(metric, report));
  return tableLines([metricHeading(report.comparison.method), ...rows], 5);
}

/** @param left the column besides the first whose text begins at the left. */
function tableLines(rows: string[][], left = Infinity): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, column) =>
      column === 0 || column === left ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)
    ).join("  ").trimEnd()
  );
}
