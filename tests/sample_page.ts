import type { Layer, Page, Plot } from "../report/page/model.ts";

/** Seconds that the run of the page took. */
export const DURATION = 60;
/** Lost lines, in seconds since the run began. */
export const LOST: [from: number, to: number][] = [[12, 12], [31.5, 33]];

const SECONDS = Array.from({ length: DURATION + 1 }, (_, i) => i);
/** The round trip in milliseconds at each second; the server gave none at second 40. */
export const ROUND_TRIP = SECONDS.map((it) =>
  it === 40 ? null : 0.4 + 0.1 * Math.sin(it / 5) + (it === 20 ? 3 : 0)
);

function shifted(values: (number | null)[], by: number): (number | null)[] {
  return values.map((it) => it === null ? null : it + by);
}

function plotOf(title: string, x: Plot["x"], y: Plot["y"], layers: Layer[]): Plot {
  return { title, description: `What "${title}" shows, in words.`, x, y, layers };
}

const TIME: Plot["x"] = { label: "time since the start", quantity: "time", min: 0, max: DURATION };

const overTime = plotOf("Round trip over time", TIME, { label: "round trip", quantity: "duration" }, [
  {
    kind: "band",
    name: "minimum to maximum",
    colour: 0,
    x: SECONDS,
    low: shifted(ROUND_TRIP, -0.1),
    high: shifted(ROUND_TRIP, 0.2),
  },
  { kind: "line", name: "web-1", colour: 0, x: SECONDS, y: ROUND_TRIP },
  {
    kind: "line",
    name: "web-2",
    colour: 1,
    x: SECONDS.slice(0, 30),
    y: shifted(ROUND_TRIP, 0.5).slice(0, 30),
    steps: true,
  },
  { kind: "spans", name: "lost", colour: -1, spans: LOST },
]);

const offset = plotOf("Clock offset", TIME, {
  label: "server's clock minus this one's",
  quantity: "duration",
}, [
  {
    ...{ kind: "points", name: "offset with its bound", colour: 2 },
    x: [5, 15, 25, 35, 45, 55],
    y: [-12, -12.1, -12.3, -12.2, null, -12.6],
    low: [-13, -12.5, -12.9, -12.8, null, -13.2],
    high: [-11, -11.5, -11.8, -11.9, null, -12.1],
  },
]);

const RATES = plotOf("Lines a second", TIME, { label: "lines", quantity: "rate" }, [
  { kind: "line", name: "planned", colour: 7, x: [0, DURATION], y: [5000, 5000] },
  {
    kind: "line",
    name: "received",
    colour: 0,
    x: SECONDS,
    y: SECONDS.map((it) => 4800 + 150 * Math.cos(it)),
    steps: true,
  },
]);

const QUANTILES = [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999];
const byQuantile = plotOf(
  "Round trip by percentile",
  { label: "share of lines that were as fast or faster", quantity: "quantile" },
  { label: "round trip", quantity: "duration", scale: "log" },
  [
    { kind: "line", name: "before", colour: 0, x: QUANTILES, y: [0.2, 0.3, 0.4, 0.5, 0.8, 1.1, 2, 9, 40] },
    { kind: "line", name: "after", colour: 1, x: QUANTILES, y: [0.2, 0.3, 0.41, 0.55, 1, 2, 6, 30, 120] },
  ],
);

const histogram = plotOf(
  "Histogram of round trips",
  { label: "round trip", quantity: "duration", scale: "log" },
  { label: "lines", quantity: "count" },
  [{
    kind: "bars",
    name: "lines",
    colour: 0,
    edges: [0.1, 0.2, 0.4, 0.8, 1.6, 3.2],
    values: [12, 18_340, 2_210, 0, 7],
  }],
);

