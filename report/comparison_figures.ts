/** A comparison's figures and words, for text and for pages alike. */
import { counted } from "../failure.ts";
import { COMPARED, type ComparedMetric, nameOfCompared } from "../stats/compared_metrics.ts";
import { type ComparisonMethod, JUDGED_RUNS, type MetricComparison } from "../stats/comparison.ts";
import type { Figure } from "../stats/run_parts.ts";
import { durationText } from "../time/duration.ts";
import type { ComparisonReport, Difference, NamedRun } from "./comparison_report.ts";
import { millis, percent } from "./format.ts";
import { perSecond } from "./load_figures.ts";

/** What was measured, without the command's name. */
export function settingsText({ run: { settings } }: NamedRun): string {
  const { command, ...rest } = settings;
  const { interval, timeout } = rest;
  // Ping's are times alone, which their names tell where runs differ.
  const said = command === "ping"
    ? { ...rest, interval: `every ${interval}`, timeout: `${timeout} time-out` }
    : rest;
  return Object.values(said).join(", ");
}

/** A run, or several: their name, where and how long. */
export function sideText(runs: readonly NamedRun[]): string {
  const endpoints = [...new Set(runs.map((it) => it.run.endpoint))];
  const lengths = runs.map((it) => it.run.duration * 1000);
  const length = [...new Set([Math.min(...lengths), Math.max(...lengths)].map((it) => durationText(it)))]
    .join(" to ");
  if (runs.length === 1) return [runs[0]!.file, ...endpoints, length].join(", ");
  return [`${runs.length} runs of ${length}`, ...endpoints].join(", ");
}

/** What speaks against believing runs. */
export function warningTexts(runs: readonly NamedRun[]): string[] {
  return runs.flatMap(({ file, run: { generator, ended } }) => [
    ...(generator === null || generator.verdict === "ok"
      ? []
      : [`generator ${generator.verdict} in ${file}: ${generator.reasons.join("; ")}`]),
    ...(ended === null ? [] : [`${file} ended early: ${ended}`]),
  ]);
}

/** What a run measured otherwise than the first. */
export function differenceText({ file, texts }: Difference): string {
  return `did not measure the same thing: ${file}: ${texts.join(", ")}`;
}

/** The heading of a table of runs. */
export const RUN_HEADING: string[] = ["run", ...COMPARED.map(labelOf)];

/** A run's row in it. */
export function runCells({ file, run: { figures } }: NamedRun): string[] {
  return [file, ...COMPARED.map((metric) => figureText(metric, figures[metric]))];
}

/** The heading of a table of metrics. */
export function metricHeading(method: ComparisonMethod): string[] {
  const sides = ["before", "after"].map((it) => method === "parts" ? it : `${it}, median`);
  return ["", ...sides, "ratio", "95% interval", ""];
}

/** A metric's row in it: both values, their ratio, its interval and the word. */
export function metricCells(
  metric: ComparedMetric,
  { before, after, comparison }: ComparisonReport,
): string[] {
  const row = comparison.metrics[metric];
  const values = ([[row.before, before], [row.after, after]] as const).map(([value, runs]) =>
    figureText(metric, runs.length === 1 ? runs[0]!.run.figures[metric] : { value })
  );
  return [labelOf(metric), ...values, ratioText(row.ratio), intervalText(row.interval), wordText(row)];
}

export function labelOf(metric: ComparedMetric): string {
  return metric === "rate" ? "received" : nameOfCompared(metric);
}

function figureText(metric: ComparedMetric, { value, atLeast }: Pick<Figure, "value" | "atLeast">): string {
  if (value === null) return atLeast === undefined ? "-" : `> ${durationText(atLeast * 1000)}`;
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
export function legend({ differences, comparison: { metrics, method } }: ComparisonReport): string[] {
  const rows = COMPARED.map((metric) => ({ metric, ...metrics[metric] }));
  const lines: string[] = [];
  if (rows.some(({ verdict }) => verdict === "no difference")) {
    lines.push("no difference: none beyond what chance explains");
  }
  if (rows.some(({ verdict }) => verdict === "no clear difference")) {
    const judged = rows.filter(({ p }) => p !== null).length;
    lines.push(
      `no clear difference: the interval leaves out 1, but with ${
        counted(judged, "metric")
      } judged chance explains that`,
    );
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
  if (judged) lines.push("words are corrected for multiple comparisons (Holm), intervals are not");
  // Runs of which each measured something else are told apart by no number of them.
  if (method === "parts" && differences.length === 0) {
    lines.push(
      `two identical runs can differ by more than this; ${JUDGED_RUNS} runs of each would settle it, by load --against ` +
        `--repeat ${JUDGED_RUNS}, or --before and --after`,
    );
  }
  return lines;
}

/** A change as a share, in percent with its sign: `+12.3%`. */
export function changeText(change: number): string {
  const text = change === Infinity ? "∞" : String(Number((change * 100).toPrecision(3)));
  return `${change < 0 ? "" : "+"}${text}%`;
}
