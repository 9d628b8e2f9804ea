/** What a page shows, in order, before any of it is drawn. Whoever makes one knows runs; whoever draws it does not. */

/** A page of a report: one HTML file. */
export interface Page {
  /** As in `tsecho ping tcp://web:21567`. */
  title: string;
  /** What was measured: endpoint, time, options. */
  facts: Fact[];
  verdicts: PageVerdict[];
  sections: Section[];
  /** The JSON that can be saved from the page, empty for none; under which name, and of what: by default of a run. */
  document: { name: string; json: string; of?: "run" | "comparison" };
}

export interface Fact {
  name: string;
  value: string;
}

/** What was found, in words. */
export interface PageVerdict {
  /** What it is about, such as `Loss`. */
  topic: string;
  tone: "good" | "bad" | "unsure" | "plain";
  text: string;
}

export interface Section {
  heading: string;
  parts: Part[];
}

export type Part =
  | { kind: "text"; text: string }
  /** What is said of the JSON where it can be saved: without scripts the page says instead that it cannot be. */
  | { kind: "saved"; text: string }
  | { kind: "table"; table: Table }
  | { kind: "plot"; plot: Plot };

/** A table whose first cell of each row is its header. */
export interface Table {
  caption: string;
  columns: Column[];
  rows: string[][];
}

export interface Column {
  name: string;
  isNumber?: boolean;
  /** Whether its cells are short enough for a line each. */
  isShort?: boolean;
}

/** A chart. Its values are in the units that the quantities of its axes have. */
export interface Plot {
  title: string;
  /** How to read the chart, in a sentence or two; none where that is plain. */
  note?: string;
  /** What a person who does not see the chart is to know of it beside its title and its note. */
  description: string;
  x: Axis;
  y: Axis;
  /** Later ones are drawn over earlier ones. */
  layers: Layer[];
}

export interface Axis {
  label: string;
  quantity: Quantity;
  scale?: "linear" | "log";
  /** Where it is to begin and end; by default where its values do. */
  min?: number;
  max?: number;
}

/**
 * What an axis counts: time in seconds since the run began, a duration in milliseconds, lines a second, lines, a share
 * from 0 to 1, or a quantile from 0 to below 1, drawn at log10(1 / (1 - quantile)).
 */
export type Quantity = "time" | "duration" | "rate" | "count" | "share" | "quantile";

/** A value, or null where there is none: a line is broken there. */
export type Value = number | null;

export type Layer =
  | LineLayer
  /** From low to high at each x: minimum and maximum of a bin, or a bound. */
  | { kind: "band"; name: string; colour: number; x: number[]; low: Value[]; high: Value[] }
  /** Bars from `edges[i]` to `edges[i + 1]`. */
  | { kind: "bars"; name: string; colour: number; edges: number[]; values: number[] }
  /** Spans of x that are marked along the whole height, such as lost lines; one of no length is a stroke. */
  | { kind: "spans"; name: string; colour: number; spans: [from: number, to: number][] }
  /** Counts of each cell, a row for each step of y. */
  | { kind: "heat"; name: string; xEdges: number[]; yEdges: number[]; counts: number[][] }
  /** A point at each x, with the interval in which it is known to lie, where it has one. */
  | {
    kind: "points";
    name: string;
    colour: number;
    x: number[];
    y: Value[];
    low?: Value[];
    high?: Value[];
    /** What each is, such as a run's name. */
    names?: string[];
  };

export interface LineLayer {
  kind: "line";
  name: string;
  /**
   * A number of the palette, from 0; -1 is the colour of losses, -2 that of text. A server's tag has the same one in every
   * chart.
   */
  colour: number;
  x: number[];
  y: Value[];
  /** Whether each value holds until the next one. */
  steps?: boolean;
}
