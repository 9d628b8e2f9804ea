/** The benchmark's report: the figures of its rounds, as Markdown for docs/performance.md. */

import { type Bound, BOUNDS, type Case, CASES, type Measurement } from "./cases.ts";
import { median } from "./tools.ts";

/** The rounds of one peer in one case; `null` is a round that failed. */
export interface Cell {
  peer: string;
  rounds: (Measurement | null)[];
  errors: string[];
}

export interface CaseResult {
  case: Case;
  cells: Cell[];
  /** How fast tsecho was beside "before" in each repetition of the rounds: more than 1 is faster. */
  attempts: number[];
}

/** A case counts as slower than before when it is below this in each of so many repetitions. */
export const MIN_SPEED = 0.93;
export const ATTEMPTS = 3;
const MIN_MEAN = 0.97;

function medianOf(cell: Cell, key: keyof Measurement): number {
  return median(cell.rounds.flatMap((round) => round?.[key] ?? []));
}

/** The median of the rounds' ratios tsecho ÷ peer from round `from` on; NaN when there is none. */
function ratio(
  result: CaseResult,
  peer: string,
  key: "value" | "p50" | "perCpu" = "value",
  from = 0,
): number {
  const rounds = (name: string) => result.cells.find((cell) => cell.peer === name)?.rounds.slice(from) ?? [];
  const theirs = rounds(peer);
  return median(
    rounds("tsecho").flatMap((own, i) => {
      const other = theirs[i];
      return own?.[key] !== undefined && other?.[key] !== undefined ? own[key] / other[key] : [];
    }),
  );
}

/** How many times as fast as before tsecho was, or as small, in the rounds from `from` on. */
export function speed(result: CaseResult, from = 0): number {
  const times = ratio(result, "before", result.case.compared, from);
  return result.case.lowerIsBetter ? 1 / times : times;
}

