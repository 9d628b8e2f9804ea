import UPLOT from "uplot/dist/uPlot.min.css" with { type: "text" };

/**
 * Colours are custom properties, which the charts read too: `--c0` to `--c7` tell apart (also for
 * people who see fewer colours, and with a contrast of 3:1 on the ground), `--h0` to `--h7` are a heat map's shades,
 * from few to many.
 */
const LIGHT = `
  --ground: #fff; --raised: #f6f7f9; --shadow: #1b1f2438; --ink: #1b1f24; --muted: #59636e; --grid: #dde2e7; --loss: #c8102e;
  --good: #0b6b50; --bad: #b3122a; --unsure: #8a5a00; --link: #0b5cad;
  --c0: #0068b3; --c1: #c25700; --c2: #008060; --c3: #b0408f; --c4: #3a8dc9; --c5: #8f7400; --c6: #5b4bb5; --c7: #5d6a77;
  --h0: #d6e8f7; --h1: #aed1ee; --h2: #7fb5e0; --h3: #5198ce; --h4: #2d7ab8; --h5: #175d9c; --h6: #0b417a; --h7: #052a56;`;
const DARK = `
  --ground: #14171b; --raised: #1c2026; --shadow: #000000a0; --ink: #e8ebef; --muted: #9ba6b2; --grid: #2d343c; --loss: #ff6470;
  --good: #4cc9a0; --bad: #ff7b86; --unsure: #e0b04c; --link: #79b8ff;
  --c0: #4aa8f0; --c1: #f2964a; --c2: #35c79a; --c3: #e48ccb; --c4: #9ad4f7; --c5: #d9c23f; --c6: #a898f0; --c7: #a3afbb;
  --h0: #12304d; --h1: #16446d; --h2: #1b5a90; --h3: #2874b3; --h4: #4490cf; --h5: #6fafe3; --h6: #a3cff2; --h7: #dcefff;`;

const CLASSES = [
  ...Array.from({ length: 8 }, (_, i) => `c${i}`),
  ...Array.from({ length: 8 }, (_, i) => `h${i}`),
  ...["loss", "ink", "muted", "grid"],
].map((name) =>
  `.l.${name} { stroke: var(--${name}); } .f.${name}, .b.${name} { fill: var(--${name}); } .key.${name} { background: var(--${name}); }`
).join("\n");

