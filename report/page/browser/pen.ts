/// <reference lib="dom" />
import type { Layer, LineLayer, Plot, Value } from "../model.ts";
import { colourName, shadesOf } from "./shades.ts";

type LayerOf<K extends Layer["kind"]> = Extract<Layer, { kind: K }>;

/** What draws on the canvas of a chart. */
export interface Pen {
  ctx: CanvasRenderingContext2D;
  /** Pixels of the canvas for one of the page. */
  ratio: number;
  /** Where the values are drawn, in pixels of the canvas. */
  area: { left: number; top: number; width: number; height: number };
  x(place: number): number;
  y(place: number): number;
  /** The value of a custom property of the page's style. */
  colour(name: string): string;
}

/** Draws the layers of a chart, the later ones over the earlier ones. */
export function drawLayers(layers: Layer[], { y: { scale } }: Plot, pen: Pen): void {
  const { ctx, area, ratio } = pen;
  ctx.save();
  ctx.beginPath();
  ctx.rect(area.left - 2, area.top - 2, area.width + 4, area.height + 4);
  ctx.clip();
  ctx.lineJoin = "round";
  const areBarsAlone = layers.filter(({ kind }) => kind === "bars").length === 1;
  for (const layer of layers) {
    if (layer.kind === "heat") {
      drawHeat(layer, pen);
      continue;
    }
    ctx.strokeStyle = ctx.fillStyle = pen.colour(colourName(layer.colour));
    ctx.lineWidth = 1.5 * ratio;
    ctx.globalAlpha = 1;
    ctx.setLineDash(layer.colour < 8 ? [] : [6 * ratio, 3 * ratio]);
    if (layer.kind === "line") drawLine(layer, pen);
    else if (layer.kind === "band") drawBand(layer, pen);
    else if (layer.kind === "bars") drawBars(layer, pen, scale === "log", areBarsAlone ? 1 : 0.45);
    else if (layer.kind === "spans") drawSpans(layer, pen);
    else drawPoints(layer, pen);
  }
  ctx.restore();
}

/** Calls for each run of values that are there, with their first and last index. */
function eachRun(values: Value[], draw: (first: number, last: number) => void): void {
  let first = -1;
  for (let i = 0; i <= values.length; i++) {
    const isThere = typeof values[i] === "number";
    if (isThere && first < 0) first = i;
    if (isThere || first < 0) continue;
    draw(first, i - 1);
    first = -1;
  }
}

function drawLine({ x, y, steps }: LineLayer, { ctx, ratio, ...pen }: Pen): void {
  const line = new Path2D();
  eachRun(y, (first, last) => {
    if (first === last) dot(ctx, pen.x(x[first]!), pen.y(y[first]!), ratio);
    line.moveTo(pen.x(x[first]!), pen.y(y[first]!));
    for (let i = first + 1; i <= last; i++) {
      if (steps) line.lineTo(pen.x(x[i]!), pen.y(y[i - 1]!));
      line.lineTo(pen.x(x[i]!), pen.y(y[i]!));
    }
  });
  ctx.stroke(line);
}

function drawBand({ x, low, high }: LayerOf<"band">, { ctx, ratio, ...pen }: Pen): void {
  const band = new Path2D();
  eachRun(low.map((it, i) => high[i] === null ? null : it), (first, last) => {
    // What stands alone would have no width.
    const aside = first === last ? ratio : 0;
    band.moveTo(pen.x(x[first]!) - aside, pen.y(low[first]!));
    for (let i = first; i <= last; i++) band.lineTo(pen.x(x[i]!) - aside, pen.y(high[i]!));
    for (let i = last; i >= first; i--) band.lineTo(pen.x(x[i]!) + aside, pen.y(low[i]!));
    band.closePath();
  });
  ctx.globalAlpha = 0.25;
  ctx.fill(band);
}

function drawBars({ edges, values }: LayerOf<"bars">, pen: Pen, isLog: boolean, alpha: number): void {
  const { ctx, area, ratio } = pen;
  const base = isLog ? area.top + area.height : pen.y(0);
  ctx.globalAlpha = alpha;
  values.forEach((value, i) => {
    if (value === 0) return;
    const [from, to] = [pen.x(edges[i]!), pen.x(edges[i + 1]!)];
    const gap = to - from > 4 * ratio ? ratio : 0;
    // What is there can be seen, however little it is.
    const height = Math.max(base - pen.y(value), ratio);
    ctx.fillRect(from, base - height, Math.max(to - from - gap, ratio), height);
  });
}

function drawSpans({ spans }: LayerOf<"spans">, pen: Pen): void {
  const { ctx, area, ratio } = pen;
  for (const [from, to] of spans) {
    const [left, width] = [pen.x(from), pen.x(to) - pen.x(from)];
    const isWide = width > 4 * ratio;
    const edge = isWide ? ratio : Math.max(width, 1.5 * ratio);
    ctx.globalAlpha = 1;
    ctx.fillRect(isWide ? left : left + (width - edge) / 2, area.top, edge, area.height);
    if (!isWide) continue;
    ctx.fillRect(left + width - edge, area.top, edge, area.height);
    ctx.globalAlpha = 0.25;
    ctx.fillRect(left, area.top, width, area.height);
  }
}

function drawHeat(heat: LayerOf<"heat">, { ctx, ...pen }: Pen): void {
  const { xEdges, yEdges, counts } = heat;
  const shades = shadesOf(heat).map(({ least, class: name }) => ({ least, colour: pen.colour(name) }));
  // Whole pixels: no ground shines through between the cells.
  const [columns, rows] = [
    xEdges.map((it) => Math.round(pen.x(it))),
    yEdges.map((it) => Math.round(pen.y(it))),
  ];
  counts.forEach((row, j) =>
    row.forEach((count, i) => {
      if (count <= 0) return;
      ctx.fillStyle = (shades.findLast(({ least }) => least <= count) ?? shades[0]!).colour;
      const [from, to] = [columns[i]!, columns[i + 1]!];
      ctx.fillRect(from, rows[j + 1]!, Math.max(to - from, 1), Math.max(rows[j]! - rows[j + 1]!, 1));
    })
  );
}

function drawPoints({ x, y, low, high }: LayerOf<"points">, { ctx, ratio, ...pen }: Pen): void {
  y.forEach((value, i) => {
    if (value === null) return;
    const at = pen.x(x[i]!);
    dot(ctx, at, pen.y(value), 3 * ratio);
    const [bottom, top] = [low?.[i], high?.[i]];
    if (typeof bottom !== "number" || typeof top !== "number") return;
    ctx.beginPath();
    for (const end of [pen.y(bottom), pen.y(top)]) {
      ctx.moveTo(at - 3 * ratio, end);
      ctx.lineTo(at + 3 * ratio, end);
    }
    ctx.moveTo(at, pen.y(bottom));
    ctx.lineTo(at, pen.y(top));
    ctx.stroke();
  });
}

function dot(ctx: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.fill();
}

/** What the page gets of this file: all of it. */
export const PEN = [
  drawLayers,
  eachRun,
  drawLine,
  drawBand,
  drawBars,
  drawSpans,
  drawHeat,
  drawPoints,
  dot,
];
