import type { Distribution } from "../stats/distribution.ts";
import { millisOfMicros } from "./format.ts";

/** Rows of the histogram, and the cells of its longest bar. */
const ROWS = 10;
const BAR_CELLS = 40;
/** With fewer values a histogram shows nothing that the replies do not. */
const MIN_VALUES = 5;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A distribution as rows of bars whose widths grow by the same factor; no rows for few values. */
export function histogramLines(values: Distribution): string[] {
  if (values.count < MIN_VALUES) return [];
  const low = Math.max(values.min, 0.1);
  const factor = Math.max((values.max / low) ** (1 / ROWS), 1.001);
  const counts = new Array<number>(ROWS).fill(0);
  for (const [micros, count] of values.values()) {
    const row = Math.floor(Math.log(Math.max(micros, low) / low) / Math.log(factor));
    counts[Math.min(row, ROWS - 1)]! += count;
  }
  const most = Math.max(...counts);
  const last = counts.findLastIndex((count) => count > 0);
  const edge = (row: number) => millisOfMicros(low * factor ** row);
  const width = edge(last + 1).length;
  return counts.slice(0, last + 1).map((count, row) =>
    `${edge(row).padStart(width)} to ${edge(row + 1).padStart(width)} ms ${
      String(count).padStart(String(most).length)
    } ${bar(count / most)}`.trimEnd()
  );
}

function bar(share: number): string {
  const eighths = Math.ceil(share * BAR_CELLS * 8);
  return "█".repeat(eighths >> 3) + EIGHTHS[eighths & 7];
}
