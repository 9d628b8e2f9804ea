/** The sweep's points as a table and as a picture, for docs/performance.md. */

/** What one path at one depth is called. */
export type Part = "depth 1" | "depth 16" | "depth 256" | "chunk" | "unix" | "tls" | "filter";

export interface Point {
  part: Part;
  /** Bytes of a line on the wire, LF included. */
  length: number;
  /** tsecho's lines a second. */
  rate: number;
  /** The median of the rounds' ratios tsecho ÷ C, where there is a C server to compare with. */
  ratio?: number;
}

/** The points in Markdown: a row a length, a column a part; ratios, or megabytes a second where there is none. */
export function table(points: Point[]): string {
  const parts = [...new Set(points.map(({ part }) => part))];
  const lengths = [...new Set(points.map(({ length }) => length))].sort((a, b) => a - b);
  const heads = parts.map((part) =>
    points.some((it) => it.part === part && it.ratio) ? `${part}, × C` : `${part}, MB/s`
  );
  const rows = [["bytes", ...heads], ["-", ...parts.map(() => "-")]];
  for (const length of lengths) {
    const cells = parts.map((part) => {
      const point = points.find((it) => it.part === part && it.length === length);
      return point === undefined ? "" : point.ratio?.toFixed(2) ?? (point.rate * length / 1e6).toFixed(0);
    });
    rows.push([String(length), ...cells]);
  }
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row, r) =>
    `| ${row.map((cell, i) => r === 1 ? "-".repeat(widths[i]!) : cell.padEnd(widths[i]!)).join(" | ")} |`
  ).join("\n");
}

const WIDTH = 860;
const HEIGHT = 420;
const PLOT = { left: 56, right: 740, top: 24, bottom: 360 };
/** Mid tones, which stand out on white and on black. */
const COLOURS = ["#3b82f6", "#e0711c", "#2f9e5b", "#a855f7"];
const INK = "#808890";

/** Ratio against length, a line a part, as an SVG that suits light and dark pages. */
export function picture(points: Point[], limit: number): string {
  const compared = points.filter((it) => it.ratio !== undefined);
  const parts = [...new Set(compared.map(({ part }) => part))];
  const lengths = compared.map(({ length }) => length);
  const [low, high] = [Math.log2(Math.min(...lengths)), Math.log2(Math.max(...lengths))];
  const top = Math.max(1.2, Math.ceil(Math.max(...compared.map((it) => it.ratio!)) * 5) / 5);
  const x = (length: number) =>
    PLOT.left + (Math.log2(length) - low) / (high - low || 1) * (PLOT.right - PLOT.left);
  const y = (ratio: number) => PLOT.bottom - ratio / top * (PLOT.bottom - PLOT.top);
  const shapes: string[] = [];
  const text = (at: [number, number], content: string, more = "") =>
    shapes.push(
      `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}" fill="${INK}" ${more}>${content}</text>`,
    );
  const line = (from: [number, number], to: [number, number], more: string) =>
    shapes.push(`<path d="M${from.map(tenths).join(" ")}L${to.map(tenths).join(" ")}" ${more}/>`);

  for (let ratio = 0; ratio <= top + 0.01; ratio += 0.2) {
    line([PLOT.left, y(ratio)], [PLOT.right, y(ratio)], `stroke="${INK}" stroke-opacity="0.25"`);
    text([PLOT.left - 8, y(ratio) + 4], ratio.toFixed(1), 'text-anchor="end"');
  }
  for (let power = Math.ceil(low); power <= high; power++) {
    line([x(2 ** power), PLOT.bottom], [x(2 ** power), PLOT.bottom + 5], `stroke="${INK}"`);
    text([x(2 ** power), PLOT.bottom + 20], (2 ** power).toLocaleString("en"), 'text-anchor="middle"');
  }
  text(
    [(PLOT.left + PLOT.right) / 2, PLOT.bottom + 44],
    "bytes of a line on the wire, LF included",
    'text-anchor="middle"',
  );
  text([PLOT.left - 40, PLOT.top - 8], "lines a second, tsecho ÷ C");
  line(
    [PLOT.left, y(limit)],
    [PLOT.right, y(limit)],
    'stroke="#d33c3c" stroke-width="1.5" stroke-dasharray="7 5"',
  );
  text([PLOT.right + 10, y(limit) + 4], `limit ${limit}`);
  parts.forEach((part, i) => {
    const drawn = compared.filter((it) => it.part === part).sort((a, b) => a.length - b.length);
    const path = drawn.map((it) => `${tenths(x(it.length))} ${tenths(y(it.ratio!))}`).join("L");
    const colour = COLOURS[i % COLOURS.length];
    shapes.push(`<path d="M${path}" stroke="${colour}" stroke-width="2" stroke-linejoin="round"/>`);
    const at: [number, number] = [PLOT.right + 10, PLOT.top + 10 + 22 * i];
    line(at, [at[0] + 20, at[1]], `stroke="${colour}" stroke-width="3"`);
    text([at[0] + 28, at[1] + 4], part);
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13" fill="none" role="img">
<title>tsecho's lines a second as a share of a C server's, by the length of a line</title>
${shapes.join("\n")}
</svg>
`;
}

function tenths(value: number): string {
  return value.toFixed(1);
}
