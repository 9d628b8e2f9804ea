import { createHash } from "node:crypto";
import { escapeText } from "../../failure.ts";
import { markup } from "./markup.ts";
import type { Page, PageVerdict, Part, Plot, Table } from "./model.ts";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";
import { drawPlot } from "./svg/plot.ts";

/** A page as one HTML file, which asks for nothing from anywhere. */
export function renderPage(page: Page): string {
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(SCRIPT)}'`,
    `style-src '${hashOf(STYLE)}'`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${markup(page.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${markup(page.title)}</h1>
${renderFacts(page)}
${renderVerdicts(page)}
${renderSections(page)}
</main>
<footer>
<p class="scripted" hidden>Charts: drag to zoom, double-click or Escape to reset; with the keyboard, arrows move the cursor, + and − zoom. Click a name to hide it.</p>
<noscript><p>Scripts are blocked: charts are pictures.</p></noscript>
</footer>
<script type="application/json" id="run" data-name="${markup(page.document.name)}">${
    escapeData(page.document.json)
  }</script>
<script type="application/json" id="plots">${dataOf(plotsOf(page))}</script>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

/** What a Content-Security-Policy names a script or a style by. */
function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

/** The page's charts, in order. */
function plotsOf({ sections }: Page): Plot[] {
  return sections.flatMap(({ parts }) => parts).flatMap((it) => it.kind === "plot" ? [it.plot] : []);
}

/** More digits than a screen can show are left out. */
const DIGITS = 7;

/** As JSON for the page's script, which shows text as the rest of the page does. */
function dataOf(value: unknown): string {
  return escapeData(JSON.stringify(value, (_, it) => {
    if (typeof it === "string") return escapeText(it);
    return typeof it === "number" ? Number(it.toPrecision(DIGITS)) : it;
  }));
}

/** JSON that says the same in a script element, which nothing in it ends. */
function escapeData(json: string): string {
  return json.replaceAll(
    /[<>&\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function renderFacts({ facts }: Page): string {
  if (facts.length === 0) return "";
  const shown = facts.map(({ name, value }) =>
    `<div><dt>${markup(name)}</dt><dd>${markup(unbroken(value))}</dd></div>`
  );
  return `<dl class="facts">\n${shown.join("\n")}\n</dl>`;
}

/** A text in which no line begins with a unit. */
function unbroken(text: string): string {
  return text.replaceAll(/(?<=\d) (?=(?:[mµ]?s|ppm|lines\/s|%)(?!\w))/g, "\u00a0");
}

/** A verdict's tone is told by a sign as well as by its colour. */
const SIGNS: Record<PageVerdict["tone"], { sign: string; word: string }> = {
  good: { sign: "✓", word: "good" },
  bad: { sign: "✗", word: "bad" },
  unsure: { sign: "?", word: "unsure" },
  plain: { sign: "–", word: "" },
};

function renderVerdicts({ verdicts }: Page): string {
  if (verdicts.length === 0) return "";
  const shown = verdicts.map(({ topic, tone, text }) => {
    const { sign, word } = SIGNS[tone];
    const spoken = word === "" ? "" : `<span class="unseen">${word}: </span>`;
    return `<li class="${tone}"><span class="mark" aria-hidden="true">${sign}</span> <b>${
      markup(topic)
    }</b> ` +
      `<span>${spoken}${markup(unbroken(text))}</span></li>`;
  });
  return `<ul class="verdicts">\n${shown.join("\n")}\n</ul>`;
}

/** What saves the page's JSON, if it has any. */
function renderSaving({ document: { json, of = "run" } }: Page): string {
  if (json === "") return "";
  return `<p class="scripted" hidden><button type="button" id="save">Save this ${of} as JSON</button></p>`;
}

/** What a page says of its JSON where it cannot be saved. */
const NOT_SAVED = "Scripts are blocked: it cannot be saved from this page. --json saves it.";

function renderSections(page: Page): string {
  let charts = 0;
  const renderPart = (part: Part): string => {
    switch (part.kind) {
      case "text":
        return `<p>${markup(part.text)}</p>`;
      case "saved":
        return `<p class="scripted" hidden>${markup(part.text)}</p>\n${
          renderSaving(page)
        }\n<noscript><p>${NOT_SAVED}</p></noscript>`;
      case "table":
        return renderTable(part.table);
      case "plot":
        return renderFigure(part.plot, `chart-${++charts}`);
    }
  };
  return page.sections.map(({ heading, parts }) =>
    `<section>\n<h2>${markup(heading)}</h2>\n${parts.map(renderPart).join("\n")}\n</section>`
  ).join("\n");
}

/** A chart under its title, which names it, and the note on how to read it. */
function renderFigure(plot: Plot, id: string): string {
  const note = plot.note === undefined ? "" : `<p class="note">${markup(plot.note)}</p>\n`;
  return `<figure aria-labelledby="${id}">
<div class="head"><h3 id="${id}">${markup(plot.title)}</h3></div>
${note}${drawPlot(plot)}
</figure>`;
}

/** A table in a box of its own, in which it can be scrolled, also by keyboard. */
function renderTable({ caption, columns, rows }: Table): string {
  const kind = (column: number) => {
    const { isNumber = false, isShort = false } = columns[column] ?? {};
    return isNumber ? ' class="number"' : isShort ? ' class="short"' : "";
  };
  const head = columns.map(({ name }, i) => `<th scope="col"${kind(i)}>${markup(name)}</th>`).join("");
  const body = rows.map(([first = "", ...cells]) =>
    `<tr><th scope="row"${kind(0)}>${markup(first)}</th>${
      cells.map((cell, i) => `<td${kind(i + 1)}>${markup(cell)}</td>`).join("")
    }</tr>`
  );
  return `<div class="table" role="region" tabindex="0" aria-label="${markup(caption)}"><table>
<caption><span>${markup(caption)}</span></caption>
<thead><tr>${head}</tr></thead>
<tbody>
${body.join("\n")}
</tbody>
</table></div>`;
}
