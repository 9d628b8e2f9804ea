/** Reads Markdown as far as the tests of the documents need it: what is code, what is a table, and what is prose. */

/** A block of code, indented or fenced, without its indentation. */
export interface CodeBlock {
  /** The number of its first line, from 1. */
  line: number;
  /** The word after the fence; "" for none. */
  language: string;
  text: string;
}

/** A document, taken apart. */
export interface Markdown {
  code: CodeBlock[];
  /** The rows of all tables, each with its cells; a row of dashes is none. */
  rows: string[][];
  /** What is neither code nor table, line by line; "" in place of these. */
  prose: string[];
}

export function readMarkdown(text: string): Markdown {
  const lines = text.split("\n");
  const code: CodeBlock[] = [];
  const rows: string[][] = [];
  const prose: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const fence = /^```(.*)$/.exec(line);
    if (fence !== null) {
      const end = lines.indexOf("```", i + 1);
      code.push({ line: i + 2, language: fence[1]!, text: lines.slice(i + 1, end).join("\n") });
      prose.push(...lines.slice(i, end + 1).map(() => ""));
      i = end;
    } else if (line.startsWith("    ") && (lines[i - 1] ?? "") === "") {
      const block = indentedBlock(lines, i);
      code.push({ line: i + 1, language: "", text: block.map((it) => it.slice(4)).join("\n") });
      prose.push(...block.map(() => ""));
      i += block.length - 1;
    } else if (line.startsWith("|")) {
      const cells = line.split("|").slice(1, -1).map((it) => it.trim());
      if (!cells.every((it) => /^:?-+:?$/.test(it))) rows.push(cells);
      prose.push("");
    } else {
      prose.push(line);
    }
  }
  return { code, rows, prose };
}

/** The lines of an indented block, blank ones between two of its lines included. */
function indentedBlock(lines: string[], first: number): string[] {
  let end = first;
  for (let i = first; i < lines.length && (lines[i] === "" || lines[i]!.startsWith("    ")); i++) {
    if (lines[i] !== "") end = i + 1;
  }
  return lines.slice(first, end);
}

/** What stands between backticks. */
export function inlineCode(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code!.replaceAll("\n", " "));
}

/** The address of a heading on its page. */
export function anchorOf(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

/** The part of a text below a heading, to the next one of its level or above. */
export function section(text: string, heading: string): string {
  const level = /^#+/.exec(heading)![0].length;
  const [, rest] = text.split(`\n${heading}\n`);
  if (rest === undefined) throw new Error(`there is no "${heading}"`);
  return rest.split(new RegExp(`^#{1,${level}} `, "m"))[0]!;
}
