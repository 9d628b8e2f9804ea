/** A help text that fits a terminal, made of a command's table of options. */
import type { Option, OptionTable } from "./parser.ts";
import { grouped } from "./values.ts";

const WIDTH = 80;
/** The columns of an option's forms; what is wider has its help on the next line. */
const FORMS_WIDTH = 31;

/** What a help text consists of. */
export interface Help {
  /** The command lines that are possible. */
  usage: string[];
  /** What the command does: paragraphs, wrapped where they stand. */
  about: string;
  table: OptionTable;
  /** What each placeholder that `usage` and `table` name stands for. */
  placeholders: Record<string, string>;
  /** Command lines, and what they do. */
  examples: [command: string, effect: string][];
  /** What stands below the examples. */
  exitCodes: string;
}

/** The whole text, without an LF at its end. */
export function formatHelp({ usage, about, table, placeholders, examples, exitCodes }: Help): string {
  return [
    usage.map((line, i) => `${i === 0 ? "usage: " : "       "}${line}`).join("\n"),
    about.split("\n\n").map((paragraph) => wrap(paragraph, WIDTH).join("\n")).join("\n\n"),
    ...groupsOf(table).map(formatGroup),
    formatPlaceholders(placeholdersIn(usage, table), placeholders),
    formatExamples(examples),
    wrap(exitCodes, WIDTH).join("\n"),
  ].join("\n\n");
}

/** The placeholders in usage lines and options: words of capital letters. */
export function placeholdersIn(usage: string[], table: OptionTable): string[] {
  const values = Object.values<Option>(table).map(({ value = "" }) => value);
  return [...new Set([...usage, ...values].flatMap((text) => text.match(/\b[A-Z]+\b/g) ?? []))];
}

/** The options by group, in the order in which the table first names each. */
function groupsOf(table: OptionTable): [group: string, rows: [name: string, option: Option][]][] {
  return Object.entries(Object.groupBy(Object.entries<Option>(table), ([, { group }]) => group))
    .map(([group, rows]) => [group, rows!]);
}

function formatGroup([group, rows]: [string, [string, Option][]]): string {
  const lines = rows.map(([name, { short, value, help, default: otherwise }]) => {
    const forms = `${short === undefined ? "    " : `-${short}, `}--${name}${value ? ` ${value}` : ""}`;
    return formatRow(
      `  ${forms}`,
      otherwise === undefined ? help : `${help} (default ${defaultText(otherwise)})`,
    );
  });
  return `${group}:\n${lines.join("\n")}`;
}

/** A default as help shows it: counts have separators, what is given as text (a port, a time) stands as it is. */
export function defaultText(value: string | number): string {
  return typeof value === "number" ? grouped(value) : value;
}

/** A row of two columns. */
function formatRow(left: string, right: string, width = FORMS_WIDTH): string {
  const lines = wrap(right, WIDTH - width);
  const first = left.length + 2 > width ? `${left}\n${" ".repeat(width)}` : left.padEnd(width);
  return first + lines.join(`\n${" ".repeat(width)}`);
}

function formatPlaceholders(names: string[], placeholders: Record<string, string>): string {
  const width = Math.max(...names.map((it) => it.length)) + 4;
  return ["Values:", ...names.map((name) => formatRow(`  ${name}`, placeholders[name] ?? "", width))].join(
    "\n",
  );
}

/** With what they do beside them, in one column but for commands that are too long. */
function formatExamples(examples: Help["examples"]): string {
  const width = Math.min(42, Math.max(...examples.map(([command]) => command.length)) + 4);
  const lines = examples.map(([command, effect]) => `  ${command}  `.padEnd(width) + effect);
  return ["Examples:", ...lines.map((line) => line.trimEnd())].join("\n");
}

/** Breaks a text into lines at its blanks. A word that is longer than a line has one to itself. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
