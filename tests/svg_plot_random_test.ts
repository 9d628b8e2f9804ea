/** Whatever a chart is to show, it is well-formed, its numbers are numbers, and its labels keep apart. */
import { assert } from "@std/assert";
import fc from "fast-check";
import type { Axis, Layer, Plot, Quantity } from "../report/page/model.ts";
import { textWidth } from "../report/page/svg/letters.ts";
import { drawPlot } from "../report/page/svg/plot.ts";
import { cases, test, volume } from "./harness.ts";
import { assertProperty, CHARACTER } from "./properties.ts";
import { type Element, everyElement, readElements, readPath } from "./svg_reader.ts";

const QUANTITIES: Quantity[] = ["time", "duration", "rate", "count", "share", "quantile"];

/** Numbers of every size, what is none included. */
const number = fc.oneof(
  fc.double({ min: 0, max: 1000, noNaN: true }),
  fc.double({ min: -2, max: 2, noNaN: true }),
  fc.integer({ min: -5, max: 100 }),
  fc.double(),
);
const value = fc.option(number, { freq: 8 });
const name = fc.oneof(
  fc.string(),
  fc.array(CHARACTER, { maxLength: 30 }).map((it) => it.join("")),
  fc.constant("web-1.example".repeat(9)),
);
const numbers = fc.array(number, { maxLength: 40 });
const values = fc.array(value, { maxLength: 40 });
const ascending = numbers.map((it) => it.toSorted((a, b) => a - b));
const colour = fc.integer({ min: -2, max: 20 });

const layer: fc.Arbitrary<Layer> = fc.oneof(
  fc.record({
    kind: fc.constant("line" as const),
    name,
    colour,
    x: ascending,
    y: values,
    steps: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("band" as const), name, colour, x: ascending, low: values, high: values }),
  fc.record({ kind: fc.constant("bars" as const), name, colour, edges: ascending, values: numbers }),
  fc.record({ kind: fc.constant("spans" as const), name, colour, spans: fc.array(fc.tuple(number, number)) }),
  fc.record({
    kind: fc.constant("heat" as const),
    name,
    xEdges: ascending,
    yEdges: ascending,
    counts: fc.array(numbers, { maxLength: 10 }),
  }),
  fc.record({
    kind: fc.constant("points" as const),
    name,
    colour,
    x: numbers,
    y: values,
    low: values,
    high: values,
  }),
);

const axis: fc.Arbitrary<Axis> = fc.record({
  label: name,
  quantity: fc.constantFrom(...QUANTITIES),
  scale: fc.constantFrom("linear", "log"),
  min: number,
  max: number,
}, { requiredKeys: ["label", "quantity"] });

const plot: fc.Arbitrary<Plot> = fc.record({
  title: name,
  description: name,
  x: axis,
  y: axis,
  layers: fc.array(layer, { maxLength: 12 }),
});

test(
  "any chart is well-formed, has finite numbers only, and labels that keep apart",
  { level: "sized" },
  () => {
    assertProperty(
      fc.property(plot, (it) => {
        for (const root of readElements(drawPlot(it))) checkVariant(root);
      }),
      { numRuns: cases(volume(50, 1000)) },
    );
  },
);

function checkVariant(root: Element) {
  const [, , width = 0, height = 0] = root.attributes.viewBox!.split(" ").map(Number);
  const labels: Box[] = [];
  for (const element of everyElement([root])) {
    for (const [attribute, text] of Object.entries(element.attributes)) {
      if (attribute === "d") {
        assert(/^[-mlhvz0-9. ]*$/.test(text), `a path's data: ${text}`);
        readPath(text);
      } else if (!["class", "role", "transform"].includes(attribute) && !/^[a-z -]+$/i.test(text)) {
        assert(/^-?[0-9.]+(?: -?[0-9.]+)*$/.test(text), `${attribute}="${text}"`);
      }
    }
  }
  for (const group of [root, ...root.children.filter(({ name }) => name === "g")]) {
    for (const element of group.children) {
      if (element.name === "text") labels.push(boxOf(element, { ...root.attributes, ...group.attributes }));
    }
  }
  for (const [i, label] of labels.entries()) {
    const { left, right, top, bottom } = label;
    assert(left >= -0.2 && right <= width + 0.2 && top >= 0 && bottom <= height, `${label.text} is cut off`);
    for (const other of labels.slice(i + 1)) {
      const apart = right <= other.left || other.right <= left || bottom <= other.top || other.bottom <= top;
      assert(apart, `${label.text} and ${other.text} overlap`);
    }
  }
}

interface Box {
  text: string;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** About where a text stands. */
function boxOf({ text, attributes }: Element, inherited: Record<string, string>): Box {
  const all = { ...inherited, ...attributes };
  const size = Number(all["font-size"]);
  const width = textWidth(text, size);
  const [x, y] = [Number(attributes.x), Number(attributes.y)];
  const left = x - width * ({ middle: 0.5, end: 1 }[all["text-anchor"] ?? ""] ?? 0);
  return { text, left, right: left + width, top: y - size * 0.75, bottom: y + size * 0.2 };
}
