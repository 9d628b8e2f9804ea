/** A comparison as lines of text. */
import { escapeText } from "../failure.ts";
import { COMPARED, type ComparedMetric, nameOfCompared } from "../stats/compared_metrics.ts";
import { JUDGED_RUNS, type MetricComparison } from "../stats/comparison.ts";
import type { Figure } from "../stats/run_parts.ts";
import { formatMillis } from "../time/duration.ts";
import type { ComparisonReport, NamedRun } from "./comparison_report.ts";
import { millis, percent } from "./format.ts";
import { perSecond, timeoutText } from "./load_figures.ts";

/** What a comparison prints. What came from files and servers is escaped. */
export function comparisonLines(report: ComparisonReport): string[] {
  const { before, after, differences, notes, comparison: { method } } = report;
  return [
    `COMPARE ${before[0]!.run.settings.command}: ${settingsText(before[0]!)}`,
    ...sideLines("before", before),
    ...sideLines("after", after),
    ...differences.map(({ file, texts }) => `measured something else: ${file}: ${texts.join(", ")}`),
    ...notes,
    "",
    ...(method === "parts" ? [] : [...runTable(before, after), ""]),
    ...metricTable(report),
    "",
    ...legend(report),
  ].map(escapeText);
}

/** What was measured, without the command's name. */
function settingsText({ run: { settings } }: NamedRun): string {
  const { command: _, ...rest } = settings;
  return Object.values(rest).join(", ");
}

/** A run, or several: where and how long, and what speaks against believing it. */
function sideLines(side: string, runs: readonly NamedRun[]): string[] {
  const name = runs.length === 1 ? runs[0]!.file : `${runs.length} runs`;
  const endpoints = runs.map((it) => it.run.endpoint);
  const lengths = runs.map((it) => formatMillis(it.run.duration * 1000));
  return [
    `${side}: ${[name, ...new Set([...endpoints, ...lengths])].join(", ")}`,
    ...runs.flatMap(({ file, run: { generator, ended } }) => [
      ...(generator === null || generator.verdict === "ok"
        ? []
        : [`  generator ${generator.verdict} in ${file}: ${generator.reasons.join("; ")}`]),
      ...(ended === null ? [] : [`  ${file} ended early: ${ended}`]),
    ]),
  ];
}

/** Each of several runs. */
function runTable(before: readonly NamedRun[], after: readonly NamedRun[]): string[] {
  return tableLines([RUN_HEADING, ...[...before, ...after].map(runCells)]);
}

/** The heading of a table of runs. */
export const RUN_HEADING: string[] = ["run", ...COMPARED.map(labelOf)];

/** A run's row in it. */
export function runCells({ file, run: { figures } }: NamedRun): string[] {
  return [file, ...COMPARED.map((metric) => figureText(metric, figures[metric]))];
}

function metricTable({ before, after, comparison: { metrics, method } }: ComparisonReport): string[] {
  const sides = ["before", "after"].map((it) => method === "parts" ? it : `${it}, median`);
  const rows = COMPARED.map((metric) => {
    const row = metrics[metric];
    const values = ([[row.before, before], [row.after, after]] as const).map(([value, runs]) =>
      figureText(metric, runs.length === 1 ? runs[0]!.run.figures[metric] : { value })
    );
    return [labelOf(metric), ...values, ratioText(row.ratio), intervalText(row.interval), wordText(row)];
  });
  return tableLines([["", ...sides, "ratio", "95 % interval", ""], ...rows], 5);
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

function labelOf(metric: ComparedMetric): string {
  return metric === "rate" ? "received" : nameOfCompared(metric);
}

function figureText(metric: ComparedMetric, { value, atLeast }: Pick<Figure, "value" | "atLeast">): string {
  if (value === null) return atLeast === undefined ? "-" : `> ${timeoutText(atLeast * 1000)}`;
  switch (metric) {
    case "rate":
      return `${perSecond(value)}/s`;
    case "loss":
      return percent(value);
    default:
      return `${millis(value)} ms`;
  }
}

/** A ratio with at least three digits. */
function ratioText(ratio: number | null): string {
  if (ratio === null) return "-";
  if (ratio === Infinity) return "∞";
  return ratio < 100 ? ratio.toFixed(3) : String(Math.round(ratio));
}

function intervalText(interval: MetricComparison["interval"]): string {
  if (interval === null) return "-";
  return interval.map(ratioText).join(" to ");
}

function wordText({ verdict, help }: MetricComparison): string {
  return verdict ?? (help === null ? "" : "not judged");
}

/** What the words mean, and what they do not. */
function legend({ comparison: { metrics, method } }: ComparisonReport): string[] {
  const rows = COMPARED.map((metric) => ({ metric, ...metrics[metric] }));
  const lines: string[] = [];
  if (rows.some(({ verdict }) => verdict === "no difference")) {
    lines.push("no difference: none that chance would not give");
  }
  const reasons = Map.groupBy(
    rows.filter(({ help }) => help !== null),
    (it) => `${wordText(it)}\n${it.help}`,
  );
  for (const [key, group] of reasons) {
    const [word, help] = key.split("\n");
    const whose = group.length === rows.length ? "" : `${group.map((it) => labelOf(it.metric)).join(", ")}: `;
    lines.push(`${word}: ${whose}${help}`);
  }
  const judged = rows.some(({ p }) => p !== null);
  if (judged) lines.push("words are corrected for all metrics together (Holm), intervals are of each alone");
  if (method === "parts") {
    lines.push(
      `two runs of the same thing may differ more than their parts do: ${JUDGED_RUNS} runs of each would tell, by ` +
        `load --against --repeat ${JUDGED_RUNS}, or --before and --after`,
    );
  }
  return lines;
}

/** A change as a share, in percent with its sign: `+12.3%`. */
export function changeText(change: number): string {
  const text = change === Infinity ? "∞" : String(Number((change * 100).toPrecision(3)));
  return `${change < 0 ? "" : "+"}${text}%`;
}
