/** A run of ping's as a page: what was measured, what was found, and the figures as tables and charts. */
import { counted } from "../failure.ts";
import type { ProbeEvent } from "../stats/events.ts";
import type { End, PingExporter, Sink } from "./exporter.ts";
import { JsonDocument } from "./json.ts";
import { renderPage } from "./page/document.ts";
import type { Page, Part, Plot, Section, Table } from "./page/model.ts";
import { allBreakLines, factsOf, verdictsOf } from "./ping_page/facts.ts";
import { distributionPlots } from "./ping_page/distributions.ts";
import { CoursePlots } from "./ping_page/plots.ts";
import { shownServers } from "./ping_page/shown.ts";
import { countTable, durationTable, serverTable } from "./ping_page/tables.ts";
import type { Start } from "./record.ts";

/** The most characters of a run in JSON that a page holds with its replies. */
const MAX_JSON = 800_000;

const DIRECTIONS_TEXT =
  "How much longer each line took than the quickest in the same direction, which can be told " +
  "without clocks that agree.";
const CLOCKS_TEXT =
  "The server's clock minus this machine's: as long as the clocks run evenly, it lies in the band, " +
  "whatever the delays are.";

/** Writes a run as one HTML file. */
export class PingPage implements PingExporter {
  readonly #sink: Sink;
  readonly #version: string;
  readonly #run = new SavedText();
  #start: Start | undefined;

  /** @param version of the program, which the page names. */
  constructor(sink: Sink, version: string) {
    this.#sink = sink;
    this.#version = version;
  }

  start(start: Start): void {
    this.#start = start;
    this.#run.start(start);
  }

  event(event: ProbeEvent): void {
    this.#run.event(event);
  }

  end(end: End): void {
    this.#sink.write(renderPage(pingPage(this.#start!, end, this.#run.end(end), this.#version)));
  }
}

/** A run's JSON as far as a page holds it. */
export interface PageRun {
  json: string;
  /** Whether its replies are in it. */
  whole: boolean;
}

/** Gathers the JSON of a run; of one that is long only how it began and how it ended. */
class SavedText {
  #text = "";
  #whole = true;
  #start: Start | undefined;
  readonly #document = new JsonDocument({ write: (text) => this.#write(text) });

  start(start: Start): void {
    this.#start = start;
    this.#document.start(start);
  }

  event(event: ProbeEvent): void {
    if (this.#whole) this.#document.event(event);
  }

  end(end: End): PageRun {
    if (this.#whole) this.#document.end(end);
    if (this.#whole) return { json: this.#text, whole: true };
    let json = "";
    const short = new JsonDocument({ write: (text) => json += text });
    short.start(this.#start!);
    short.end(end);
    return { json, whole: false };
  }

  #write(text: string): void {
    this.#text += text;
    if (this.#text.length <= MAX_JSON) return;
    this.#whole = false;
    this.#text = "";
  }
}

/** The page of a run. @param version of the program. */
export function pingPage(start: Start, end: End, { json, whole }: PageRun, version: string): Page {
  const { summary, course, rtt } = end;
  const servers = course === undefined ? [] : shownServers(summary, course);
  const plots = course === undefined ? undefined : new CoursePlots(summary, course, servers);
  const omitted = servers.length < summary.servers.length && servers.length > 0
    ? [`The charts show the ${servers.length} servers with the most replies; the tables show all.`]
    : [];
  const saved = whole
    ? "The button saves the whole run, which tsecho ping --from reads."
    : "The button saves how the run began and how it ended, without its " +
      `${counted(summary.sent, "line")}, which are too many for a page: tsecho ping --json keeps them.`;
  const sections: Section[] = [
    { heading: "Percentiles", parts: summary.rtt === null ? [] : [tablePart(durationTable(summary))] },
    {
      heading: "Round trips",
      parts: [
        ...texts(omitted),
        ...plotParts(plots?.roundTrips()),
        ...plotParts(distributionPlots(rtt, servers)),
      ],
    },
    { heading: "Directions", parts: explained(DIRECTIONS_TEXT, plotParts(plots?.directions())) },
    {
      heading: "Clocks",
      parts: [...explained(CLOCKS_TEXT, plotParts(plots?.offsets())), ...texts(allBreakLines(summary))],
    },
    { heading: "Connections", parts: plotParts(plots?.connections()) },
    { heading: "Servers", parts: summary.servers.length > 0 ? [tablePart(serverTable(summary))] : [] },
    { heading: "Lines", parts: [tablePart(countTable(summary))] },
    { heading: "The run's JSON", parts: [{ kind: "saved", text: saved }] },
  ];
  return {
    title: `tsecho ping ${start.endpoint}`,
    facts: factsOf(start, summary, version),
    verdicts: verdictsOf(start, end),
    sections: sections.filter(({ parts }) => parts.length > 0),
    document: { name: `ping-${Math.trunc(start.time)}.json`, json },
  };
}

function plotParts(plots: Plot[] = []): Part[] {
  return plots.map((plot) => ({ kind: "plot", plot }));
}

/** Charts behind what they show, in words. */
function explained(text: string, charts: Part[]): Part[] {
  return charts.length === 0 ? [] : [...texts([text]), ...charts];
}

function texts(some: string[]): Part[] {
  return some.map((text) => ({ kind: "text", text }));
}

function tablePart(table: Table): Part {
  return { kind: "table", table };
}