const Y_EDGES = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4];
const heat = plotOf("Lines by second and latency", TIME, {
  label: "response",
  quantity: "duration",
  scale: "log",
}, [
  {
    ...{ kind: "heat", name: "lines" },
    xEdges: SECONDS,
    yEdges: Y_EDGES,
    counts: Y_EDGES.slice(1).map((_, row) =>
      SECONDS.slice(1).map((x) => row === (x > 40 ? 4 : 1) ? 900 : (x + row) % 5 * 3)
    ),
  },
]);

const knee = plotOf(
  "Trials",
  { label: "rate sent", quantity: "rate" },
  { label: "lost", quantity: "share" },
  [
    { kind: "points", name: "kept the goal", colour: 2, x: [1000, 2000, 4000], y: [0, 0, 0.001] },
    { kind: "points", name: "missed it", colour: -1, x: [6000, 8000], y: [0.02, 0.31] },
  ],
);

/** A page with every kind of part and of layer. */
export function samplePage(): Page {
  return {
    title: "tsecho ping tcp://web.example:21567",
    facts: [
      { name: "Endpoint", value: "tcp://web.example:21567 (192.0.2.7)" },
      { name: "Began", value: "2026-11-23T03:37:00Z" },
      { name: "Options", value: "--count 60 --interval 1s" },
    ],
    verdicts: [
      { topic: "Loss", tone: "bad", text: "3 of 60 lines were lost (5%), two of them in one burst." },
      { topic: "Direction", tone: "unsure", text: "Neither direction is known to be the slow one." },
      { topic: "Clock offset", tone: "plain", text: "-12.300 ms ± 0.500 ms" },
      { topic: "Steadiness", tone: "good", text: "The run was steady." },
    ],
    sections: [
      {
        heading: "Percentiles",
        parts: [{
          kind: "table",
          table: {
            caption: "Round trip in milliseconds",
            columns: ["", "p50", "p90", "p99", "p99.9", "maximum", "standard deviation"].map((name, i) => ({
              name,
              isNumber: i > 0,
            })),
            rows: [["web-1", "0.412", "0.601", "1.204", "3.511", "3.520", "0.301"], [
              "web-2",
              "0.913",
              "1.102",
              "1.704",
              "4.011",
              "4.020",
              "0.302",
            ]],
          },
        }],
      },
      {
        heading: "Over time",
        parts: [
          { kind: "text", text: "Every lost line is marked." },
          ...[overTime, offset, RATES, heat].map((plot) => ({ kind: "plot" as const, plot })),
        ],
      },
      {
        heading: "Distribution",
        parts: [byQuantile, histogram, knee].map((plot) => ({ kind: "plot", plot })),
      },
      { heading: "The run's JSON", parts: [{ kind: "saved", text: "The button saves the run." }] },
    ],
    document: { name: "ping.json", json: `{"title":"tsecho ping","lost":3}\n` },
  };
}

/** What a peer could try to leave the element, the attribute or the script in which its text stands. */
export const HOSTILE = `</script><script>alert(1)</script><!-- ]]> "'&\u2028\u202e\x1b[31m`;

/** A page that has it wherever a peer's text can be. */
export function hostilePage(): Page {
  const plot = plotOf(
    HOSTILE,
    { label: HOSTILE, quantity: "time" },
    { label: HOSTILE, quantity: "duration" },
    [
      { kind: "line", name: HOSTILE, colour: 0, x: [0, 1], y: [1, 2] },
    ],
  );
  const columns = [{ name: HOSTILE }, { name: HOSTILE }];
  return {
    title: HOSTILE,
    facts: [{ name: HOSTILE, value: HOSTILE }],
    verdicts: [{ topic: HOSTILE, tone: "bad", text: HOSTILE }],
    sections: [{
      heading: HOSTILE,
      parts: [
        { kind: "text", text: HOSTILE },
        { kind: "table", table: { caption: HOSTILE, columns, rows: [[HOSTILE, HOSTILE]] } },
        { kind: "plot", plot },
        { kind: "saved", text: HOSTILE },
      ],
    }],
    document: { name: "run.json", json: `${JSON.stringify({ tag: HOSTILE }, null, 2)}\n` },
  };
}
