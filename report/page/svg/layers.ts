import { colourName } from "../browser/shades.ts";
import type { Layer, LineLayer, Value } from "../model.ts";
import { across, down, type Frame } from "./frame.ts";
import { drawHeat } from "./heat.ts";
import { PathData } from "./path.ts";
import { isDrawable } from "./scale.ts";
import { type Point, type Range, type Runs, thinBand, thinLine } from "./thin.ts";

/** The classes of the palette: `c0` to `c7`. */
const COLOURS = 8;
const LINE_WIDTH = 1.5;
const DOT_WIDTH = 5;
/** Of a value between two gaps of a line. */
const LONELY_WIDTH = 4;
/** Nothing is thinner than this. */
const MIN_WIDTH = 1.5;
/** A span wider than this is pale between its edges: what is drawn in it must be seen. */
const MAX_SOLID = 4;
/** The share of the width from which on all spans are pale. */
const MAX_SOLID_SHARE = 0.25;
/** Bars narrower than this have no gap between them. */
const MIN_BAR_WITH_GAP = 4;

type LayerOf<K extends Layer["kind"]> = Extract<Layer, { kind: K }>;

/** How finely things are drawn. */
export interface Detail {
  /** About how many points a line has at most. */
  points: number;
  /** The most columns of bands, bars and heat maps, and the most rows of the latter. */
  columns: number;
  rows: number;
}

/** A layer as SVG elements. */
export function drawLayer(layer: Layer, frame: Frame, detail: Detail, alone: boolean): string {
  switch (layer.kind) {
    case "line":
      return drawLine(layer, frame, detail);
    case "band":
      return drawBand(layer, frame, detail);
    case "bars":
      return drawBars(layer, frame, detail, alone);
    case "spans":
      return drawSpans(layer, frame);
    case "heat":
      return drawHeat(layer, frame, detail);
    case "points":
      return drawPoints(layer, frame, detail);
  }
}

/** Colours that come round again are dashed. */
export function dashes(colour: number): string {
  return colour < COLOURS ? "" : ` stroke-dasharray="${colour < 2 * COLOURS ? "6 3" : "2 3"}"`;
}

function stroke(layer: { colour: number }, data: string, width = LINE_WIDTH): string {
  return data === ""
    ? ""
    : `<path class="l ${colourName(layer.colour)}" stroke-width="${width}"${
      dashes(layer.colour)
    } d="${data}"/>`;
}

function fill(layer: { colour: number }, data: string, kind: "f" | "b" = "f"): string {
  return data === "" ? "" : `<path class="${kind} ${colourName(layer.colour)}" d="${data}"/>`;
}

function drawLine(layer: LineLayer, frame: Frame, detail: Detail): string {
  const runs = runsOf(layer.x, (i) => pointAt(frame, layer.x[i], layer.y[i]));
  const [path, dots] = [new PathData(), new PathData()];
  for (const run of thinLine(runs, frame.width, detail.points)) {
    const first = run[0]!;
    if (run.length === 1) dots.dot(first.x, first.y);
    else path.moveTo(first.x, first.y);
    let before = first;
    for (const point of run.slice(1)) {
      if (layer.steps) path.lineTo(point.x, before.y);
      path.lineTo(point.x, point.y);
      before = point;
    }
  }
  return stroke(layer, path.text) + drawDots(layer, dots, LONELY_WIDTH);
}

function drawBand(layer: LayerOf<"band">, frame: Frame, detail: Detail): string {
  const runs = runsOf(layer.x, (i) => rangeAt(frame, layer.x[i], layer.low[i], layer.high[i]));
  const path = new PathData();
  for (const run of thinBand(runs, frame.width, detail.columns)) {
    const ranges = run.map(visible);
    const [first, last] = [ranges[0]!, ranges.at(-1)!];
    // What stands alone would have no width.
    const aside = ranges.length === 1 ? MIN_WIDTH / 2 : 0;
    path.moveTo(first.x - aside, first.top);
    for (const { x, top } of ranges.slice(1)) path.lineTo(x, top);
    if (aside > 0) path.lineTo(first.x + aside, first.top);
    path.lineTo(last.x + aside, last.bottom);
    for (const { x, bottom } of ranges.toReversed().slice(1)) path.lineTo(x, bottom);
    if (aside > 0) path.lineTo(first.x - aside, first.bottom);
    path.close(first.x - aside, first.top);
  }
  return fill(layer, path.text, "b");
}

/** A range that is at least as thick as a line. */
function visible({ x, top, bottom }: Range): Range {
  const lacking = Math.max(MIN_WIDTH - (bottom - top), 0) / 2;
  return { x, top: top - lacking, bottom: bottom + lacking };
}

function drawBars(layer: LayerOf<"bars">, frame: Frame, detail: Detail, alone: boolean): string {
  const base = Math.min(down(frame, Math.max(frame.y.min, 0)), frame.height);
  const path = new PathData();
  for (const { from, to, y } of barsOf(layer, frame, detail)) {
    const gap = alone && to - from >= MIN_BAR_WITH_GAP ? 1 : 0;
    // What is there can be seen, however little it is.
    const end = Math.abs(base - y) < 1 ? base - 1 : y;
    path.rectangle(from, Math.min(base, end), Math.max(to - from - gap, 1), Math.abs(base - end));
  }
  // One behind the other, bars are seen by their outlines.
  return alone ? fill(layer, path.text) : fill(layer, path.text, "b") + stroke(layer, path.text, 1);
}

