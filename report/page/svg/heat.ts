import { type Shade, shadesOf } from "../browser/shades.ts";
import type { Layer } from "../model.ts";
import { across, down, type Frame } from "./frame.ts";
import { coordinate, PathData } from "./path.ts";
import { isDrawable } from "./scale.ts";

type Heat = Extract<Layer, { kind: "heat" }>;

/** A heat map as strokes, each as thick as its row is high. */
export function drawHeat(heat: Heat, frame: Frame, detail: { columns: number; rows: number }): string {
  const shades = shadesOf(heat);
  const columns = stripes(heat.xEdges, frame.x.kind, (it) => across(frame, it), frame.width / detail.columns);
  const rows = stripes(heat.yEdges, frame.y.kind, (it) => down(frame, it), frame.height / detail.rows);
  const paths = new Map<string, PathData>();
  for (const row of rows) {
    const height = coordinate(Math.abs(row.to - row.from));
    const y = (row.from + row.to) / 2;
    for (const { from, to, value } of runsOf(columns.map((column) => shadeOf(heat, shades, row, column)))) {
      const key = `class="l ${value}" stroke-width="${height}"`;
      if (!paths.has(key)) paths.set(key, new PathData());
      paths.get(key)!.moveTo(columns[from]!.from, y).lineTo(columns[to]!.to, y);
    }
  }
  const drawn = [...paths].map(([key, path]) => `<path ${key} d="${path.text}"/>`).join("");
  // Without smoothing, no ground shines through between the cells.
  return drawn === "" ? "" : `<g shape-rendering="crispEdges" stroke-linecap="butt">${drawn}</g>`;
}

/** Neighbouring rows or columns of counts that are drawn as one. */
interface Stripe {
  first: number;
  last: number;
  from: number;
  to: number;
}

function stripes(
  edges: number[],
  kind: Frame["x"]["kind"],
  at: (edge: number) => number,
  least: number,
): Stripe[] {
  const drawn: Stripe[] = [];
  for (const i of edges.keys()) {
    const [low, high] = [edges[i], edges[i + 1]];
    if (!isDrawable(low, kind) || !isDrawable(high, kind)) continue;
    const [from, to] = [at(low), at(high)];
    const before = drawn.at(-1);
    if (before !== undefined && Math.abs(to - before.from) <= least) Object.assign(before, { last: i, to });
    else drawn.push({ first: i, last: i, from, to });
  }
  return drawn;
}

function shadeOf({ counts }: Heat, shades: Shade[], row: Stripe, column: Stripe): string | undefined {
  let most = 0;
  for (let y = row.first; y <= row.last; y++) {
    for (let x = column.first; x <= column.last; x++) most = Math.max(most, counts[y]?.[x] || 0);
  }
  // A count below 1, such as a mean, is still something.
  return most > 0 ? (shades.findLast(({ least }) => least <= most) ?? shades[0])?.class : undefined;
}

/** Where neighbours are equal, but for what is nothing. */
function runsOf(values: (string | undefined)[]): { from: number; to: number; value: string }[] {
  const runs: { from: number; to: number; value: string }[] = [];
  for (const [i, value] of values.entries()) {
    const last = runs.at(-1);
    if (value === undefined) continue;
    if (last?.value === value && last.to === i - 1) last.to = i;
    else runs.push({ from: i, to: i, value });
  }
  return runs;
}
