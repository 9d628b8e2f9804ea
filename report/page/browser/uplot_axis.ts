/// <reference lib="dom" />
import type UPlot from "uplot";
import type { Axis } from "../model.ts";
import { labelsOf, ticksOf } from "./axes.ts";

/** uPlot's options for an axis. */
export function uplotAxis(axis: Axis, name: "x" | "y"): UPlot.Axis {
  const font = "12px system-ui, sans-serif";
  const muted = () => propertyOf("muted");
  const line = { show: true, stroke: muted, width: 1 };
  const values = (_: UPlot, places: number[]) => labelsOf(axis, places);
  const common = { scale: name, stroke: muted, font, values, filter: (_: UPlot, places: number[]) => places };
  if (name === "y") {
    return {
      ...{ ...common, size: innerWidth < 700 ? 58 : 70, gap: 6, ticks: { show: false } },
      grid: { stroke: () => propertyOf("grid"), width: 1 },
      splits: ({ height }, _, min, max) => ticksOf(axis, min, max, Math.max(Math.floor(height / 45), 2)),
    };
  }
  return {
    ...{ ...common, size: 28, gap: 3, grid: { show: false }, border: line, ticks: { ...line, size: 4 } },
    ...{ label: axis.label, labelFont: font, labelSize: 20, labelGap: 0 },
    splits: (it, _, min, max) => {
      for (let most = Math.max(Math.floor(it.width / 60), 2); most > 1; most--) {
        const places = ticksOf(axis, min, max, most);
        if (haveRoom(it, places, labelsOf(axis, places), font)) return places;
      }
      return ticksOf(axis, min, max, 1).slice(0, 1);
    },
  };
}

/** Whether labels centred under their places leave room between each other. */
function haveRoom(it: UPlot, places: number[], labels: string[], font: string): boolean {
  const { ctx } = it;
  ctx.save();
  ctx.font = font;
  let end = -Infinity;
  const isFree = places.every((place, i) => {
    const half = ctx.measureText(labels[i]!).width / 2;
    const middle = it.valToPos(place, "x");
    const fits = middle - half >= end + 12;
    end = middle + half;
    return fits;
  });
  ctx.restore();
  return isFree;
}

/** uPlot's number for a scale. */
export function distributionOf({ scale, quantity }: Axis): 1 | 3 {
  return scale === "log" && quantity !== "quantile" ? 3 : 1;
}

/** The value of a custom property of the page's style. */
export function propertyOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** What the page gets of this file: all of it. */
export const UPLOT_AXIS = [uplotAxis, haveRoom, distributionOf, propertyOf];
