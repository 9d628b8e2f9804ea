/**
 * A chart as inline SVG, without a script. It is drawn twice, for wide and for narrow screens; a page's style shows one:
 *
 *     svg.plot             both; they ask for width: 100% and height: auto
 *     svg.wide             960 units across; its text is legible from 700 px on
 *     svg.narrow           360 units across
 *     .c0 … .c7, .loss     a colour of the palette      .ink, .muted, .grid   text, lesser text, lines of the grid
 *     .h0 … .h7            the shades of a heat map, from few to many
 *     .l                   that colour as stroke, no fill
 *     .f                   that colour as fill, no stroke
 *     .b                   that colour as a pale fill, no stroke
 *
 * Nothing has a style attribute, which a page's Content-Security-Policy forbids, or an id.
 */
import { escapeText } from "../../../failure.ts";
import { markup } from "../markup.ts";
import type { Axis, Plot, Quantity } from "../model.ts";
import { extentOf } from "./extent.ts";
import type { Frame } from "./frame.ts";
import { isClock } from "./labels.ts";
import { type Detail, drawLayer } from "./layers.ts";
import { legendOf } from "./legend.ts";
import { textWidth, wrapText } from "./letters.ts";
import { coordinate, PathData } from "./path.ts";
import { Scale, scaleOf } from "./scale.ts";
import { type Tick, ticksOf } from "./ticks.ts";

/** How a variant is laid out, in units of its viewBox. */
interface Layout {
  name: "wide" | "narrow";
  width: number;
  /** Of the area with the values. */
  height: number;
  font: number;
  detail: Detail;
}

const LAYOUTS: Layout[] = [
  {
    ...{ name: "wide", width: 960, height: 240, font: 13 },
    detail: { points: 1200, columns: 440, rows: 48 },
  },
  {
    ...{ name: "narrow", width: 360, height: 190, font: 12 },
    detail: { points: 320, columns: 150, rows: 32 },
  },
];

/** Between text and what stands beside it. */
const GAP = 6;
/** The area's data may be drawn this far beyond it, so that a line on its edge is not cut in half. */
const OVERHANG = 3;
const ROW = 20;
const MAX_X_TICKS = 11;

/** A chart as two SVG elements, of which a page shows the one that fits. */
export function drawPlot(plot: Plot): string {
  const shown = withShownText(plot);
  return LAYOUTS.map((layout) => draw(shown, layout)).join("\n");
}

/** A chart whose text is as long as it will be when it is shown, so that room can be made for it. */
function withShownText({ x, y, ...plot }: Plot): Plot {
  return {
    ...plot,
    title: escapeText(plot.title),
    x: { ...x, label: escapeText(x.label) },
    y: { ...y, label: escapeText(y.label) },
    layers: plot.layers.map((layer) => ({ ...layer, name: escapeText(layer.name) })),
  };
}

function draw(plot: Plot, layout: Layout): string {
  const { name, width, height, font } = layout;
  const frame = frameOf(plot);
  const yTicks = frame === null || frame.isBare ? [] : verticalTicks(frame.y, plot.y, layout);
  const left = Math.ceil(Math.max(...yTicks.map(({ label }) => textWidth(label, font)), 0)) + GAP + 2;
  const area: Area = { left, top: 0, width: width - left - 2 * GAP, height };
  const header = drawHeader(plot, layout);
  area.top = header.height;
  const drawn = frame === null
    ? emptyArea(area, layout)
    : drawArea(plot, { ...frame, width: area.width, height }, area, yTicks, layout);
  const total = area.top + height + 2 * ROW + 4;
  return `<svg class="plot ${name}" viewBox="0 0 ${width} ${
    coordinate(total)
  }" role="img" font-size="${font}" ` +
    `stroke-linejoin="round" stroke-linecap="round">` +
    `<title>${markup(plot.title)}</title><desc>${markup(plot.description)}</desc>` +
    `${header.drawn}${drawn}</svg>`;
}

