/** The charts of a report, read back from their SVG. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { Layer, Plot, Quantity } from "../report/page/model.ts";
import { drawPlot } from "../report/page/svg/plot.ts";
import { test } from "./harness.ts";
import { type Element, everyElement, readElements, readPath, type Subpath } from "./svg_reader.ts";

/** How far from its place a rounded coordinate may be. */
const ROUNDING = 0.11;

function plotOf(layers: Layer[], axes: { x?: Partial<Plot["x"]>; y?: Partial<Plot["y"]> } = {}): Plot {
  return {
    title: "A chart",
    description: "What it shows.",
    x: { label: "time since start", quantity: "time", ...axes.x },
    y: { label: "round trip", quantity: "duration", ...axes.y },
    layers,
  };
}

/** One variant of a chart, read back. */
class Drawing {
  readonly root: Element;
  readonly #area: Element | undefined;
  readonly width: number;
  readonly height: number;
  /** Where the area's origin is. */
  readonly left: number;
  readonly top: number;

  constructor(plot: Plot, variant: "wide" | "narrow" = "wide") {
    const drawn = readElements(drawPlot(plot));
    assertEquals(drawn.map((it) => it.attributes.class), ["plot wide", "plot narrow"]);
    this.root = drawn[variant === "wide" ? 0 : 1]!;
    const group = this.root.children.find((it) => it.attributes.transform !== undefined);
    this.#area = group?.children.find(({ name }) => name === "svg");
    const [x = 0, , width = 0, height = 0] = this.#area?.attributes.viewBox?.split(" ").map(Number) ?? [];
    [this.width, this.height] = [width + 2 * x, height + 2 * x];
    const [left = 0, top = 0] = group?.attributes.transform?.match(/[\d.]+/g)?.map(Number) ?? [];
    [this.left, this.top] = [left, top];
  }

