/** What was compared, and what came of it, in words. */
import { COMPARED, type ComparedMetric } from "../../stats/compared_metrics.ts";
import type { ComparisonMethod, ComparisonWord } from "../../stats/comparison.ts";
import type { Verdict } from "../../stats/threshold.ts";
import {
  changeText,
  differenceText,
  metricCells,
  settingsText,
  sideText,
  warningTexts,
} from "../comparison_figures.ts";
import type { ComparisonReport, NamedRun } from "../comparison_report.ts";
import type { Fact, PageVerdict } from "../page/model.ts";
import { verdictText } from "../text.ts";

/** How the words come about. */
const METHODS: Record<ComparisonMethod, string> = {
  parts: "how much five equal parts of each run differ (Welch's t test)",
  runs: "the runs as wholes (Mann and Whitney's test)",
  "too few runs": "nothing: there are too few runs",
};

/** So many generators that were not ok are told one by one. */
const MAX_WARNINGS = 3;

/** What was compared. @param version of the program that made the page. */
export function factsOf({ before, after, comparison }: ComparisonReport, version: string): Fact[] {
  const { command } = before[0]!.run.settings;
  return [
    { name: "Compared", value: `${command}: ${settingsText(before[0]!)}` },
    ...([["Before", before], ["After", after]] as const).flatMap(([side, runs]) => [
      { name: side, value: sideText(runs) },
      { name: `${side} began`, value: timesText(runs) },
    ]),
    { name: "Judged by", value: METHODS[comparison.method] },
    { name: "Made by", value: version },
  ];
}

/** When runs began. */
function timesText(runs: readonly NamedRun[]): string {
  const times = runs.map(({ run }) => run.time);
  const [first, last] = [Math.min(...times), Math.max(...times)].map((seconds) =>
    new Date(seconds * 1000).toISOString().replace("T", " ").slice(0, 19)
  );
  return first === last ? `${first} UTC` : `${first} to ${last} UTC`;
}

const TONES: Record<ComparisonWord, PageVerdict["tone"]> = {
  better: "good",
  worse: "bad",
  "no difference": "plain",
  "too short to tell": "unsure",
};

/** What came of it: conditions and each metric first, then what speaks against believing that. */
export function verdictsOf(report: ComparisonReport): PageVerdict[] {
  const { before, after, differences, notes, thresholds } = report;
  return [
    ...thresholds.map(conditionVerdict),
    ...COMPARED.map((metric) => metricVerdict(metric, report)),
    ...notes.map((text): PageVerdict => ({ topic: "Ended early", tone: "unsure", text })),
    ...differences.map((it): PageVerdict => ({ topic: "Runs", tone: "bad", text: differenceText(it) })),
    ...warnings([...before, ...after]).map((text): PageVerdict => ({ topic: "Runs", tone: "unsure", text })),
  ];
}

/** What speaks against believing runs; of many generators how many, as the table of runs has each. */
function warnings(runs: readonly NamedRun[]): string[] {
  const strained = runs.filter(({ run: { generator } }) => generator !== null && generator.verdict !== "ok");
  if (strained.length <= MAX_WARNINGS) return warningTexts(runs);
  const without = runs.map((it) => ({ ...it, run: { ...it.run, generator: null } }));
  return [
    `the generator was strained or limited in ${strained.length} of ${runs.length} runs`,
    ...warningTexts(without),
  ];
}

function conditionVerdict(verdict: Verdict): PageVerdict {
  const text = verdictText(verdict, changeText);
  if (text === undefined) {
    return { topic: "Condition", tone: "good", text: `${verdict.threshold} does not hold` };
  }
  return { topic: "Condition", tone: verdict.verdict === "broken" ? "bad" : "unsure", text };
}

/** A metric in words: `worse: 0.321 ms before, 0.474 ms after, ratio 1.476, 95 % interval 1.325 to 1.667`. */
function metricVerdict(metric: ComparedMetric, report: ComparisonReport): PageVerdict {
  const [name, before, after, ratio, interval, word] = metricCells(metric, report);
  const { verdict, help } = report.comparison.metrics[metric];
  const values = [
    `${before} before`,
    `${after} after`,
    ...(ratio === "-" ? [] : [`ratio ${ratio}`]),
    ...(interval === "-" ? [] : [`95 % interval ${interval}`]),
  ];
  const text = `${word}: ${values.join(", ")}${help === null ? "" : `; ${help}`}`;
  return { topic: name!, tone: verdict === null ? "unsure" : TONES[verdict], text };
}
