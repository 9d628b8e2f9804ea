/** What was compared, and what came of it, in words. */
import { counted } from "../../failure.ts";
import { COMPARED } from "../../stats/compared_metrics.ts";
import type { ComparisonMethod, ComparisonWord } from "../../stats/comparison.ts";
import type { Verdict } from "../../stats/threshold.ts";
import {
  changeText,
  differenceText,
  labelOf,
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
    { name: "Judged by", value: methodText(comparison) },
    { name: "Made by", value: version },
  ];
}

function methodText({ method, metrics }: ComparisonReport["comparison"]): string {
  const isJudged = COMPARED.some((it) => metrics[it].verdict !== null && metrics[it].p !== null);
  return isJudged || method === "too few runs" ? METHODS[method] : "nothing: the runs are too short";
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
  "no clear difference": "unsure",
  "no difference": "plain",
  "too short to tell": "unsure",
};

/** From what is to be seen first to what is not. */
const WORDS = ["worse", "better", "too short to tell", "no clear difference", "no difference"] as const;

/** What came of it, also of conditions, then what speaks against believing that. */
export function verdictsOf(report: ComparisonReport): PageVerdict[] {
  const { before, after, differences, notes, thresholds } = report;
  return [
    result(report),
    ...thresholds.map(conditionVerdict),
    ...notes.map((text): PageVerdict => ({ topic: "Ended early", tone: "unsure", text })),
    ...differences.map((it): PageVerdict => ({ topic: "Not alike", tone: "bad", text: differenceText(it) })),
    ...warnings([...before, ...after]).map((text): PageVerdict => ({ topic: "Runs", tone: "unsure", text })),
  ];
}

/** What speaks against believing runs; of many generators how many, as the table of runs has each. */
function warnings(runs: readonly NamedRun[]): string[] {
  const strained = runs.filter(isStrained);
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

/** What came of all metrics in a sentence, and what speaks against it in a few words. */
function result(report: ComparisonReport): PageVerdict {
  const { before, after, differences, comparison: { metrics } } = report;
  const groups = Map.groupBy(COMPARED, (metric) => metrics[metric].verdict);
  const words = [...WORDS, null].filter((it) => groups.has(it));
  const told = words.map((it) => `${it ?? "not judged"}: ${groups.get(it)!.map(labelOf).join(", ")}`);
  const isSame = groups.get("no difference")?.length === COMPARED.length;
  const strained = [...before, ...after].filter(isStrained).length;
  const doubts = [
    ...differences.length > 0 ? ["not all runs measured the same thing"] : [],
    ...strained > 0 ? [`the generator was strained or limited in ${counted(strained, "run")}`] : [],
  ];
  const tone = TONES[words[0] ?? "too short to tell"];
  // What is not judged cannot be doubted.
  const isJudged = words.some((it) => it !== null && it !== "too short to tell");
  return {
    topic: "Result",
    // What is in doubt is no good news, nor no news.
    tone: tone === "bad" || doubts.length === 0 ? tone : "unsure",
    text:
      (isSame ? `no difference beyond what chance explains in ${COMPARED.length} metrics` : told.join("; ")) +
      (doubts.length === 0 || !isJudged ? "" : `, but ${doubts.join(", and ")}`),
  };
}

function isStrained({ run: { generator } }: NamedRun): boolean {
  return generator !== null && generator.verdict !== "ok";
}
