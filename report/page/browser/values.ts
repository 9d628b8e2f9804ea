import type { Axis, Layer, Plot } from "../model.ts";
import { labelOf, placeOf, valueAt } from "./axes.ts";

/** A chart whose values on its axes are the places at which they are drawn. */
export function placed(plot: Plot): Plot {
  const across = (values: number[]) => values.map((it) => placeOf(plot.x.quantity, it));
  const layers = plot.layers.map((layer): Layer => {
    switch (layer.kind) {
      case "bars":
        return { ...layer, edges: across(layer.edges) };
      case "spans":
        return { ...layer, spans: layer.spans.map(([from, to]) => [across([from])[0]!, across([to])[0]!]) };
      case "heat":
        return { ...layer, xEdges: across(layer.xEdges) };
      default:
        return { ...layer, x: across(layer.x) };
    }
  });
  return { ...plot, layers };
}

/** From the first to the last place of an axis x; null if there is none. */
export function acrossOf({ x, layers }: Plot): [from: number, to: number] | null {
  let [from, to] = [Infinity, -Infinity];
  for (const layer of layers) {
    const places = layer.kind === "bars"
      ? layer.edges
      : layer.kind === "spans"
      ? layer.spans.flat()
      : layer.kind === "heat"
      ? layer.xEdges
      : layer.x;
    for (const place of places) {
      if (!Number.isFinite(place) || (x.scale === "log" && place <= 0)) continue;
      from = Math.min(from, place);
      to = Math.max(to, place);
    }
  }
  if (x.min !== undefined) from = placeOf(x.quantity, x.min);
  if (x.max !== undefined) to = placeOf(x.quantity, x.max);
  if (!(from <= to)) return null;
  const room = from < to ? 0 : Math.abs(from) / 2 || 1;
  return [from - room, to + room];
}

/** What an axis y is to hold of the layers between two places of x. */
export function uprightOf(layers: Layer[], y: Axis, from: number, to: number): [low: number, high: number] {
  let [low, high] = [Infinity, -Infinity];
  const add = (value: number | null | undefined) => {
    if (value === null || value === undefined || (y.scale === "log" && value <= 0)) return;
    low = Math.min(low, value);
    high = Math.max(high, value);
  };
  for (const layer of layers) {
    if (layer.kind === "spans") continue;
    if (layer.kind === "heat") layer.yEdges.forEach(add);
    else if (layer.kind === "bars") {
      layer.values.forEach((it, i) => layer.edges[i]! <= to && layer.edges[i + 1]! >= from && add(it));
    } else {
      const { x } = layer;
      for (let i = 0; i < x.length; i++) {
        // A line may come from outside.
        if ((x[i + 1] ?? x[i]!) < from || (x[i - 1] ?? x[i]!) > to) continue;
        if (layer.kind !== "band") add(layer.y[i]);
        if (layer.kind !== "line") {
          add(layer.low?.[i]);
          add(layer.high?.[i]);
        }
      }
    }
  }
  const isCounted = ["rate", "count", "share"].includes(y.quantity) ||
    layers.some(({ kind }) => kind === "bars");
  return withRoom(y, low, high, isCounted);
}

function withRoom({ scale, min, max }: Axis, low: number, high: number, zero: boolean): [number, number] {
  if (low > high) [low, high] = scale === "log" ? [1, 10] : [0, 1];
  if (scale === "log") {
    const room = Math.max((high / low) ** 0.04, 1.05);
    return [min ?? low / room, max ?? high * room];
  }
  const fromZero = low >= 0 && (zero || low < high / 2);
  const toZero = high <= 0 && (zero || high > low / 2);
  const [bottom, top] = [fromZero ? 0 : low, toZero ? 0 : high];
  const room = (top - bottom) * 0.06 || Math.abs(top) / 2 || 1;
  return [min ?? (fromZero ? 0 : bottom - room), max ?? (toZero ? 0 : top + room)];
}

