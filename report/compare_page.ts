/** A comparison as a page: what was compared, what differs in words, and the figures as tables and charts. */
import { COMPARED } from "../stats/compared_metrics.ts";
import { comparisonRecord } from "./compare_json.ts";
import { factsOf, verdictsOf } from "./compare_page/facts.ts";
import { byPercentile, changes, eachRun, inOrder, overTime } from "./compare_page/plots.ts";
import { legend, metricCells, metricHeading, RUN_HEADING, runCells } from "./comparison_figures.ts";
import type { ComparisonReport, NamedRun } from "./comparison_report.ts";
import type { Sink } from "./exporter.ts";
import { renderPage } from "./page/document.ts";
import type { Page, Part, Plot, Section, Table } from "./page/model.ts";
import type { SeriesEnd, SeriesExporter } from "./series_record.ts";

/** Writes the comparison of a series as one HTML file; nothing where there is none. */
export class SeriesPage implements SeriesExporter {
  readonly #sink: Sink;
  readonly #version: string;

  /** @param version of the program, which the page names. */
  constructor(sink: Sink, version: string) {
    this.#sink = sink;
    this.#version = version;
  }

  end({ report }: SeriesEnd): void {
    if (report !== null) this.#sink.write(renderPage(comparisonPage(report, this.#version)));
  }
}

/** The page of a comparison. @param version of the program. */
export function comparisonPage(report: ComparisonReport, version: string): Page {
  const { before, after, comparison: { method } } = report;
  const isSeveral = method !== "parts";
  const sections: Section[] = [
    {
      heading: "What changed",
      parts: [tablePart(metricTable(report)), ...plotParts(changes(report)), ...textParts(legend(report))],
    },
    { heading: "Latency", parts: plotParts(byPercentile(before, after), ...overTime(before, after)) },
    {
      heading: "The runs",
      parts: isSeveral ? [...plotParts(...eachRun(before, after)), tablePart(runTable(report))] : [],
    },
    {
      heading: "The comparison's JSON",
      parts: [{ kind: "saved", text: "The button saves what tsecho compare --json writes." }],
    },
  ];
  return {
    title: `tsecho compare: ${nameOf(before)} and ${nameOf(after)}`,
    facts: factsOf(report, version),
    verdicts: verdictsOf(report),
    sections: sections.filter(({ parts }) => parts.length > 0),
    document: {
      of: "comparison",
      name: "compare.json",
      json: `${JSON.stringify(comparisonRecord(report))}\n`,
    },
  };
}

/** What a side is called in the title. */
function nameOf(runs: readonly NamedRun[]): string {
  return runs.length === 1 ? runs[0]!.file : `${runs.length} runs of ${runs[0]!.run.endpoint}`;
}

/** The text's table, its words in front of the figures: a narrow screen shows the first columns. */
function metricTable(report: ComparisonReport): Table {
  const figures = metricHeading(report.comparison.method).slice(1, -1);
  return {
    caption: "Each metric before and after; the ratio is after divided by before",
    columns: [
      { name: "metric" },
      { name: "verdict", isShort: true },
      ...figures.map((name) => ({ name, isNumber: true })),
    ],
    rows: COMPARED.map((metric) => {
      const [name, ...cells] = metricCells(metric, report);
      return [name!, cells.pop()!, ...cells];
    }),
  };
}

function runTable({ before, after }: ComparisonReport): Table {
  const hasGenerator = before[0]!.run.generator !== null;
  const order = inOrder(before, after);
  const row = (side: string) => (run: NamedRun) => {
    const [file, ...cells] = runCells(run);
    return [
      file!,
      side,
      String(order.indexOf(run) + 1),
      ...cells,
      ...hasGenerator ? [run.run.generator?.verdict ?? ""] : [],
    ];
  };
  const [run, ...metrics] = RUN_HEADING;
  return {
    caption: "Each run",
    columns: [
      { name: run! },
      { name: "side" },
      { name: "order", isNumber: true },
      ...metrics.map((name) => ({ name, isNumber: true })),
      ...hasGenerator ? [{ name: "generator" }] : [],
    ],
    rows: [...before.map(row("before")), ...after.map(row("after"))],
  };
}

function tablePart(table: Table): Part {
  return { kind: "table", table };
}

function plotParts(...plots: (Plot | undefined)[]): Part[] {
  return plots.flatMap((plot) => plot === undefined ? [] : [{ kind: "plot", plot }]);
}

function textParts(texts: string[]): Part[] {
  return texts.map((text) => ({ kind: "text", text }));
}