/** Where the values are drawn within the SVG. */
interface Area {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** The scales of a chart; null if it has no values. */
function frameOf({ x, y, layers }: Plot): Pick<Frame, "x" | "y"> & { isBare: boolean } | null {
  const { isEmpty, ...values } = extentOf(layers, x, y);
  const [across, up] = [scaleOf(x, values.x), scaleOf(y, values.y, values)];
  // Spans need no height.
  return across === null || isEmpty
    ? null
    : { x: across, y: up ?? new Scale("linear", 0, 1), isBare: up === null };
}

/** Legend, and the name of the y axis: the title is the page's. */
function drawHeader(plot: Plot, layout: Layout): { drawn: string; height: number } {
  const { width, font } = layout;
  const legend = legendOf(plot, width - 2, font, ROW);
  const drawn = [legend.draw(0, 0)];
  let height = legend.rows * ROW;
  if (plot.y.label !== "") {
    const [label = ""] = wrapText(plot.y.label, width - 2, font, 1);
    drawn.push(`<text class="f muted" x="0" y="${coordinate(height + font + 1)}">${markup(label)}</text>`);
    height += ROW;
  }
  return { drawn: drawn.join(""), height: height + GAP };
}

function emptyArea(area: Area, { font }: Layout): string {
  const { left, top, width, height } = area;
  return `<rect class="l grid" x="${left}" y="${coordinate(top)}" width="${
    coordinate(width)
  }" height="${height}"/>` +
    `<text class="f muted" text-anchor="middle" x="${coordinate(left + width / 2)}" y="${
      coordinate(top + height / 2 + font * 0.35)
    }">no data</text>`;
}

function drawArea(plot: Plot, frame: Frame, area: Area, yTicks: Tick[], layout: Layout): string {
  const { width, height } = frame;
  const xTicks = horizontalTicks(frame.x, plot.x.quantity, area, layout);
  const grid = new PathData();
  for (const { at } of yTicks) grid.moveTo(0, (1 - at) * height).lineTo(width, (1 - at) * height);
  const axis = new PathData().moveTo(0, height).lineTo(width, height);
  for (const { at } of xTicks) axis.moveTo(at * width, height).lineTo(at * width, height + 4);
  const bars = plot.layers.filter(({ kind }) => kind === "bars").length;
  const layers = plot.layers.map((layer) => drawLayer(layer, frame, layout.detail, bars === 1)).join("");
  const clip = [-OVERHANG, -OVERHANG, width + 2 * OVERHANG, height + 2 * OVERHANG].map(coordinate);
  return `<g transform="translate(${coordinate(area.left)} ${coordinate(area.top)})">` +
    `<path class="l grid" d="${grid.text}"/>` +
    `<svg x="${clip[0]}" y="${clip[1]}" width="${clip[2]}" height="${clip[3]}" viewBox="${clip.join(" ")}">` +
    `${layers}</svg>` +
    `<path class="l muted" d="${axis.text}"/></g>` +
    drawLabels(plot, frame, area, { xTicks, yTicks }, layout);
}

function drawLabels(
  plot: Plot,
  frame: Frame,
  area: Area,
  { xTicks, yTicks }: Record<"xTicks" | "yTicks", Tick[]>,
  layout: Layout,
): string {
  const { font, width } = layout;
  const bottom = area.top + area.height;
  const up = yTicks.map(({ at, label }) =>
    text(label, area.left - GAP, area.top + (1 - at) * area.height + font * 0.35)
  );
  const across = xTicks.map((tick) => text(tick.label, middleOf(tick, area, layout), bottom + 4 + font));
  const hint = isClock(frame.x, plot.x.quantity) ? " (h:min:s)" : "";
  const [label = ""] = wrapText(`${plot.x.label}${hint}`, width - 2, font, 1);
  // Under the middle of the area if there is room.
  const half = textWidth(label, font) / 2;
  const middle = Math.min(Math.max(area.left + area.width / 2, half), width - half);
  return `<g class="f muted" text-anchor="end">${up.join("")}</g>` +
    `<g class="f muted" text-anchor="middle">${across.join("")}${
      label === "" ? "" : text(label, middle, bottom + ROW + 4 + font)
    }</g>`;
}

function text(label: string, x: number, y: number): string {
  return `<text x="${coordinate(x)}" y="${coordinate(y)}">${markup(label)}</text>`;
}

function verticalTicks(scale: Scale, { quantity }: Axis, { height, font }: Layout): Tick[] {
  const least = font * 1.6 / height;
  return ticksOf(
    scale,
    quantity,
    Math.floor(height / 32),
    (ticks) => ticks.every(({ at }, i) => i === 0 || Math.abs(at - ticks[i - 1]!.at) >= least),
  );
}

function horizontalTicks(scale: Scale, quantity: Quantity, area: Area, layout: Layout): Tick[] {
  const fits = (ticks: Tick[]) => {
    let end = -Infinity;
    return ticks.every((tick) => {
      const half = textWidth(tick.label, layout.font) / 2;
      const middle = middleOf(tick, area, layout);
      const isFree = middle - half > end + layout.font;
      end = middle + half;
      return isFree;
    });
  };
  return ticksOf(scale, quantity, Math.min(Math.floor(area.width / 50), MAX_X_TICKS), fits);
}

/** Where a label is centred: under its tick, or as near as it is within the SVG. */
function middleOf({ at, label }: Tick, area: Area, { width, font }: Layout): number {
  const half = textWidth(label, font) / 2;
  return Math.min(Math.max(area.left + at * area.width, half), width - half);
}
