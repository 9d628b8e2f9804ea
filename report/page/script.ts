import LICENCE from "uplot/LICENSE" with { type: "text" };
import UPLOT from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import { AXES } from "./browser/axes.ts";
import { CHART } from "./browser/chart.ts";
import { GROUP } from "./browser/group.ts";
import { LEGEND } from "./browser/legend.ts";
import { PEN } from "./browser/pen.ts";
import { SHADES } from "./browser/shades.ts";
import { START, start } from "./browser/start.ts";
import { UPLOT_AXIS } from "./browser/uplot_axis.ts";
import { VALUES } from "./browser/values.ts";

const PARTS = [...AXES, ...VALUES, ...SHADES, ...PEN, ...UPLOT_AXIS, ...LEGEND, ...GROUP, ...CHART, ...START];

/** The script of a page: uPlot with its licence, what browser/ has, and a call that starts it. */
export const SCRIPT = `/*
uPlot is under this licence:

${LICENCE.trim()}
*/
${UPLOT.trim()}
(() => {
"use strict";
${PARTS.map(declared).join("\n")}
${start.name}();
})();
`;

/** The source of a function or class, under its name: where tsecho is bundled, a class has no name of its own. */
function declared(part: { name: string }): string {
  const source = String(part);
  return source.startsWith("class") ? `const ${part.name} = ${source};` : source;
}
