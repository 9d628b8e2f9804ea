import type { Distribution } from "../stats/distribution.ts";
import { millisOfMicros } from "./format.ts";

/** The most rows of the histogram, and the most cells of a bar. */
const MAX_ROWS = 10;
const MAX_BAR_CELLS = 40;
/** With fewer values a histogram shows nothing that the replies do not. */
const MIN_VALUES = 5;
/** A bar of fewer cells shows nothing that its count does not. */
const MIN_BAR_CELLS = 5;
/** Of a terminal or file whose width is unknown. */
const DEFAULT_COLUMNS = 80;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/**
 * A distribution as a title and rows of bars, whose values grow by the same factor from row to row; nothing for few
 * values. There are no more rows than the values support (Sturges 1926).
 *
 * @param columns the terminal's width; 0 if it is unknown.
 */
export function histogramLines(values: Distribution, title: string, columns = 0): string[] {
  if (values.count < MIN_VALUES) return [];
  const rows = Math.min(MAX_ROWS, Math.ceil(Math.log2(values.count)) + 1);
  const low = Math.max(values.min, 0.1);
  const factor = Math.max((values.max / low) ** (1 / rows), 1.001);
  const counts = new Array<number>(rows).fill(0);
  for (const [micros, count] of values.values()) {
    const row = Math.floor(Math.log(Math.max(micros, low) / low) / Math.log(factor));
    counts[Math.min(row, rows - 1)]! += count;
  }
  const most = Math.max(...counts);
  const last = counts.findLastIndex((count) => count > 0);
  const edge = (row: number) => millisOfMicros(low * factor ** row);
  const width = edge(last + 1).length;
  const labels = counts.slice(0, last + 1).map((count, row) =>
    `${edge(row).padStart(width)} to ${edge(row + 1).padStart(width)} ms ${
      String(count).padStart(String(most).length)
    }`
  );
  const room = (columns || DEFAULT_COLUMNS) - labels[0]!.length - 1;
  const cells = room < MIN_BAR_CELLS ? 0 : Math.min(room, MAX_BAR_CELLS);
  return [title, ...labels.map((label, row) => `${label} ${bar(counts[row]! / most, cells)}`.trimEnd())];
}

function bar(share: number, cells: number): string {
  const eighths = Math.ceil(share * cells * 8);
  return "█".repeat(eighths >> 3) + EIGHTHS[eighths & 7];
}
