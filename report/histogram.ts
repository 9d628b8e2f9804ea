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
  const { edges, counts } = logBins(
    values,
    Math.min(MAX_ROWS, Math.ceil(Math.log2(values.count)) + 1),
  );
  const most = Math.max(...counts);
  const last = counts.findLastIndex((count) => count > 0);
  const edge = (row: number) => millisOfMicros(edges[row]!);
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

/**
 * Counts values in bins that grow by the same factor from one to the next, from the least value to the largest.
 *
 * @returns the edges in µs, one more than there are counts.
 */
export function logBins(values: Distribution, bins: number): { edges: number[]; counts: number[] } {
  const scale = new LogScale(values, bins);
  const counts = new Array<number>(bins).fill(0);
  for (const [micros, count] of values.values()) counts[scale.binOf(micros)]! += count;
  return { edges: scale.edges(), counts };
}

/** Bins that grow by the same factor from one to the next, and hold all values of a distribution. */
export class LogScale {
  readonly bins: number;
  readonly #low: number;
  readonly #factor: number;

  /** @param of which is not empty. */
  constructor(of: { min: number; max: number }, bins: number) {
    this.bins = bins;
    this.#low = Math.max(of.min, 0.1);
    this.#factor = Math.max((of.max / this.#low) ** (1 / bins), 1.001);
  }

  /** The bin of a value in µs; of one beyond the ends, the bin there. */
  binOf(micros: number): number {
    const bin = Math.floor(Math.log(Math.max(micros, this.#low) / this.#low) / Math.log(this.#factor));
    return Math.min(bin, this.bins - 1);
  }

  /** The edges in µs, one more than there are bins. */
  edges(): number[] {
    return Array.from({ length: this.bins + 1 }, (_, bin) => this.#low * this.#factor ** bin);
  }
}

function bar(share: number, cells: number): string {
  const eighths = Math.ceil(share * cells * 8);
  return "█".repeat(eighths >> 3) + EIGHTHS[eighths & 7];
}