/** The last of rising numbers that is not above a value; -1 if all are. */
export function indexBelow(sorted: number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The place of the nearest point of a chart that has points, else the place itself, as it is on an axis of time. */
export function snapped({ x: { quantity }, layers }: Plot, x: number): number {
  if (quantity === "time") return x;
  const places = layers.flatMap((it) => it.kind === "points" ? it.x.filter((_, i) => it.y[i] !== null) : []);
  return places.reduce<number | undefined>(
    (best, it) => best === undefined || Math.abs(it - x) < Math.abs(best - x) ? it : best,
    undefined,
  ) ?? x;
}

/** A range in words, with its unit once if both ends have the same. */
export function rangeText(from: string, to: string): string {
  const unit = / \S+$/.exec(from)?.[0];
  return unit !== undefined && to.endsWith(unit)
    ? `${from.slice(0, -unit.length)} to ${to}`
    : `${from} to ${to}`;
}

/** `1 line`, `7 lines`; a rate or a share has no name of what is counted. */
export function amountText(value: number, quantity: Axis["quantity"]): string {
  const label = labelOf(value, quantity);
  return quantity !== "count" ? label : value === 1 ? `${label} line` : `${label} lines`;
}

/**
 * What a layer shows at a place, in words; empty if it shows nothing there.
 *
 * @param slack how far from the place it may be shown.
 */
export function reading(layer: Layer, { x, y }: Plot, at: { x: number; y: number }, slack: number): string {
  const label = (value: number) => labelOf(value, y.quantity);
  switch (layer.kind) {
    case "spans": {
      const span = layer.spans.find(([from, to]) => from - slack <= at.x && at.x <= to + slack);
      if (span === undefined) return "";
      const [from, to] = span.map((it) => labelOf(valueAt(x.quantity, it), x.quantity, { step: 0.01 }));
      return from === to ? `at ${from}` : rangeText(from!, to!);
    }
    case "bars": {
      const i = indexBelow(layer.edges, at.x);
      const value = layer.values[i];
      if (value === undefined) return "";
      const [from, to] = [layer.edges[i]!, layer.edges[i + 1]!].map((it) => labelOf(it, x.quantity));
      return `${amountText(value, y.quantity)}, ${rangeText(from!, to!)}`;
    }
    case "heat": {
      const [row, column] = [indexBelow(layer.yEdges, at.y), indexBelow(layer.xEdges, at.x)];
      const count = layer.counts[row]?.[column];
      if (count === undefined) return "";
      const [from, to] = [layer.yEdges[row]!, layer.yEdges[row + 1]!].map(label);
      return `${amountText(count, "count")}, ${rangeText(from!, to!)}`;
    }
  }
  const isStep = layer.kind === "line" && layer.steps === true;
  const isSnapped = layer.kind === "points" && x.quantity !== "time";
  const i = isSnapped ? layer.x.indexOf(at.x) : nearest(layer.x, at.x, slack, isStep);
  if (i < 0) return "";
  if (isInGap(layer, i, at.x, slack)) return "–";
  const value = layer.kind === "band" ? null : layer.y[i];
  const [low, high] = layer.kind === "line" ? [] : [layer.low?.[i], layer.high?.[i]];
  const range = typeof low === "number" && typeof high === "number" ? rangeText(label(low), label(high)) : "";
  if (typeof value !== "number") return layer.kind === "band" ? range : "";
  const name = layer.kind === "points" && layer.names !== undefined ? `${layer.names[i]}: ` : "";
  return range === "" ? name + label(value) : `${name}${label(value)} (${range})`;
}

/** Whether a layer is broken at a place, whose nearest value has this index. */
function isInGap(layer: Layer, i: number, x: number, slack: number): boolean {
  if (layer.kind !== "line" && layer.kind !== "band") return false;
  const values = layer.kind === "line" ? layer.y : layer.low;
  if (values[i] === null) return true;
  const isStep = layer.kind === "line" && layer.steps === true;
  const beyond = values[x > layer.x[i]! ? i + 1 : i - 1];
  return !isStep && beyond === null && Math.abs(x - layer.x[i]!) > slack;
}

/** The place that is next to a value, or before it; -1 if the value is outside of them all. */
function nearest(places: number[], value: number, slack: number, isStep: boolean): number {
  const before = indexBelow(places, value);
  const [left, right] = [places[before], places[before + 1]];
  if (left === undefined) return right !== undefined && right - value <= slack ? 0 : -1;
  if (right === undefined) return value - left <= slack ? before : -1;
  return isStep || value - left <= right - value ? before : before + 1;
}

/** What the page gets of this file: all of it. */
export const VALUES = [
  placed,
  acrossOf,
  uprightOf,
  withRoom,
  indexBelow,
  snapped,
  rangeText,
  amountText,
  reading,
  isInGap,
  nearest,
];
