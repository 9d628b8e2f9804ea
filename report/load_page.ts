/** A load as a page: what was measured, what was found, and the figures as tables and charts. */
import type { Sink } from "./exporter.ts";
import { factsOf, verdictsOf } from "./load_page/facts.ts";
import {
  countTable,
  durationTable,
  headlineTable,
  reasonTable,
  serverTable,
  thresholdTable,
  trialTable,
} from "./load_page/tables.ts";
import { boundedDocument } from "./load_json.ts";
import { Course } from "./load_page/course.ts";
import {
  byPercentile,
  connects,
  directionsOverTime,
  heatMap,
  histogram,
  inFlightOverTime,
  latencyOverTime,
  lossesOverTime,
  ratesOverTime,
  sendLagOverTime,
} from "./load_page/plots.ts";
import { kneeChart } from "./load_page/search.ts";
import type { LoadEnd, LoadExporter, LoadStart } from "./load_record.ts";
import { renderPage } from "./page/document.ts";
import type { Page, Part, Plot, Section, Table } from "./page/model.ts";
import { durationText } from "../time/duration.ts";

/** Writes a load as one HTML file. */
export class LoadPage implements LoadExporter {
  readonly #sink: Sink;
  readonly #version: string;
  #start: LoadStart | undefined;

  /** @param version of the program, which the page names. */
  constructor(sink: Sink, version: string) {
    this.#sink = sink;
    this.#version = version;
  }

  start(start: LoadStart): void {
    this.#start = start;
  }

  end(end: LoadEnd): void {
    this.#sink.write(renderPage(loadPage(this.#start!, end, this.#version)));
  }
}

/** The most characters of the run's JSON in a page, which is to stay small whatever the run's length. */
const MAX_DOCUMENT = 640 * 1024;

/** The page of a load. @param version of the program. */
export function loadPage(start: LoadStart, end: LoadEnd, version: string): Page {
  const document = boundedDocument(start, end, MAX_DOCUMENT);
  return {
    title: `tsecho load ${start.endpoint}`,
    facts: factsOf(start, end, version),
    verdicts: verdictsOf(start, end),
    sections: sectionsOf(start, end, document?.merged).filter(({ parts }) => parts.length > 0),
    document: { name: "load.json", json: document?.json ?? "" },
  };
}

/** What stands for the charts over time where they would have a point. */
const MOMENT: Part = {
  kind: "text",
  text:
    "Charts over time have a point for each second, and this run has one second: its figures are those of the whole run.",
};

/** @param merged how many entries of the run make one of the saved JSON; undefined if there is none. */
function sectionsOf(start: LoadStart, end: LoadEnd, merged: number | undefined): Section[] {
  const { stats, summary, thresholds, found } = end;
  const timeout = start.timeout * 1000;
  const course = new Course(stats);
  const overTime = (...some: Plot[][]) => course.isMoment ? [] : plots(...some.flat());
  return [
    {
      heading: "Search",
      parts: found === undefined
        ? []
        : [...plots(...kneeChart(found, start.find!)), ...tables(trialTable(found.trials, start.find!))],
    },
    {
      heading: "Latency",
      parts: [
        ...tables(headlineTable(summary, timeout)),
        ...course.isMoment ? [MOMENT] : [],
        ...overTime(latencyOverTime(start, end, course)),
        ...plots(...byPercentile(start, end)),
        ...overTime(heatMap(start, end, course)),
        ...plots(...histogram(start, end)),
        ...tables(durationTable(summary, timeout)),
      ],
    },
    {
      heading: "Lines",
      parts: [
        ...overTime(ratesOverTime(start, end, course), lossesOverTime(course), inFlightOverTime(course)),
        ...tables(countTable(summary), reasonTable(summary), thresholdTable(thresholds)),
      ],
    },
    {
      heading: "Where lines wait",
      parts: [
        ...overTime(directionsOverTime(course, stats.total.sampled), sendLagOverTime(end, course)),
        ...plots(...connects(start, end)),
        ...tables(serverTable(summary)),
      ],
    },
    { heading: "The run's JSON", parts: [savedPart(merged, course)] },
  ];
}

/** @param merged how many entries of the course make one of the saved JSON; undefined if there is none. */
function savedPart(merged: number | undefined, { step, stepMillis }: Course): Part {
  if (merged === undefined) return { kind: "text", text: "It is too large for this page; --json saves it." };
  const read = "The button saves the run, which tsecho load --from and tsecho compare read.";
  const text = merged === 1
    ? read
    : `${read} To keep the page small, each entry of its "seconds" is of ${
      durationText(merged * stepMillis)
    }; --json saves one for each ${step}.`;
  return { kind: "saved", text };
}

function tables(...some: (Table | undefined)[]): Part[] {
  return some.flatMap((table) => table === undefined ? [] : [{ kind: "table", table }]);
}

function plots(...some: Plot[]): Part[] {
  return some.map((plot) => ({ kind: "plot", plot }));
}