interface Bar {
  from: number;
  to: number;
  y: number;
}

/** The bars that are not empty; of many in a column, the highest. */
function barsOf({ edges, values }: LayerOf<"bars">, frame: Frame, { columns }: Detail): Bar[] {
  const bars: Bar[] = [];
  const least = frame.width / columns;
  for (const [i, value] of values.entries()) {
    const [low, high] = [edges[i], edges[i + 1]];
    if (!isDrawable(value, frame.y.kind) || value === 0) continue;
    if (!isDrawable(low, frame.x.kind) || !isDrawable(high, frame.x.kind)) continue;
    const bar = { from: across(frame, low), to: across(frame, high), y: down(frame, value) };
    const last = bars.at(-1);
    if (last === undefined || bar.to - last.from > least) bars.push(bar);
    else {
      last.to = bar.to;
      last.y = Math.min(last.y, bar.y);
    }
  }
  return bars;
}

function drawSpans(layer: LayerOf<"spans">, frame: Frame): string {
  const spans = mergedSpans(layer, frame);
  const isDense = spans.reduce((sum, [from, to]) => sum + to - from, 0) > frame.width * MAX_SOLID_SHARE;
  const [solid, pale] = [new PathData(), new PathData()];
  for (const [from, to] of spans) {
    const isPale = isDense || to - from > MAX_SOLID;
    (isPale ? pale : solid).rectangle(from, 0, to - from, frame.height);
    if (isDense || !isPale) continue;
    for (const edge of [from, to - 1]) solid.rectangle(edge, 0, 1, frame.height);
  }
  return fill(layer, pale.text, "b") + fill(layer, solid.text);
}

/** Spans that can be seen, in order; those that touch are one. */
function mergedSpans({ spans }: LayerOf<"spans">, frame: Frame): [from: number, to: number][] {
  const merged: [number, number][] = [];
  const drawn = spans
    .filter(([from, to]) => isDrawable(from, frame.x.kind) && isDrawable(to, frame.x.kind))
    .map(([from, to]) => [across(frame, from), across(frame, to)] as const)
    .filter(([from, to]) => to >= 0 && from <= frame.width)
    .sort(([a], [b]) => a - b);
  for (const [start, end] of drawn) {
    const lacking = Math.max(MIN_WIDTH - (end - start), 0) / 2;
    const [from, to] = [start - lacking, end + lacking];
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 0.1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

function drawPoints(layer: LayerOf<"points">, frame: Frame, detail: Detail): string {
  const [dots, intervals] = [new PathData(), new PathData()];
  const seen = new Set<string>();
  // Of points that cover each other, one is drawn; the more there are, the sooner.
  const grid = Math.max(1, Math.sqrt((frame.width * frame.height) / detail.points / 4));
  for (const [i, x] of layer.x.entries()) {
    const point = pointAt(frame, x, layer.y[i]);
    const range = rangeAt(frame, x, layer.low?.[i], layer.high?.[i]);
    if (point === null) continue;
    if (layer.x.length > detail.points) {
      const cell = `${Math.round(point.x / grid)} ${Math.round(point.y / grid)}`;
      if (seen.has(cell)) continue;
      seen.add(cell);
    }
    dots.dot(point.x, point.y);
    if (range !== null) intervals.moveTo(range.x, range.top).lineTo(range.x, range.bottom);
  }
  return stroke(layer, intervals.text) + drawDots(layer, dots, DOT_WIDTH);
}

/** Strokes of no length with round ends. */
function drawDots({ colour }: { colour: number }, { text }: PathData, width: number): string {
  return text === "" ? "" : `<path class="l ${colourName(colour)}" stroke-width="${width}" d="${text}"/>`;
}

/** What is there at each x, cut where there is nothing. */
function runsOf<P>(x: number[], at: (index: number) => P | null): Runs<P> {
  const runs: Runs<P> = [];
  let isBroken = true;
  for (const i of x.keys()) {
    const point = at(i);
    if (point !== null) {
      if (isBroken) runs.push([]);
      runs.at(-1)!.push(point);
    }
    isBroken = point === null;
  }
  return runs;
}

function pointAt(frame: Frame, x: Value | undefined, y: Value | undefined): Point | null {
  if (!isDrawable(x, frame.x.kind) || !isDrawable(y, frame.y.kind)) return null;
  return { x: across(frame, x), y: down(frame, y) };
}

function rangeAt(
  frame: Frame,
  x: Value | undefined,
  low: Value | undefined,
  high: Value | undefined,
): Range | null {
  const [bottom, top] = [pointAt(frame, x, low), pointAt(frame, x, high)];
  if (bottom === null || top === null) return null;
  return { x: top.x, top: Math.min(top.y, bottom.y), bottom: Math.max(top.y, bottom.y) };
}
