import { colourName, shadesOf } from "../browser/shades.ts";
import { markup } from "../markup.ts";
import type { Layer, Plot } from "../model.ts";
import { labelOf } from "./labels.ts";
import { dashes } from "./layers.ts";
import { cutText, textWidth } from "./letters.ts";
import { coordinate } from "./path.ts";

const SWATCH = 18;
/** Between a swatch and its name, and between entries. */
const GAP = 6;
const BETWEEN = 18;

/** An entry of a legend, at its place once it has one. */
interface Entry {
  name: string;
  width: number;
  /** Its swatch, around a line through its middle. */
  swatch: (x: number, y: number) => string;
}

/** What the colours of a chart mean. */
export interface Legend {
  rows: number;
  /** @param top of its first row. */
  draw(left: number, top: number): string;
}

/**
 * The legend of a chart, none for a single layer that is no heat map.
 *
 * @param width of the room; what does not fit beside each other is put into rows.
 */
export function legendOf({ layers }: Plot, width: number, font: number, rowHeight: number): Legend {
  const entries = layers.flatMap((layer) =>
    layer.kind === "heat"
      ? heatEntries(layer, font, width)
      : layers.length > 1
      ? [entryOf(layer, font, width)]
      : []
  );
  const rows: { x: number; entry: Entry }[][] = [];
  let end = Infinity;
  for (const entry of entries) {
    if (end + BETWEEN + entry.width > width) {
      rows.push([]);
      end = -BETWEEN;
    }
    rows.at(-1)!.push({ x: end + BETWEEN, entry });
    end += BETWEEN + entry.width;
  }
  return {
    rows: rows.length,
    draw: (left, top) =>
      rows.map((row, i) =>
        row.map(({ x, entry }) => drawEntry(entry, left + x, top + (i + 0.5) * rowHeight, font)).join("")
      ).join(""),
  };
}

function drawEntry({ name, swatch }: Entry, x: number, y: number, font: number): string {
  return swatch(x, y) + (name === "" ? "" : textAt(name, x + SWATCH + GAP, y, font));
}

function textAt(text: string, x: number, y: number, font: number): string {
  return `<text class="f ink" x="${coordinate(x)}" y="${coordinate(y + font * 0.35)}">${markup(text)}</text>`;
}

function entryOf(layer: Exclude<Layer, { kind: "heat" }>, font: number, width: number): Entry {
  const name = cutText(layer.name, width - SWATCH - GAP, font);
  return { name, width: SWATCH + GAP + textWidth(name, font), swatch: (x, y) => swatchOf(layer, x, y) };
}

function swatchOf({ kind, colour }: Exclude<Layer, { kind: "heat" }>, x: number, y: number): string {
  const its = colourName(colour);
  switch (kind) {
    case "line":
      return `<path class="l ${its}" stroke-width="2.5"${dashes(colour)} d="m${coordinate(x)} ${
        coordinate(y)
      }h${SWATCH}"/>`;
    case "points":
      return `<path class="l ${its}" stroke-width="6" d="m${coordinate(x + SWATCH / 2)} ${
        coordinate(y)
      }h0"/>`;
    case "band":
      return box(`b ${its}`, x, y, SWATCH, 10);
    case "bars":
      return box(`f ${its}`, x, y, SWATCH, 10);
    case "spans":
      return box(`f ${its}`, x + SWATCH / 2 - 1, y, 2, 14);
  }
}

function box(classes: string, x: number, y: number, width: number, height: number): string {
  return `<rect class="${classes}" x="${coordinate(x)}" y="${
    coordinate(y - height / 2)
  }" width="${width}" height="${height}"/>`;
}

/** The layer's name, and a swatch for each shade with the least count that has it. */
function heatEntries(heat: Extract<Layer, { kind: "heat" }>, font: number, width: number): Entry[] {
  const shades = shadesOf(heat);
  const areAll = shades.every(({ least }, i) => least === i + 1);
  const entries = shades.map((shade): Entry => {
    const name = labelOf(shade.least, "count") + (areAll ? "" : "+");
    return {
      name,
      width: SWATCH + GAP + textWidth(name, font),
      swatch: (x, y) => box(`f ${shade.class}`, x, y, SWATCH, 12),
    };
  });
  if (entries.length === 0) return [];
  // The name stands where a swatch would.
  const name = cutText(heat.name, width, font);
  const title: Entry = {
    name: "",
    width: textWidth(name, font),
    swatch: (x, y) => textAt(name, x, y, font),
  };
  return [title, ...entries];
}
