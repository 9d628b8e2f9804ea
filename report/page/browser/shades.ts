import type { Layer } from "../model.ts";

/** A shade, and the least count that has it. */
export interface Shade {
  least: number;
  class: string;
}

/** The shades of a heat map's counts, `h0` to `h7`, from few to many; each but the first begins where the one before ends. */
export function shadesOf({ counts }: Extract<Layer, { kind: "heat" }>): Shade[] {
  const shades = 8;
  const most = counts.reduce((most, row) => row.reduce((a, b) => b > a && b < Infinity ? b : a, most), 0);
  const leasts = [[1, 2, 3, 4, 5, 6, 7, 8], seriesOf([1, 2, 5]), seriesOf([1, 3]), seriesOf([1])]
    .map((it) => it.filter((least) => least <= most))
    .find((it, i) => it.length <= shades && (i > 0 || most <= shades));
  return (leasts ?? seriesOf([1]).slice(0, shades)).map((least, i, { length }) => ({
    least,
    class: `h${length === 1 ? shades - 1 : Math.round(i * (shades - 1) / (length - 1))}`,
  }));
}

function seriesOf(digits: number[]): number[] {
  return Array.from({ length: 10 }, (_, exponent) => digits.map((it) => it * 10 ** exponent)).flat();
}

/** The class of a layer's colour, and the custom property that it has: there are eight, which come round again. */
export function colourName(colour: number): string {
  if (colour < 0) return colour < -1 ? "ink" : "loss";
  return `c${Math.trunc(colour) % 8}`;
}

/** What the page gets of this file: all of it. */
export const SHADES = [shadesOf, seriesOf, colourName];
