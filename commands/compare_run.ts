/** `tsecho compare`: reads saved runs, compares them, and writes what came of it. */
import type { UsedFile } from "../cli/output.ts";
import { UsageError } from "../cli/parser.ts";
import { note } from "../cli/stdio.ts";
import { STDOUT } from "../cli/values.ts";
import { Failure } from "../failure.ts";
import { comparisonRecord } from "../report/compare_json.ts";
import { comparisonLines } from "../report/compare_text.ts";
import { changeText } from "../report/comparison_figures.ts";
import { readComparedRun } from "../report/compared_run.ts";
import { type ComparisonReport, comparisonReport, type NamedRun } from "../report/comparison_report.ts";
import { readSeries, type SavedSeries } from "../report/saved_series.ts";
import { verdictText } from "../report/text.ts";
import type { ChangeThreshold } from "../stats/compared_metrics.ts";
import type { Verdict } from "../stats/threshold.ts";
import { type Outcome, VERSION } from "./command.ts";
import { Outputs } from "./outputs.ts";
import { readSaved } from "./saved.ts";

/** What `tsecho compare` was asked for. */
export interface CompareOptions {
  /** The files of the runs: one or more of each; or one that has the runs of both sides, and none after. */
  before: string[];
  after: string[];
  /** Whether runs that measured different things are compared. */
  anyway: boolean;
  /** Conditions under which the comparison has failed. */
  thresholds: ChangeThreshold[];
  /** Whether it passes if one of these cannot be decided. */
  lenient: boolean;
  /** Files for the comparison as JSON and as a page, by `parseOutputPath`. */
  json?: string;
  html?: string;
}

/** Compares runs. @throws {Failure} when one cannot be read, or measured something else; or nothing can be written. */
export async function compareSaved(options: CompareOptions): Promise<Outcome> {
  const used: UsedFile[] = [];
  const [both] = options.after.length === 0 ? options.before : [];
  const { before, after, ended = null } = both !== undefined ? await readBoth(both, used) : {
    before: await readRuns(options.before, "BEFORE", used),
    after: await readRuns(options.after, "AFTER", used),
  };
  const report = comparisonReport(before, after, options.thresholds, ended === null ? [] : [ended]);
  if (!options.anyway) refuse(before[0]!, report.differences);
  await write(report, options, used);
  return await judgeAll(report.thresholds, options.lenient) ? "succeeded" : "threshold broken";
}

/** Says which conditions failed a comparison. @returns whether it passes. */
export async function judgeAll(thresholds: readonly Verdict[], lenient: boolean): Promise<boolean> {
  for (const verdict of thresholds) {
    const line = verdictText(verdict, changeText);
    if (line !== undefined) await note(line);
  }
  return !thresholds.some((it) => it.broken || (it.verdict === "cannot tell" && !lenient));
}

/** The runs in one file. @throws {UsageError} where it has those of one side. */
async function readBoth(path: string, used: UsedFile[]): Promise<SavedSeries> {
  const { run, files } = await readSaved(path, "BOTH", (text) => {
    const series = readSeries(text);
    if (series === undefined) readComparedRun(text); // what is wrong with it comes first
    return series;
  });
  used.push(...files);
  if (run === undefined) {
    throw new UsageError("compare", path, "it has one run; name another one to compare it with");
  }
  return run;
}

/** @param name what names the files on the command line; what writes is kept from them. */
async function readRuns(files: string[], name: string, used: UsedFile[]): Promise<NamedRun[]> {
  const runs: NamedRun[] = [];
  for (const path of files) {
    const { run, files: read } = await readSaved(
      path,
      files.length === 1 ? name : `--${name.toLowerCase()}`,
      readComparedRun,
    );
    used.push(...read);
    runs.push({ file: path, run });
  }
  return runs;
}

/** @throws {Failure} where a run measured something else than the first. */
function refuse(first: NamedRun, [difference]: ComparisonReport["differences"]): void {
  if (difference === undefined) return;
  const { file, texts } = difference;
  const reason = `it did not measure the same thing as "${first.file}": ${
    texts.join(", ")
  }; --anyway compares them anyway`;
  throw new Failure("compare", file, reason);
}

/** Writes the comparison. Where one of its files cannot be written, the text is on stdout nevertheless. */
async function write(
  report: ComparisonReport,
  { json, html }: Pick<CompareOptions, "json" | "html">,
  used: UsedFile[],
): Promise<void> {
  const outputs = new Outputs<() => void>({ sources: used });
  try {
    if (![json, html].includes(STDOUT)) {
      const stdout = outputs.stdout();
      outputs.add(() => stdout.write(`${comparisonLines(report).join("\n")}\n`));
    }
    const document = () => `${JSON.stringify(comparisonRecord(report))}\n`;
    const open = async () => {
      await outputs.file(json, "--json", "document", (sink) => () => sink.write(document()));
      if (html !== undefined) {
        const { comparisonPage } = await import("../report/compare_page.ts");
        const { renderPage } = await import("../report/page/document.ts");
        const page = () => renderPage(comparisonPage(report, VERSION));
        await outputs.file(html, "--html", "document", (sink) => () => sink.write(page()));
      }
    };
    const failure = await open().then(() => undefined, (error) => error);
    if (failure instanceof UsageError) throw failure;
    outputs.each((it) => it());
    await outputs.flush();
    if (failure !== undefined) throw failure;
  } finally {
    await outputs.close();
  }
}
