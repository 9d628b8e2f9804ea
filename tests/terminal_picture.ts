/** Draws what a terminal shows as an SVG that needs no particular font: each line is fitted to its columns. */

const FONT_SIZE = 14;
const COLUMN = 8.4;
const ROW = 20;
const PADDING = 18;
const TITLE_BAR = 34;
/** The eighths of a full block that a partial block fills: U+2588 has 8, U+258F 1. */
const FULL_BLOCK = 0x2588;

const COLORS = {
  window: "#0d1117",
  border: "#30363d",
  text: "#c9d1d9",
  typed: "#ffffff",
  prompt: "#7ee787",
  bar: "#58a6ff",
  mark: "#f2cc60",
  title: "#8b949e",
};

/** How to draw a terminal. */
export interface Picture {
  title: string;
  /** The text on the screen; a line that begins with "$ " was typed. */
  text: string;
  /** Lines that get a mark in the margin. */
  marked: RegExp;
}

/** The picture as an SVG document, whose text can be selected and searched. */
export function drawTerminal({ title, text, marked }: Picture): string {
  const lines = text.trimEnd().split("\n");
  const columns = Math.max(...lines.map((line) => line.length));
  const width = Math.ceil(columns * COLUMN + 2 * PADDING);
  const height = TITLE_BAR + lines.length * ROW + PADDING;
  const dots = ["#ff5f57", "#febc2e", "#28c840"].map((color, i) =>
    `<circle cx="${PADDING + 4 + i * 18}" cy="17" r="5.5" fill="${color}"/>`
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" ` +
    `font-size="${FONT_SIZE}" fill="${COLORS.text}">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="9" fill="${COLORS.window}" ` +
    `stroke="${COLORS.border}"/>`,
    ...dots,
    `<text x="${width / 2}" y="22" text-anchor="middle" fill="${COLORS.title}">${escapeXml(title)}</text>`,
    ...lines.flatMap((line, row) => drawLine(line, TITLE_BAR + row * ROW, marked.test(line))),
    `</svg>\n`,
  ].join("\n");
}

function drawLine(line: string, top: number, marked: boolean): string[] {
  const drawn = [];
  if (marked) {
    drawn.push(
      `<rect x="${PADDING - 10}" y="${top + 3}" width="3" height="${ROW - 4}" fill="${COLORS.mark}"/>`,
    );
  }
  // Fonts leave gaps between blocks, so these are drawn.
  const bar = /[\u2588-\u258f]+$/.exec(line)?.[0] ?? "";
  const words = line.slice(0, line.length - bar.length);
  if (words.startsWith("$ ")) {
    drawn.push(drawText("$", 0, top, COLORS.prompt), drawText(words.slice(2), 2, top, COLORS.typed));
  } else {
    // Renderers differ in what they do with several blanks.
    for (const { 0: text, index } of words.matchAll(/\S+(?: \S+)*/g)) {
      drawn.push(drawText(text, index, top, COLORS.text));
    }
  }
  if (bar !== "") {
    const eighths = [...bar].reduce((sum, it) => sum + 8 - (it.charCodeAt(0) - FULL_BLOCK), 0);
    const x = PADDING + words.length * COLUMN;
    const width = (eighths / 8 * COLUMN).toFixed(1);
    drawn.push(
      `<rect x="${x.toFixed(1)}" y="${top + 4}" width="${width}" height="${ROW - 6}" fill="${COLORS.bar}"/>`,
    );
  }
  return drawn;
}

function drawText(text: string, column: number, top: number, color: string): string {
  const x = (PADDING + column * COLUMN).toFixed(1);
  const length = (text.length * COLUMN).toFixed(1);
  return `<text x="${x}" y="${top + 15}" textLength="${length}" fill="${color}">${escapeXml(text)}</text>`;
}

function escapeXml(text: string): string {
  return text.replace(/[<>&"]/g, (it) => `&#${it.charCodeAt(0)};`);
}
