/** What the tests of a load's page share: its parts, found by their names. */
import { assert } from "@std/assert";
import { loadPage } from "../report/load_page.ts";
import type { LoadEnd, LoadStart } from "../report/load_record.ts";
import type { Layer, Page, Plot, Table } from "../report/page/model.ts";
import { answer, runOf, START } from "./load_helpers.ts";

/** A made-up run. */
export type Run = ReturnType<typeof runOf>;

/** Two servers, of which the second has a queue on the way up, and loses lines in the fourth second. */
export const eventful = (seconds = 40) =>
  runOf(seconds, (interval, place) => {
    answer(interval, 480, 200 + place % 3, "web-1");
    answer(interval, 500, 2000 + 10 * place, "web-2");
    interval.server("web-2").up.record(9000, 300);
    interval.inFlight = place;
    interval.planned += 20;
    interval.dropped += 5;
    interval.sent += 15;
    interval.lost += place === 3 ? 9 : 0;
    interval.errors.set("connection reset", place === 3 ? 6 : 15);
  }, { connections: () => new Map([["web-1", 25], ["web-2", 25]]) });

/** Its page, of which some of the end may be told. */
export function pageOf({ stats }: Run, start: LoadStart = START, end: Partial<LoadEnd> = {}): Page {
  return loadPage(
    start,
    { ended: null, stats, summary: stats.summary(), thresholds: [], ...end },
    "tsecho 1",
  );
}

function partsOf<Kind extends "plot" | "table">(page: Page, kind: Kind) {
  return page.sections.flatMap(({ parts }) => parts).filter((it) => it.kind === kind);
}

/** All charts of a page. */
export const plotsOf = (page: Page): Plot[] => partsOf(page, "plot").map((it) => (it as { plot: Plot }).plot);
/** All tables of a page. */
export const tablesOf = (page: Page): Table[] =>
  partsOf(page, "table").map((it) => (it as { table: Table }).table);

/** The first table whose caption begins so. */
export function tableOf(page: Page, caption: string): Table {
  return tablesOf(page).find((it) => it.caption.startsWith(caption))!;
}

/** The first chart whose title begins so. */
export function plotOf(page: Page, title: string): Plot {
  const plot = plotsOf(page).find((it) => it.title.startsWith(title));
  assert(plot !== undefined, `${title} in ${plotsOf(page).map((it) => it.title)}`);
  return plot;
}

/** What is said of a chart, on the page and to those who do not see it. */
export function wordsOf({ note = "", description }: Plot): string {
  return `${note} ${description}`;
}

/** The first layer of a kind, or of a kind and a name. */
export function layerOf<Kind extends Layer["kind"]>(plot: Plot, kind: Kind, name?: string) {
  return plot.layers.find((it) => it.kind === kind && (name ?? it.name) === it.name) as
    | Extract<Layer, { kind: Kind }>
    | undefined;
}