/** Three digits: 0.123, 12.3, 123, 12.3 k, 1.23 M. */
export function short(value: number): string {
  for (const [unit, size] of [[" M", 1e6], [" k", 1e4]] as const) {
    if (value >= size) return short(value / (unit === " k" ? 1000 : size)) + unit;
  }
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** A table in Markdown, whose first row is its head. */
export function markdown(rows: string[][]): string {
  const [head = [], ...body] = rows;
  const all = [head, head.map(() => "-"), ...body];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  return all.map((row, r) =>
    "| " + row.map((cell, i) =>
      r === 1 ? "-".repeat(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)
    ).join(" | ") + " |"
  ).join("\n");
}

/** A table for each group of cases: rows the cases, columns the peers. */
export function tables(results: CaseResult[], peers: string[]): string {
  return [...new Set(results.map((result) => result.case.group))].map((group) => {
    const inGroup = results.filter((result) => result.case.group === group);
    const columns = peers.filter((peer) => inGroup.some(({ cells }) => cells.some((c) => c.peer === peer)));
    const rows = inGroup.flatMap((result) => caseRows(result, columns));
    return `**${group}**\n\n` + markdown([["case", ...columns], ...rows]);
  }).join("\n\n");
}

function caseRows(result: CaseResult, peers: string[]): string[][] {
  const cells = peers.map((peer) => result.cells.find((cell) => cell.peer === peer));
  const shown = (key: "value" | "perCpu") =>
    cells.map((cell) => {
      if (!cell) return "";
      if (cell.rounds.every((round) => round === null)) return "failed";
      const own = ratio(result, cell.peer, key);
      const times = cell.peer === "tsecho" || isNaN(own) ? "" : ` (${own.toFixed(2)}×)`;
      return short(medianOf(cell, key)) + times;
    });
  const rows = [[`${result.case.name}, ${result.case.unit}`, ...shown("value")]];
  if (result.cells.some((cell) => medianOf(cell, "perCpu") >= 0)) {
    rows.push(["– for each CPU second of the server", ...shown("perCpu")]);
  }
  if (result.cells.some((cell) => medianOf(cell, "p50") >= 0)) {
    rows.push([
      "– round trip p50 / p99, µs",
      ...cells.map((cell) => {
        const p50 = cell ? medianOf(cell, "p50") : NaN;
        return cell && p50 >= 0 ? `${short(p50)} / ${short(medianOf(cell, "p99"))}` : "";
      }),
    ]);
  }
  return rows;
}

export function list(title: string, items: string[]): string {
  return items.length === 0 ? "" : `${title}:\n\n${items.map((item) => `- ${item}`).join("\n")}\n`;
}

/** Whether the generator had time to spare: its share of a core, in %. */
export function generatorReport(results: CaseResult[]): string[] {
  return results.flatMap(({ case: { name }, cells }) => {
    const shares = cells.filter((cell) => medianOf(cell, "cpu") >= 0)
      .map((cell) => `${cell.peer} ${(medianOf(cell, "cpu") * 100).toFixed(0)}`);
    return shares.length ? [`${name}: ${shares.join(", ")}`] : [];
  });
}

export interface Judged extends Bound {
  value: number;
  reached: boolean | null;
}

export function judge(results: CaseResult[]): Judged[] {
  return BOUNDS.flatMap((bound) => {
    const result = results.find((candidate) => candidate.case.name === bound.case);
    if (!result) return [];
    const own = result.cells.find((cell) => cell.peer === "tsecho");
    const value = bound.peer !== "tsecho" ? ratio(result, bound.peer) : own ? medianOf(own, "value") : NaN;
    const reached = isNaN(value)
      ? null
      : value >= (bound.least ?? -Infinity) && value <= (bound.most ?? Infinity);
    return [{ ...bound, value, reached }];
  });
}

/** The goals of which something was measured, as a table. */
export function goals(judged: Judged[]): string {
  const rows = judged.filter(({ reached }) => reached !== null).map(({ reached, value, ...bound }) => {
    const unit = CASES.find(({ name }) => name === bound.case)?.unit;
    const limit = bound.least === undefined ? `≤ ${bound.most}` : `≥ ${bound.least}`;
    const what = bound.peer === "tsecho" ? unit : `× ${bound.peer}`;
    const figure = value >= 100 ? value.toFixed(0) : value.toFixed(2);
    return [bound.case, `${limit} ${what}`, figure, reached ? "reached" : "NOT reached"];
  });
  return rows.length ? markdown([["case", "goal", "measured", ""], ...rows]) : "";
}

/** Whether a change slowed anything: the geometric mean of all cases, and each case below the limit. */
export function comparison(results: CaseResult[]): { text: string; slower: string[] } {
  const compared = results.filter((result) => !isNaN(speed(result)));
  const mean = Math.exp(
    compared.reduce((sum, result) => sum + Math.log(speed(result)), 0) / compared.length,
  );
  const slower = compared.filter(isSlower).map((result) => result.case.name);
  const below = compared.filter(({ attempts }) => attempts.some((one) => one < MIN_SPEED)).map((result) => {
    const each = result.attempts.map((one) => one.toFixed(2)).join(", ");
    return `${result.case.name}: ${each}${isSlower(result) ? ", slower" : ", not every time"}`;
  });
  const verdict = mean >= MIN_MEAN ? "reached" : "NOT reached";
  const text = `Beside "before", geometric mean of ${compared.length} cases (more than 1 is faster, or ` +
    `smaller): ${mean.toFixed(3)} (≥ ${MIN_MEAN}: ${verdict})\n\n` +
    (below.length ? list(`Below ${MIN_SPEED}`, below) : `No case is below ${MIN_SPEED}.\n`);
  return { text, slower: mean >= MIN_MEAN ? slower : ["the mean", ...slower] };
}

function isSlower({ attempts }: CaseResult): boolean {
  return attempts.length >= ATTEMPTS && attempts.every((one) => one < MIN_SPEED);
}
