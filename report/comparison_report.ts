/** What a comparison of saved runs came to, for those who write it. */
import type { ChangeThreshold } from "../stats/compared_metrics.ts";
import { compareRuns, type Comparison, judgeChange } from "../stats/comparison.ts";
import type { Verdict } from "../stats/threshold.ts";
import type { ComparedRun } from "./compared_run.ts";

/** A saved run, and the file that has it. */
export interface NamedRun {
  file: string;
  run: ComparedRun;
}

/** What a run measured otherwise than the first. */
export interface Difference {
  file: string;
  /** Each setting in words: `rate 3000 lines/s instead of 2000 lines/s`. */
  texts: string[];
}

/** A comparison, and what it was made of. */
export interface ComparisonReport {
  before: NamedRun[];
  after: NamedRun[];
  /** Empty if all runs measured the same thing. */
  differences: Difference[];
  /** What else speaks against believing it, in words. */
  notes: string[];
  comparison: Comparison;
  thresholds: Verdict[];
}

/** Compares runs. @param before one at least, as `after`. @param conditions on what changed. */
export function comparisonReport(
  before: NamedRun[],
  after: NamedRun[],
  conditions: readonly ChangeThreshold[],
  notes: string[] = [],
): ComparisonReport {
  const [one, other] = [before, after].map((runs) => runs.map(({ run }) => run.figures));
  const comparison = compareRuns(one!, other!);
  const thresholds = conditions.map((it) => judgeChange(it, one!, other!, comparison));
  return { before, after, differences: differencesOf([...before, ...after]), notes, comparison, thresholds };
}

/** What runs measured otherwise than the first of them. */
export function differencesOf([first, ...others]: readonly NamedRun[]): Difference[] {
  const expected = first!.run.settings;
  return others.flatMap(({ file, run: { settings } }) => {
    // The commands' settings have names of their own.
    const names = settings.command === expected.command
      ? [...new Set([...Object.keys(expected), ...Object.keys(settings)])]
      : ["command"];
    const texts = names.filter((it) => settings[it] !== expected[it])
      .map((it) => differenceIn(it, settings[it], expected[it]));
    return texts.length === 0 ? [] : [{ file, texts }];
  });
}

/** A number of things, `50 connections`; a duration alone, `5 s`, does not say of what. */
const OF_THINGS = /^([\d.]+)( (?!m?s$).+)$/;

/** How a setting differs: `2000 lines/s instead of 600`, `arrivals poisson instead of uniform`. */
function differenceIn(name: string, value = "none", expected = "none"): string {
  const [, , things] = OF_THINGS.exec(value) ?? [];
  const [, count, same] = OF_THINGS.exec(expected) ?? [];
  if (things === undefined || things !== same) return `${name} ${value} instead of ${expected}`;
  return `${value} instead of ${count}`;
}
