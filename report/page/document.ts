import { createHash } from "node:crypto";
import { markup } from "./markup.ts";
import type { Page, Part, Section, Table } from "./model.ts";
import { STYLE } from "./style.ts";

/** A page as one HTML file, which asks for nothing from anywhere. */
export function renderPage(page: Page): string {
  const policy = `default-src 'none'; style-src '${
    hashOf(STYLE)
  }'; img-src data:; base-uri 'none'; form-action 'none'`;
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
<h1>${markup(page.title)}</h1>
<dl>
${
    page.facts.map(({ name, value }) => `<div><dt>${markup(name)}</dt><dd>${markup(value)}</dd></div>`).join(
      "\n",
    )
  }
</dl>
<ul>
${
    page.verdicts.map(({ topic, tone, text }) =>
      `<li class="${tone}"><b>${markup(topic)}</b> ${markup(text)}</li>`
    ).join("\n")
  }
</ul>
${page.sections.map(renderSection).join("\n")}
</body>
</html>
`;
}

/** What a Content-Security-Policy names a script or a style by. */
function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

function renderSection({ heading, parts }: Section): string {
  return `<section>\n<h2>${markup(heading)}</h2>\n${parts.map(renderPart).join("\n")}\n</section>`;
}

function renderPart(part: Part): string {
  switch (part.kind) {
    case "text":
      return `<p>${markup(part.text)}</p>`;
    case "table":
      return renderTable(part.table);
    case "plot":
      return `<figure><figcaption>${markup(part.plot.title)}</figcaption><p>${
        markup(part.plot.description)
      }</p></figure>`;
  }
}

function renderTable({ caption, columns, rows }: Table): string {
  const kind = (column: number) => columns[column]?.isNumber ? ' class="number"' : "";
  const head = columns.map(({ name }, i) => `<th scope="col"${kind(i)}>${markup(name)}</th>`).join("");
  const body = rows.map(([first = "", ...cells]) =>
    `<tr><th scope="row"${kind(0)}>${markup(first)}</th>${
      cells.map((cell, i) => `<td${kind(i + 1)}>${markup(cell)}</td>`).join("")
    }</tr>`
  );
  return `<div class="scroll"><table>
<caption>${markup(caption)}</caption>
<thead><tr>${head}</tr></thead>
<tbody>
${body.join("\n")}
</tbody>
</table></div>`;
}