/** The style of a page. */
export const STYLE = `${UPLOT.trim()}
:root { color-scheme: light dark; ${LIGHT}
}
@media screen and (prefers-color-scheme: dark) { :root { ${DARK}
} }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  max-width: 1100px; margin: 0 auto; padding: 32px 24px 64px;
  background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: break-word;
}
h1 { margin: 0 0 16px; font-size: 24px; line-height: 1.25; font-weight: 650; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { margin: 48px 0 12px; padding-top: 16px; border-top: 1px solid var(--grid); font-size: 18px; line-height: 1.3; font-weight: 650; }
p { max-width: 75ch; margin: 12px 0; }
button {
  padding: 5px 12px; border: 1px solid var(--grid); border-radius: 6px; background: var(--raised); color: inherit;
  font: inherit; font-size: 14px; cursor: pointer;
}
button:hover { border-color: var(--muted); }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 10px 24px; margin: 0 0 20px; }
.facts dt { color: var(--muted); font-size: 13px; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.verdicts { margin: 0 0 20px; padding: 0; list-style: none; border: 1px solid var(--grid); border-radius: 8px; background: var(--raised); }
.verdicts li { display: grid; grid-template-columns: 20px minmax(90px, 190px) 1fr; gap: 0 10px; padding: 9px 14px; }
.verdicts li + li { border-top: 1px solid var(--grid); }
.verdicts b { font-weight: 600; }
.mark { font-weight: 700; text-align: center; color: var(--muted); }
.good .mark { color: var(--good); } .bad .mark { color: var(--bad); } .unsure .mark { color: var(--unsure); }
/* What is out of sight to the right casts a shadow. */
.table {
  margin: 16px 0; overflow-x: auto; container-type: inline-size;
  background: linear-gradient(to left, var(--ground) 50%, transparent) right / 40px 100% no-repeat local,
    linear-gradient(to left, var(--shadow), transparent) right / 14px 100% no-repeat scroll;
}
table { border-collapse: separate; border-spacing: 0; font-size: 14px; }
caption { padding: 0 0 6px; text-align: left; font-weight: 600; }
caption span { display: block; position: sticky; left: 0; max-width: 100cqi; }
th, td { padding: 5px 20px 5px 0; text-align: left; vertical-align: baseline; }
th:last-child, td:last-child { padding-right: 0; }
thead th { border-bottom: 1px solid var(--muted); color: var(--muted); font-size: 13px; font-weight: 500; white-space: nowrap; }
tbody th { font-weight: 500; white-space: nowrap; }
tbody tr + tr > * { border-top: 1px solid var(--grid); }
.number { text-align: right; }
.number, .short { white-space: nowrap; }
figure { margin: 28px 0; }
.plot { display: block; width: 100%; height: auto; font-family: inherit; }
.plot.narrow { display: none; }
.l { fill: none; } .f { stroke: none; } .b { stroke: none; fill-opacity: 0.25; }
${CLASSES}
.chart { font-size: 13px; }
.head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 16px; }
.head h3 { margin: 0; font-size: 15px; line-height: 1.4; font-weight: 600; }
.note { margin: 0 0 4px; max-width: 90ch; color: var(--muted); font-size: 13px; }
.head button { padding: 1px 10px; font-size: 13px; }
.where { margin-left: auto; color: var(--muted); font-size: 13px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 8px; margin: 2px 0 4px -6px; padding: 0; list-style: none; }
.legend button { display: flex; flex-wrap: wrap; align-items: baseline; gap: 6px; padding: 1px 6px; border-color: transparent; background: none; font-size: 13px; text-align: left; }
.legend button:hover { border-color: var(--grid); }
.legend [aria-pressed="false"] { color: var(--muted); text-decoration: line-through; }
.legend [aria-pressed="false"] .key { opacity: 0.3; }
.key { flex: none; align-self: center; width: 14px; height: 10px; border-radius: 2px; }
.key.line { height: 3px; } .key.points { width: 8px; height: 8px; border-radius: 50%; } .key.spans { width: 3px; height: 14px; }
.key.band { opacity: 0.35; }
.shade { display: inline-flex; align-items: baseline; gap: 6px; white-space: nowrap; }
.reading { min-width: 9ch; font-weight: 600; text-decoration: none; }
.unit { color: var(--muted); }
.field { width: 100%; border-radius: 4px; }
.u-select { background: var(--ink); opacity: 0.12; }
.u-hz .u-cursor-x { border-right: 1px solid var(--muted); }
@media screen { .live .plot.plot { display: none; } }
footer { margin-top: 48px; padding-top: 16px; border-top: 1px solid var(--grid); color: var(--muted); font-size: 13px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
[hidden] { display: none !important; }
/* Columns move together before one is cut within a number, which then reads as another number. */
@media screen and (max-width: 1147px) {
  th, td { padding-right: 11px; }
  table { font-size: 13px; }
}
@media screen and (max-width: 699px) {
  body { padding: 20px 16px 40px; }
  h1 { font-size: 20px; }
  .facts { grid-template-columns: 1fr; gap: 4px; }
  .facts div { display: grid; grid-template-columns: 110px 1fr; gap: 12px; }
  .facts dt { padding-top: 1px; }
  .verdicts li { grid-template-columns: 20px 1fr; }
  tbody th { min-width: 40vw; white-space: normal; }
  td { white-space: nowrap; }
  .verdicts li > :last-child { grid-column: 2; }
  .where { width: 100%; min-height: 20px; text-align: right; }
  tbody th, thead th:first-child { position: sticky; left: 0; z-index: 1; padding-right: 12px; background: var(--ground); }
  .plot.wide { display: none; }
  .plot.narrow { display: block; }
}
@media print {
  @page { size: A4; margin: 15mm; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2 { margin-top: 24px; break-after: avoid; }
  h3, .note, caption { break-after: avoid; }
  figure, .table, tr, .verdicts li, .facts div { break-inside: avoid; }
  .table { overflow: visible; container-type: normal; background: none; }
  table { width: 100%; font-size: 8pt; }
  th, td { padding: 2px 8px 2px 0; }
  thead th { font-size: 8pt; white-space: normal; }
  tbody th, .short { white-space: normal; }
  button, .chart, .where, .scripted { display: none; }
}
`;
