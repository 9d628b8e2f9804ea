/** `tsecho compare`: its options, and the checks between them. */
import { looksLikeOption, type OptionTable, type Parsed, UsageError } from "../cli/parser.ts";
import { parseInputPath, parseOutputPath, STDIN } from "../cli/values.ts";
import { COMPARED, nameOfCompared, parseChange } from "../stats/compared_metrics.ts";
import { Command, INFO_OPTIONS, type Outcome } from "./command.ts";
import type { CompareOptions } from "./compare_run.ts";
import { checkStreams } from "./outputs.ts";

/** More runs of a side take long to rank, and tell no more. */
const MAX_RUNS = 100;

const OPTIONS = {
  before: {
    group: "Runs",
    value: "FILES",
    read: parseFiles,
    help: "several runs before the change; with five or more on each side the runs are compared as wholes",
  },
  after: { group: "Runs", value: "FILES", read: parseFiles, help: "and several after it" },
  anyway: { group: "Runs", help: "compare runs that measured different things too, and say what differs" },
  "fail-if": {
    group: "Conditions",
    value: "CHANGE",
    read: parseChange,
    repeat: true,
    help:
      "exit with 3 if this holds over the whole 95% interval, or cannot be decided, such as 'p99>+10%'; may repeat",
  },
  lenient: { group: "Conditions", help: "let a comparison pass that cannot decide a --fail-if" },
  json: {
    group: "Output",
    value: "FILE",
    read: parseOutputPath,
    help: "write the comparison as one JSON document; - for stdout",
  },
  html: {
    group: "Output",
    value: "FILE",
    read: parseOutputPath,
    help: "write the comparison as one self-contained HTML report; - for stdout",
  },
  ...INFO_OPTIONS,
} as const satisfies OptionTable;

/** Reads the names of files between commas. @throws {Error} for what can be no file's name. */
function parseFiles(text: string): string[] {
  const files = text.split(",").map(parseInputPath);
  const again = files.find((it, place) => files.indexOf(it) < place);
  if (again !== undefined) throw new Error(`"${again}" is named twice`);
  if (files.length > MAX_RUNS) throw new Error(`expected at most ${MAX_RUNS} files`);
  return files;
}

function read(parsed: Parsed<typeof OPTIONS>): CompareOptions {
  const { before, after, anyway = false, failIf: thresholds = [], lenient = false, json, html } = parsed
    .values();
  if (lenient && thresholds.length === 0) {
    throw new UsageError("use option", "--lenient", "it needs --fail-if");
  }
  checkStreams({ json, html }, false);
  return {
    ...sidesOf(parsed.positionals, before, after),
    ...{ anyway, thresholds, lenient },
    ...(json !== undefined && { json }),
    ...(html !== undefined && { html }),
  };
}

/** The files of both sides. @throws {UsageError} where there are too few, too many, or one on both sides. */
function sidesOf(
  files: readonly string[],
  before: string[] | undefined,
  after: string[] | undefined,
): Pick<CompareOptions, "before" | "after"> {
  if (before === undefined && after === undefined) {
    const [one, other, stray] = files;
    const expected = "expected two runs, BEFORE and AFTER, or --before and --after";
    if (one === undefined) throw new UsageError("run", "compare", expected);
    if (stray !== undefined) throw new UsageError("use argument", stray, expected);
    if (other === undefined) return { before: [checked(one)], after: [] };
    const sides = { before: [checked(one)], after: [checked(other)] };
    if (one === STDIN && other === STDIN) throw new UsageError("use argument", other, "stdin has one run");
    if (one === other) throw new UsageError("use argument", other, "BEFORE names it too");
    return sides;
  }
  const [stray] = files;
  if (stray !== undefined) {
    throw new UsageError("use argument", stray, "with --before and --after all runs are named there");
  }
  if (before === undefined) throw new UsageError("use option", "--after", "it needs --before");
  if (after === undefined) throw new UsageError("use option", "--before", "it needs --after");
  const both = after.find((it) => before.includes(it));
  if (both !== undefined) throw new UsageError("use --after", both, "--before names it too");
  return { before, after };
}

/** @throws {UsageError} for what can be no file's name. */
function checked(file: string): string {
  try {
    return parseInputPath(looksLikeOption(file) ? `./${file}` : file); // it stands after `--`
  } catch (error) {
    throw new UsageError("use argument", file, (error as Error).message);
  }
}

const ABOUT = `\
Says what changed between two saved runs of load or of ping, and whether that is more than chance gives: for p50, p90, \
p99, p99.9, the received rate and loss both values, their ratio with its 95% interval, and a word.

One run on each side is judged by how much five equal parts of it differ, from 30 s on. Two identical runs can \
differ by more than that; five runs or more on each side settle it. Runs that measured different things are refused.`;

const EXAMPLES: [string, string][] = [
  ["tsecho load -R 2000 -t 1m --json a.json web", "save a run; then change something"],
  ["tsecho load -R 2000 -t 1m --json b.json web", "save another ..."],
  ["tsecho compare a.json b.json", "... and see what differs"],
  ["tsecho compare --fail-if 'p99>+10%' a.json b.json", "in CI"],
  ["tsecho compare --before a1,a2,a3,a4,a5 --after b1,b2,b3,b4,b5", ""],
  ["tsecho compare --html ab.html a.json b.json", "tables and charts"],
  ["tsecho compare ab.json", "a file of load --against"],
  ["tsecho compare --anyway --json - a.json b.json", ""],
];

const CHANGES = `\
a metric, >, >=, < or <=, and a change with its sign: p99>+10%, rate<-5%. Metrics: \
${COMPARED.map(nameOfCompared).join(", ")}`;

const EXIT_CODES = `\
0 it was compared, 1 it could not be, 2 usage error, 3 a --fail-if condition held, or could not be decided`;

async function run(options: CompareOptions): Promise<Outcome> {
  const { compareSaved } = await import("./compare_run.ts");
  return await compareSaved(options);
}

export const compare = new Command({
  name: "compare",
  usage: ["BEFORE AFTER [options]", "--before FILES --after FILES [options]", "BOTH [options]"],
  about: ABOUT,
  table: OPTIONS,
  placeholders: {
    BEFORE: "the file of a run that --json or --json-stream of load or ping wrote; - for stdin",
    AFTER: "the file of another, measured in the same way",
    BOTH: "a file that load --against --json wrote, which has the runs of both sides; - for stdin",
    FILES: "files with commas between them: a1.json,a2.json",
    FILE: "a path",
    CHANGE: CHANGES,
  },
  examples: EXAMPLES,
  exitCodes: EXIT_CODES,
  read,
  run,
});
