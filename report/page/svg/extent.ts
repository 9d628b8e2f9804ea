import type { Axis, Layer, Value } from "../model.ts";
import { isDrawable, kindOf } from "./scale.ts";

/** The values that the axes of a chart are to hold. */
export interface Extent {
  x: number[];
  y: number[];
  /** Whether the y axis is to begin at 0: lengths are compared, or what is counted can be none. */
  zero: boolean;
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
    isEmpty: found.x.length === 0 || layers.every(isEmptyLayer),
  };
}

function isEmptyLayer(layer: Layer): boolean {
  switch (layer.kind) {
    case "spans":
      return layer.spans.length === 0;
    case "bars":
      return layer.values.length === 0;
    case "heat":
      return layer.counts.every((row) => row.every((count) => !(count > 0)));
    case "band":
      return layer.low.every((it) => it === null) || layer.high.every((it) => it === null);
    default:
      return layer.y.every((it) => it === null);
  }
}
