/** The documents against the code: links, files and symbols, options, fields, and the form of a page. */
import { assert, assertEquals } from "@std/assert";
import { client } from "../commands/client.ts";
import { compare } from "../commands/compare.ts";
import { load } from "../commands/load.ts";
import { ping } from "../commands/ping.ts";
import { server } from "../commands/server.ts";
import type { Option, OptionTable } from "../cli/parser.ts";
import { REPLY_FIELD_NAMES } from "../report/record.ts";
import { COUNTS, DISTRIBUTIONS, parseMetric, PING_METRICS, STATISTICS } from "../stats/metrics.ts";
import config from "../deno.json" with { type: "json" };
import { granted, type Options, test } from "./harness.ts";
import { anchorOf, inlineCode, type Markdown, readMarkdown, section } from "./markdown.ts";

const ROOT = new URL("../", import.meta.url);
const READ: Options = { needs: ["--allow-read"] };
const MAX_README_LINES = 175;
const MAX_README_WORDS = 1000;

/** Options that are not tsecho's, as the documents name them. */
const FOREIGN_OPTIONS = [
  ..."allow-net allow-read allow-write allow-run allow-all unstable-net no-lock global filter".split(" "),
  ..."now system no-create-home shell".split(" "), // systemctl, useradd
  ..."v8-flags max-semi-space-size".split(" "), // V8
  "against", // the benchmarks
];
/** Commands whose options are their own. */
const TSECHO = /(?:^|[\s|(])tsecho (\w+)/;

const documents: Record<string, string> = {};
if (granted("read")) {
  for (const name of ["README.md", "CONTRIBUTING.md"]) documents[name] = read(name);
  for (const { name } of Deno.readDirSync(new URL("docs", ROOT))) {
    if (name.endsWith(".md")) documents[`docs/${name}`] = read(`docs/${name}`);
  }
}

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

function exists(path: string): boolean {
  try {
    Deno.statSync(new URL(path, ROOT));
    return true;
  } catch {
    return false;
  }
}

/** Calls `check` with each document; what it returns are faults. */
function faultsOf(check: (text: string, parts: Markdown, name: string) => string[]): string[] {
  return Object.entries(documents).flatMap(([name, text]) =>
    check(text, readMarkdown(text), name).map((fault) => `${name}: ${fault}`)
  );
}

test("the README is short enough to be read", READ, () => {
  const text = documents["README.md"]!;
  const words = readMarkdown(text).prose.join("\n").split(/\s+/).filter((it) => /\w/.test(it));
  assert(text.trimEnd().split("\n").length <= MAX_README_LINES, `more than ${MAX_README_LINES} lines`);
  assert(words.length <= MAX_README_WORDS, `${words.length} words`);
});

test("every page of docs/ begins with its example", READ, () => {
  const faults = faultsOf((_, { code, prose }, name) => {
    if (!name.startsWith("docs/") || name === "docs/dependencies.md") return [];
    const heading = prose.findIndex((line) => line.startsWith("## "));
    return (code[0]?.line ?? Infinity) < heading ? [] : ["no code before its first section"];
  });
  assertEquals(faults, []);
});

test("a heading stands alone, with a blank line before and after it", READ, () => {
  const faults = faultsOf((_, { prose }) =>
    prose.flatMap((line, i) => {
      const glued = /^#+ /.test(line)
        ? [prose[i - 1], prose[i + 1]].some((it) => it !== undefined && it !== "")
        : /\S ##+ /.test(line);
      return glued ? [line] : [];
    })
  );
  assertEquals(faults, []);
});

test("every link within the repository leads to a file, and to a heading in it", READ, () => {
  const faults = faultsOf((text, _, name) =>
    [...text.matchAll(/\]\((?!\w+:)([^)#]*)(?:#([^)]+))?\)/g)].flatMap(([link, path, anchor]) => {
      const target = path === "" ? name : new URL(path!, `file:///${name}`).pathname.slice(1);
      if (!exists(target)) return [link];
      const anchors = [...(documents[target] ?? "").matchAll(/^#+ (.*)$/gm)].map(([, it]) => anchorOf(it!));
      return anchor === undefined || anchors.includes(anchor) ? [] : [link];
    })
  );
  assertEquals(faults, []);
});

/** A path of this repository, as it stands in inline code. */
const PATH = /^(?:[\w-]+\/)*[\w.-]+\.(?:ts|c|go|py|sh|mjs|wasm|md|json|svg)$|^(?:[\w-]+\/)+$|^\.ci\/run$/;
/** Paths that a reader makes, or that are not of this repository. */
const NOT_OURS = ["run.json", "before.json", "after.json", "cli/mod.js"];

test("every file that a document names exists", READ, () => {
  const faults = faultsOf((_, { prose, rows }) =>
    inlineCode([...prose, ...rows.flat()].join("\n"))
      .filter((it) => PATH.test(it) && !NOT_OURS.includes(it) && !exists(it))
  );
  assertEquals(faults, []);
});

test("every symbol that a document places in a file is there", READ, () => {
  const faults = faultsOf((_, { prose, rows }) => {
    const places = [...prose, ...rows.map((it) => it.join(" | "))].join("\n")
      .matchAll(/((?:`[\w.#]+`(?:, | and |\s+and\s+)?)+)\s+(?:of|in)\s+`([\w/]+\.ts)`/g);
    return [...places].flatMap(([place, symbols, file]) => {
      if (!exists(file!)) return [place];
      const source = read(file!);
      return inlineCode(symbols!).filter((symbol) =>
        !symbol.split(".").every((it) => new RegExp(`(?<![\\w#])${it}\\b`).test(source))
      ).map((symbol) => `${symbol} in ${file}`);
    });
  });
  assertEquals(faults, []);
});

test("every line of code that a document shows from a file is in it", READ, () => {
  const faults = faultsOf((text, _, name) => {
    const shown = [...text.matchAll(/^\[([\w/.]+)\]\([\w/.]+\):\n\n((?: {4}.*\n|\n(?= {4}))+)/gm)];
    if (name === "docs/sockets.md" && shown.length < 20) return [`${shown.length} pieces of code`];
    return shown.flatMap(([, file, code]) => {
      const [source, piece] = [read(file!), code!].map((it) => it.replaceAll(/\s+/g, " ").trim());
      return source!.includes(piece!) ? [] : [`${file} has no ${piece}`];
    });
  });
  assertEquals(faults, []);
});

const COMMANDS = { server, client, ping, load, compare } as const;
const TABLES = Object.values(COMMANDS).map(({ definition }): OptionTable => definition.table);
const OPTION_NAMES = new Set([...TABLES.flatMap(Object.keys), ...FOREIGN_OPTIONS]);

test("every option that a document names exists", READ, () => {
  const faults = faultsOf((_, { prose, rows, code }) => {
    const named = inlineCode([...prose, ...rows.flat()].join("\n"));
    const typed = code.flatMap(({ text }) => text.split("\n")).filter((line) => TSECHO.test(line));
    return [...named, ...typed.map((line) => line.slice(line.search(TSECHO)))]
      .flatMap((it) => [...it.matchAll(/(?<![\w-])--([a-z][\w-]*)/g)].map(([, name]) => name!))
      .filter((name) => !OPTION_NAMES.has(name));
  });
  assertEquals(faults, []);
});

test("every option of the server, of load and of compare is told in a document", READ, () => {
  const places = [
    [server, Object.keys(documents)],
    [load, ["docs/load.md"]],
    [compare, ["docs/compare.md"]],
  ] as const;
  for (const [{ definition }, names] of places) {
    const told = names.map((it) => documents[it]).join("\n");
    const untold = Object.entries<Option>(definition.table).filter(([name, { short, group }]) =>
      !(definition !== server.definition && ["Endpoints", "TLS", "Help"].includes(group)) &&
      ![`--${name}`, ...short === undefined ? [] : [`-${short}`]].some((it) =>
        new RegExp(`[\\s\`]${it}(?![\\w-])`).test(told)
      )
    );
    assertEquals(untold.map(([name]) => name), []);
  }
});

test("the README's limits are the server's options, with their defaults", READ, () => {
  const limits = readMarkdown(section(documents["README.md"]!, "## Server")).rows.slice(1);
  assert(limits.length > 0);
  const table: OptionTable = server.definition.table;
  const faults = limits.flatMap(([, option, said]) => {
    const { help, default: given } = table[inlineCode(option!)[0]!.slice(2)]!;
    const value = given ?? /\(default:? ([\w,]+?),? /.exec(help)?.[1] ?? "none";
    return valueOf(said!) === valueOf(String(value)) ? [] : [`${option}: README says ${said}, help ${value}`];
  });
  assertEquals(faults, []);
});

/** A default as one number, in ms or bytes: `64 KiB`, `10 minutes`, `10m`, `10,000, or …`; "none" as it is. */
function valueOf(text: string): string {
  const [, number, unit = ""] = /^([\d,]+)\s?([a-z]*)/i.exec(text) ?? [];
  if (number === undefined) return text === "no" ? "none" : text; // no limit
  const factor = { s: 1000, seconds: 1000, m: 60_000, minutes: 60_000, KiB: 1024, MiB: 1024 ** 2 }[unit] ?? 1;
  return String(Number(number.replaceAll(",", "")) * factor);
}

test("docs/json.md lists the fields of a reply, all of them and no others", READ, () => {
  const { rows } = readMarkdown(section(documents["docs/json.md"]!, "## reply"));
  const told = rows.slice(1).flatMap(([field]) => inlineCode(field!));
  assertEquals(told.toSorted(), ["type", ...REPLY_FIELD_NAMES].toSorted());
});

test("docs/clock.md lists the metrics of thresholds", READ, () => {
  const { rows } = readMarkdown(section(documents["docs/clock.md"]!, "## Thresholds"));
  const told = rows.slice(1).flatMap(([metric]) => inlineCode(metric!));
  const known = [...COUNTS, ...DISTRIBUTIONS, ...STATISTICS, "loss"];
  assertEquals(known.filter((it) => !told.includes(it)), []);
  assertEquals(told.filter((it) => parseMetric(it, PING_METRICS) === undefined && !known.includes(it)), []);
});

test("README and docs/architecture.md have docs/performance.md's figures", READ, () => {
  const { rows } = readMarkdown(documents["docs/performance.md"]!);
  const cells = (name: string) => rows.find(([it]) => it!.startsWith(name)) ?? [];
  const [pingPong, bulk] = ["ping-pong, lines/s", "bulk, lines/s"].map(cells);
  const [rate, millions, kib] = [pingPong![1], bulk![1], cells("idle memory")[1]].map(numberOf);
  const ratios = [pingPong, bulk].map((it) => /\((.*)×\)/.exec(it![2]!)![1]);
  const told = [
    `${rate!.toLocaleString("en")} lines a second`,
    `${Math.round(millions! / 1e6)} million`,
    `${ratios.map((it) => `${Math.round(100 * Number(it))}%`).join(" and ")} of what a C server does`,
    `${Math.round(kib!)} KiB`,
  ];
  const readme = section(documents["README.md"]!, "## Performance").replaceAll(/\s+/g, " ");
  assertEquals(told.filter((it) => !readme.includes(it)), []);

  const architecture = readMarkdown(documents["docs/architecture.md"]!).rows;
  const shares = (table: string[][]) => table.map(([, share]) => share!).filter((it) => /^\d+ %$/.test(it));
  assertEquals(shares(architecture), shares(rows).slice(0, shares(architecture).length));
  assertEquals(architecture[0]![2], `of ${(1e6 / rate!).toFixed(1)} µs`);
});

/** A figure of the benchmark: `6.89`, `157 k`, `22.2 M`. */
function numberOf(cell: string | undefined): number {
  const [, number, unit = ""] = /^([\d.]+)(?: ([kM]))?$/.exec(cell ?? "") ?? [];
  assert(number !== undefined, `docs/performance.md has ${cell} for a figure that README quotes`);
  return Number(number) * ({ k: 1e3, M: 1e6 }[unit] ?? 1);
}

test("every task that a document names exists", READ, () => {
  const faults = faultsOf((text) =>
    [...text.matchAll(/(?:deno(?:@[\d.]+)?) task ([\w-]+)/g)].map(([, task]) => task!)
      .filter((task) => !Object.hasOwn(config.tasks, task))
  );
  assertEquals(faults, []);
});

test("every command that a document shows is one that the parser takes", READ, () => {
  const faults = faultsOf((_, { code }) =>
    code.flatMap(({ text }) => text.split("\n")).flatMap((line) => {
      const words = tsechoWords(line);
      if (words === undefined) return [];
      const [name = "", ...argv] = words;
      if (!Object.hasOwn(COMMANDS, name)) return [line];
      try {
        COMMANDS[name as keyof typeof COMMANDS].read(argv);
        return [];
      } catch (error) {
        return [`${line}: ${(error as Error).message}`];
      }
    })
  );
  assertEquals(faults, []);
});

/** What a shell would hand to tsecho, if the line runs it; undefined if it does not. */
function tsechoWords(line: string): string[] | undefined {
  const [, command] = /^(?:\$ |.*?[|;] | *)tsecho ((?:server|client|ping|load|compare)\b.*)$/.exec(line) ??
    [];
  const words = command?.match(/'[^']*'|"[^"]*"|[^\s'"|;&<>]+|[|;&<>#].*/g) ?? undefined;
  const end = words?.findIndex((word) => /^[|;&<>#]/.test(word)) ?? -1;
  return words?.slice(0, end < 0 ? undefined : end).map((word) => word.replace(/^(['"])(.*)\1$/, "$2"));
}
