import type { Axis, Layer, Value } from "../model.ts";
import { isDrawable, kindOf, type Scale } from "./scale.ts";

/** The values that the axes of a chart are to hold. */
export interface Extent {
  x: number[];
  y: number[];
  /** Whether the y axis is to begin at 0: lengths are compared, or what is counted can be none. */
  zero: boolean;
  /** Whether values are to keep some way from the ends of the y axis: all but the edges of cells. */
  room: boolean;
  /** Whether there is nothing to draw. */
  isEmpty: boolean;
}

/** What to hold of layers that are drawn on these axes. */
export function extentOf(layers: Layer[], x: Axis, y: Axis): Extent {
  const kinds = { x: kindOf(x), y: kindOf(y) };
  const found: Record<"x" | "y", number[]> = { x: [], y: [] };
  const add = (axis: "x" | "y", values: Value[] | undefined) => {
    for (const value of values ?? []) if (isDrawable(value, kinds[axis])) found[axis].push(value);
  };
  for (const layer of layers) {
    switch (layer.kind) {
      case "spans":
        add("x", layer.spans.flat());
        break;
      case "bars":
        add("x", layer.edges);
        add("y", layer.values);
        break;
      case "heat":
        add("x", layer.xEdges);
        add("y", layer.yEdges);
        break;
      default:
        add("x", layer.x);
        if (layer.kind !== "band") add("y", layer.y);
        if (layer.kind !== "line") {
          add("y", layer.low);
          add("y", layer.high);
        }
    }
  }
  const isCounted = ["rate", "count", "share"].includes(y.quantity);
  return {
    ...found,
    zero: isCounted || layers.some(({ kind }) => kind === "bars"),
    room: layers.every(({ kind }) => kind !== "heat"),
    isEmpty: found.x.length === 0 || layers.every((it) => isEmptyLayer(it, kinds)),
  };
}

/** Whether a layer shows nothing on axes of these kinds. */
function isEmptyLayer(layer: Layer, kinds: Record<"x" | "y", Scale["kind"]>): boolean {
  const isIn = (axis: "x" | "y", value: Value | undefined) => isDrawable(value, kinds[axis]);
  switch (layer.kind) {
    case "spans":
      return !layer.spans.flat().some((it) => isIn("x", it));
    case "bars":
      return !layer.values.some((it, i) => isIn("y", it) && isIn("x", layer.edges[i + 1]));
    case "heat":
      return !layer.counts.some((row) => row.some((count) => count > 0));
    case "band":
      return !layer.x.some((it, i) => isIn("x", it) && isIn("y", layer.low[i]) && isIn("y", layer.high[i]));
    default:
      return !layer.x.some((it, i) => isIn("x", it) && isIn("y", layer.y[i]));
  }
}