  /** The elements that show values, of some class. */
  shapes(...classes: string[]): Element[] {
    return [...everyElement(this.#area?.children ?? [])].filter((it) =>
      classes.every((name) => it.attributes.class?.split(" ").includes(name))
    );
  }

  /** The subpaths of the shapes of some class, as shares of the area: from the left, and from the bottom. */
  subpaths(...classes: string[]): Subpath[] {
    return this.shapes(...classes).flatMap(({ attributes }) => readPath(attributes.d!)).map((points) =>
      points.map(([x, y]) => [x / this.width, 1 - y / this.height])
    );
  }

  texts(): string[] {
    return [...everyElement(this.root.children)].filter(({ name }) => name === "text").map(({ text }) =>
      text
    );
  }

  /** The labels of ticks, by the axis. */
  ticks(axis: "x" | "y"): string[] {
    const anchor = axis === "y" ? "end" : "middle";
    const group = this.root.children.find(({ name, attributes }) =>
      name === "g" && attributes["text-anchor"] === anchor
    );
    const labels = group?.children.map(({ text }) => text) ?? [];
    return axis === "y" ? labels : labels.slice(0, -1);
  }

  /** Where the label of a tick stands, as a share of the area. */
  tickAt(label: string): number {
    const { attributes } = [...everyElement(this.root.children)].find(({ text }) => text === label)!;
    return (Number(attributes.x) - this.left) / this.width;
  }
}

function assertNear(actual: Subpath, expected: Subpath, drawing: Drawing) {
  assertEquals(actual.length, expected.length);
  for (const [i, [x, y]] of actual.entries()) {
    assertAlmostEquals(x, expected[i]![0], ROUNDING / drawing.width);
    assertAlmostEquals(y, expected[i]![1], ROUNDING / drawing.height);
  }
}

const line = (x: number[], y: (number | null)[], more: { steps?: boolean; colour?: number } = {}): Layer => ({
  kind: "line",
  name: "line",
  colour: 0,
  x,
  y,
  ...more,
});

test("a line goes through its values, and stops where there is none", () => {
  const plot = plotOf([line([0, 10, 20, 30, 40, 100], [0, 5, null, 2, null, 10])], {
    y: { min: 0, max: 10 },
  });
  for (const variant of ["wide", "narrow"] as const) {
    const drawing = new Drawing(plot, variant);
    const [first, ...lonely] = drawing.subpaths("l", "c0");
    assertNear(first!, [[0, 0], [0.1, 0.5]], drawing);
    assertNear(lonely[0]!, [[0.3, 0.2], [0.3, 0.2]], drawing);
    assertNear(lonely[1]!, [[1, 1], [1, 1]], drawing);
    assertEquals(lonely.length, 2);
    assertAlmostEquals(drawing.tickAt("60 s"), 0.6, 0.001);
  }
});

test("a gap that can be seen is kept, however many values a line has", () => {
  const x = Array.from({ length: 3600 }, (_, i) => i);
  const y = x.map((it) => it > 1800 && it < 1830 ? null : it % 7);
  for (const variant of ["wide", "narrow"] as const) {
    assertEquals(new Drawing(plotOf([line(x, y)]), variant).subpaths("c0").length, 2, variant);
  }
});

test("a line of steps holds each value until the next", () => {
  const drawing = new Drawing(
    plotOf([line([0, 50, 100], [5, 10, 0], { steps: true })], { y: { min: 0, max: 10 } }),
  );
  const [steps] = drawing.subpaths("l", "c0");
  assertNear(steps!, [[0, 0.5], [0.5, 0.5], [0.5, 1], [1, 1], [1, 0]], drawing);
});

test("a logarithmic axis gives each factor the same length", () => {
  const axes = { x: { min: 0, max: 3 }, y: { scale: "log" as const, min: 0.1, max: 100 } };
  const drawing = new Drawing(plotOf([line([0, 1, 2, 3], [0.1, 1, 10, 0])], axes));
  const [points] = drawing.subpaths("l", "c0");
  assertNear(points!, [[0, 0], [1 / 3, 1 / 3], [2 / 3, 2 / 3], [1, 0]], drawing);
  assertEquals(drawing.ticks("y"), ["100 µs", "300 µs", "1 ms", "3 ms", "10 ms", "30 ms", "100 ms"]);
});

test("an axis of quantiles gives each nine the same length", () => {
  const drawing = new Drawing(plotOf([line([0, 0.9, 0.99, 0.999, 1], [0, 1, 2, 3, 4])], {
    x: { quantity: "quantile" },
    y: { min: 0, max: 3 },
  }));
  const [points] = drawing.subpaths("l", "c0");
  assertNear(points!, [[0, 0], [1 / 3, 1 / 3], [2 / 3, 2 / 3], [1, 1]], drawing);
  assertEquals(drawing.ticks("x"), ["0%", "50%", "75%", "90%", "95%", "99%", "99.5%", "99.9%"]);
});

test("a band covers what lies between its ends, and is never too thin to see", () => {
  const drawing = new Drawing(plotOf([
    { kind: "band", name: "bound", colour: 3, x: [0, 1, 2, 3], low: [2, 2, null, 5], high: [4, 6, 7, 5] },
  ], { y: { min: 0, max: 10 } }));
  const [wide, single] = drawing.subpaths("b", "c3");
  assertNear(wide!, [[0, 0.4], [1 / 3, 0.6], [1 / 3, 0.2], [0, 0.2], [0, 0.4]], drawing);
  const [xs, ys] = [single!.map(([x]) => x * drawing.width), single!.map(([, y]) => y * drawing.height)];
  assert(Math.max(...xs) - Math.min(...xs) >= 1 && Math.max(...ys) - Math.min(...ys) >= 1);
});

test("bars stand on 0, and a small one can be seen", () => {
  const drawing = new Drawing(plotOf([
    { kind: "bars", name: "lines", colour: 2, edges: [0, 1, 2, 3, 4], values: [1000, 0, 500, 1] },
  ], { x: { quantity: "duration" }, y: { quantity: "count", max: 1000 } }));
  const bars = drawing.subpaths("f", "c2").map((points) => ({
    from: Math.min(...points.map(([x]) => x)),
    to: Math.max(...points.map(([x]) => x)),
    foot: Math.min(...points.map(([, y]) => y)),
    head: Math.max(...points.map(([, y]) => y)),
  }));
  assertEquals(bars.length, 3);
  for (const [i, from, head] of [[0, 0, 1], [1, 0.5, 0.5]] as const) {
    assertAlmostEquals(bars[i]!.from, from, 0.001);
    assertAlmostEquals(bars[i]!.to, from + 0.25, 0.002);
    assertAlmostEquals(bars[i]!.foot, 0, 0.001);
    assertAlmostEquals(bars[i]!.head, head, 0.001);
  }
  assert(bars[2]!.head * drawing.height >= 0.9, "one of a thousand can be seen");
});

test("every lost line is a stroke of at least a pixel, a long loss a span", () => {
  const plot = plotOf([
    { kind: "spans", name: "lost", colour: -1, spans: [[60, 80], [10, 10], [30, 30]] },
    line([0, 100], [1, 2]),
  ]);
  for (const variant of ["wide", "narrow"] as const) {
    const drawing = new Drawing(plot, variant);
    const spans = drawing.subpaths("f", "loss").map((points) => points.map(([x]) => x * drawing.width));
    for (const at of [10, 30]) {
      const place = at / 100 * drawing.width;
      const its = spans.filter((xs) => Math.min(...xs) <= place && Math.max(...xs) >= place);
      assertEquals(its.length, 1, `a stroke at ${at} s`);
      assert(Math.max(...its[0]!) - Math.min(...its[0]!) >= 1);
    }
    const [pale] = drawing.subpaths("b", "loss");
    assertAlmostEquals(Math.min(...pale!.map(([x]) => x)), 0.6, 0.001);
    assertAlmostEquals(Math.max(...pale!.map(([x]) => x)), 0.8, 0.001);
  }
});

test("lost lines are shown where nothing was received", () => {
  const drawing = new Drawing(plotOf([
    line([0, 10], [null, null]),
    { kind: "spans", name: "lost", colour: -1, spans: [[0, 10]] },
  ]));
  assertEquals(drawing.subpaths("loss").length, 1);
  assertEquals([drawing.ticks("y"), drawing.ticks("x").at(-1)], [[], "10 s"]);
});

test("a heat map has a shade for each step of its counts, and says which", () => {
  const counts = [[1, 0, 3], [20, 400, 400]];
  const drawing = new Drawing(plotOf([
    { kind: "heat", name: "lines", xEdges: [0, 1, 2, 3], yEdges: [1, 10, 100], counts },
  ], { y: { scale: "log" } }));
  const legend = [...everyElement(drawing.root.children)].filter(({ name }) => name === "rect");
  assertEquals(legend.map((it) => it.attributes.class), Array.from({ length: 8 }, (_, i) => `f h${i}`));
  const steps = [1, 2, 5, 10, 20, 50, 100, 200];
  assertEquals(drawing.texts().slice(0, 9), ["lines", ...steps.map((it) => `${it}+`)]);
  const cells = Object.fromEntries(["h0", "h1", "h4", "h7"].map((shade) => [shade, drawing.subpaths(shade)]));
  assertNear(cells.h0![0]!, [[0, 0.25], [1 / 3, 0.25]], drawing);
  assertNear(cells.h1![0]!, [[2 / 3, 0.25], [1, 0.25]], drawing);
  assertNear(cells.h4![0]!, [[0, 0.75], [1 / 3, 0.75]], drawing);
  assertNear(cells.h7![0]!, [[1 / 3, 0.75], [1, 0.75]], drawing);
  for (const { attributes } of drawing.shapes("l")) {
    assertAlmostEquals(Number(attributes["stroke-width"]), drawing.height / 2, 0.1);
  }
});

test("a heat map of few counts has a shade for each", () => {
  const heat: Layer = { kind: "heat", name: "lines", xEdges: [0, 1, 2], yEdges: [0, 1], counts: [[1, 3]] };
  assertEquals(new Drawing(plotOf([heat])).texts().slice(0, 4), ["lines", "1", "2", "3"]);
});

test("points stand in their intervals", () => {
  const drawing = new Drawing(plotOf([
    { kind: "points", name: "trials", colour: 1, x: [0, 1], y: [5, 2], low: [4, null], high: [8, 9] },
  ], { y: { min: 0, max: 10 } }));
  const [interval, ...dots] = drawing.subpaths("l", "c1");
  assertNear(interval!.toSorted(([, a], [, b]) => a - b), [[0, 0.4], [0, 0.8]], drawing);
  assertEquals(dots.length, 2);
  assertNear(dots[0]!, [[0, 0.5], [0, 0.5]], drawing);
  assertNear(dots[1]!, [[1, 0.2], [1, 0.2]], drawing);
});

test("the ninth colour is the first one, dashed", () => {
  const plot = plotOf([0, 8].map((colour) => line([0, 1], [colour, colour + 1], { colour })));
  const lines = new Drawing(plot).shapes("l", "c0").map((it) => it.attributes["stroke-dasharray"]);
  assertEquals(lines, [undefined, "6 3"]);
});

test("losses and what is drawn in the colour of text have no colour of the palette", () => {
  const plot = plotOf([-1, -2].map((colour) => line([0, 1], [colour, colour + 1], { colour })));
  for (const name of ["loss", "ink"]) assertEquals(new Drawing(plot).shapes("l", name).length, 1, name);
});

test("ticks are round, and say their unit", () => {
  const table: [Quantity, min: number, max: number, labels: string][] = [
    ["time", 0, 4, "0 | 0.5 s | 1.0 s | 1.5 s | 2.0 s | 2.5 s | 3.0 s | 3.5 s | 4.0 s"],
    ["time", 0, 0.004, "0 | 0.5 ms | 1.0 ms | 1.5 ms | 2.0 ms | 2.5 ms | 3.0 ms | 3.5 ms | 4.0 ms"],
    ["time", 0, 60, "0 | 10 s | 20 s | 30 s | 40 s | 50 s | 60 s"],
    ["time", 0, 150, "0 | 15 s | 30 s | 45 s | 60 s | 75 s | 90 s | 105 s | 120 s | 135 s | 150 s"],
    ["time", 0, 400, "0:00:00 | 0:01:00 | 0:02:00 | 0:03:00 | 0:04:00 | 0:05:00 | 0:06:00"],
    [
      "time",
      0,
      172_800,
      "0:00:00 | 6:00:00 | 12:00:00 | 18:00:00 | 24:00:00 | 30:00:00 | 36:00:00 | 42:00:00 | 48:00:00",
    ],
    ["time", 0, 864_000, "0:00:00 | 48:00:00 | 96:00:00 | 144:00:00 | 192:00:00 | 240:00:00"],
    ["duration", 0, 0.0004, "0 | 100 ns | 200 ns | 300 ns | 400 ns"],
    ["duration", 0, 0.3, "0 | 50 µs | 100 µs | 150 µs | 200 µs | 250 µs | 300 µs"],
    ["duration", 0, 3, "0 | 0.5 ms | 1.0 ms | 1.5 ms | 2.0 ms | 2.5 ms | 3.0 ms"],
    ["duration", 0, 2500, "0 | 0.5 s | 1.0 s | 1.5 s | 2.0 s | 2.5 s"],
    [
      "duration",
      -1500.4,
      -1500.1,
      "−1,500.40 ms | −1,500.35 ms | −1,500.30 ms | −1,500.25 ms | −1,500.20 ms | −1,500.15 ms | −1,500.10 ms",
    ],
    ["duration", -2, 2, "−2 ms | −1 ms | 0 | 1 ms | 2 ms"],
    ["rate", 0, 40_000, "0 | 10,000/s | 20,000/s | 30,000/s | 40,000/s"],
    ["rate", 0, 2.5e6, "0 | 0.5M/s | 1.0M/s | 1.5M/s | 2.0M/s | 2.5M/s"],
    ["count", 0, 2, "0 | 1 | 2"],
    ["count", 0, 300_000, "0 | 50k | 100k | 150k | 200k | 250k | 300k"],
    ["share", 0, 0.25, "0% | 5% | 10% | 15% | 20% | 25%"],
    ["share", 0, 0.004, "0% | 0.1% | 0.2% | 0.3% | 0.4%"],
  ];
  const shown = table.map(([quantity, min, max]) => {
    const values = line([min, max], [0, 1]);
    const upright = line([0, 1], [min, max]);
    const ticks = quantity === "time"
      ? new Drawing(plotOf([values])).ticks("x")
      : new Drawing(plotOf([upright], { y: { quantity, min, max } })).ticks("y");
    return [quantity, min, max, ticks.join(" | ")];
  });
  assertEquals(shown, table);
});

test("a long time axis says how to read it", () => {
  const long = new Drawing(plotOf([line([0, 4000], [1, 2])]), "narrow");
  assertEquals(long.ticks("x"), ["0:00:00", "0:15:00", "0:30:00", "0:45:00", "1:00:00"]);
  assertEquals(long.texts().at(-1), "time since start (h:min:s)");
  assertEquals(new Drawing(plotOf([line([0, 40], [1, 2])])).texts().at(-1), "time since start");
});

test("a chart without values says so", () => {
  const empty: Layer[][] = [
    [],
    [line([], [])],
    [line([0, 1], [null, null])],
    [{ kind: "heat", name: "lines", xEdges: [0, 1], yEdges: [0, 1], counts: [[0]] }],
    [{ kind: "bars", name: "lines", colour: 0, edges: [0], values: [] }],
    [{ kind: "spans", name: "lost", colour: -1, spans: [] }],
    [line([NaN, 1], [0, Infinity])],
  ];
  for (const layers of empty) {
    assert(new Drawing(plotOf(layers)).texts().includes("no data"), JSON.stringify(layers));
  }
});

test("a chart of one value, or of equal ones, has axes", () => {
  for (const [xs, ys] of [[[0], [0.345]], [[5, 6], [7, 7]], [[0], [0]], [[3], [-2]]] as const) {
    for (const scale of ["linear", "log"] as const) {
      if (scale === "log" && ys[0] <= 0) continue;
      const drawing = new Drawing(plotOf([line([...xs], [...ys])], { y: { scale } }));
      assert(drawing.ticks("x").length > 1 && drawing.ticks("y").length > 1, `${xs} ${ys} ${scale}`);
    }
  }
});

test("several layers have a legend, one has none", () => {
  const two = plotOf([line([0, 1], [1, 2]), { ...line([0, 1], [2, 3]), name: "other" } as Layer]);
  assertEquals(new Drawing(two).texts().filter((it) => ["line", "other"].includes(it)), ["line", "other"]);
  assert(!new Drawing(plotOf([line([0, 1], [1, 2])])).texts().includes("line"));
});

test("nothing that a peer sends becomes markup", () => {
  const evil = "</title><script>&amp;\"'\u202e\x1b]]>\ud800\uffff";
  const plot = plotOf([line([0, 1], [1, 2]), { ...line([0, 1], [2, 3]), name: evil } as Layer]);
  const drawn = drawPlot({ ...plot, title: evil, description: evil, x: { ...plot.x, label: evil } });
  for (const { name } of everyElement(readElements(drawn))) {
    assert(["svg", "g", "path", "rect", "text", "title", "desc"].includes(name), name);
  }
  assert(readElements(drawn)[0]!.children[0]!.text.includes("</title><script>&amp;\"'\\u202e\\x1b]]>"));
});

test("a chart of 1,000 bins stays small, and one of 20,000 hardly larger; no peak is lost", {
  level: "heavy",
}, () => {
  for (const [count, most] of [[1000, 25_000], [20_000, 40_000]] as const) {
    const x = Array.from({ length: count }, (_, i) => i);
    // Fixed, but without a pattern.
    const noise = (seed: number) => x.map((i) => Math.abs(Math.sin(i * 12.9898 + seed) * 43_758.5453) % 1);
    const low = noise(1);
    const high = noise(2).map((it, i) => low[i]! + it);
    high[count - 10] = 50;
    const y = low.with(count - 20, 49);
    const plot = plotOf([
      { kind: "band", name: "range", colour: 0, x, low, high },
      { kind: "line", name: "median", colour: 0, x, y },
    ], { y: { min: 0, max: 50 } });
    const bytes = drawPlot(plot).length;
    assert(bytes <= most, `${bytes} bytes for ${count} bins`);
    for (const variant of ["wide", "narrow"] as const) {
      const drawing = new Drawing(plot, variant);
      const top = (kind: string) => Math.max(...drawing.subpaths(kind, "c0").flat().map(([, y]) => y));
      assertAlmostEquals(top("b"), 1, 0.002);
      assertAlmostEquals(top("l"), 49 / 50, 0.002);
    }
  }
});
