import type { Scale } from "./scale.ts";

/** Where values are drawn: an area of this size with its origin at the upper left. */
export interface Frame {
  width: number;
  height: number;
  x: Scale;
  y: Scale;
}

/** Across, from the left edge. */
export function across({ x, width }: Frame, value: number): number {
  return x.at(value) * width;
}

/** Down, from the upper edge. */
export function down({ y, height }: Frame, value: number): number {
  return (1 - y.at(value)) * height;
}
