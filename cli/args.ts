import { parseArgs } from "@std/cli/parse-args";
import { Failure } from "../failure.ts";

/** The command line is wrong: exit code 2. */
export class UsageError extends Failure {
  override readonly name = "UsageError";
}

/** One option of a subcommand, as its help shows it. */
export interface OptionSpec {
  /** Long name without dashes. */
  name: string;
  /** One letter or digit. */
  short?: string;
  /** What stands for the value in the help; without it the option takes none. */
  value?: string;
  /** Whether it may be given more than once. */
  repeat?: boolean;
  help: string;
}

/** A command line taken apart by its options' table; nothing in it has been checked but the names. */
export class Parsed {
  constructor(
    readonly positionals: string[],
    private readonly options: Record<string, boolean | string[] | undefined>,
  ) {}

  /** Whether an option without a value was given. */
  has(name: string): boolean {
    return this.options[keyOf(name)] === true;
  }

  /** Whether an option was given at all. */
  given(name: string): boolean {
    return this.has(name) || (this.all(name)?.length ?? 0) > 0;
  }

  /** All values of an option, in order. */
  all(name: string): string[] {
    return this.options[keyOf(name)] as string[];
  }

  /** The value of an option read by `read`, or undefined when it was not given. @throws {UsageError} */
  read<T>(name: string, read: (text: string) => T): T | undefined {
    const [text] = this.all(name);
    if (text === undefined) return undefined;
    try {
      return read(text);
    } catch (error) {
      throw new UsageError(`use --${name}`, text, (error as Error).message);
    }
  }
}

/**
 * Takes a command line apart. As with getopt, an option that needs a value takes the next argument whatever it looks
 * like (`--max-line -1` is a bad size, not two options), a short one may have its value attached (`-c5`), and after
 * `--` all are positional.
 *
 * @throws {UsageError} for an unknown option, a missing value, a value too many, an option given twice.
 */
export function parseArgv(argv: string[], specs: OptionSpec[], helpCommand: string): Parsed {
  const seen = new Set<string>();
  const plain: string[] = [];
  const rest = [...argv];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") {
      plain.push("--", ...rest);
      break;
    }
    if (!arg.startsWith("-") || arg === "-") {
      plain.push(arg);
      continue;
    }
    const attached = arg.length > 2 && specs.some((it) => it.value !== undefined && it.short === arg[1]);
    const form = attached ? /^(?<name>-.)=?(?<value>.*)$/s : /^(?<name>--?[^=]*)(?:=(?<value>.*))?$/s;
    const { name, value } = form.exec(arg)!.groups as { name: string; value?: string };
    const spec = specs.find((it) => name === `--${it.name}` || name === `-${it.short}`);
    if (spec === undefined) {
      throw new UsageError("use option", name!, `there is no such option; see ${helpCommand} --help`);
    }
    if (seen.has(spec.name) && !spec.repeat && spec.value !== undefined) {
      throw new UsageError("use option", name!, "it is given twice");
    }
    seen.add(spec.name);
    if (spec.value === undefined) {
      if (value !== undefined) throw new UsageError("use option", arg, `--${spec.name} takes no value`);
      plain.push(`--${keyOf(spec.name)}=true`);
    } else {
      const text = value ?? rest.shift();
      if (text === undefined) throw new UsageError("use option", name!, `it needs a value, ${spec.value}`);
      plain.push(`--${keyOf(spec.name)}=${text}`);
    }
  }
  const names = (withValue: boolean) =>
    specs.filter((it) => (it.value !== undefined) === withValue).map((it) => keyOf(it.name));
  const { _: positionals, ...options } = parseArgs(plain, {
    boolean: names(false),
    string: ["_", ...names(true)],
    collect: names(true),
  });
  return new Parsed(positionals, options);
}

/** The name under which parseArgs knows an option: it would take `--no-tty` for `--tty` with the value false. */
function keyOf(name: string): string {
  return name.replace(/^no-/, "without-");
}

/** The lines of a help text that list options, each with its help from the same column on. */
export function formatOptions(specs: OptionSpec[]): string {
  const rows = specs.map(({ name, short, value, help }) => ({
    left: `  ${short === undefined ? "    " : `-${short}, `}--${name}${
      value === undefined ? "" : ` ${value}`
    }`,
    help,
  }));
  const width = Math.max(...rows.map(({ left }) => left.length)) + 2;
  return rows.map(({ left, help }) => left.padEnd(width) + help.replaceAll("\n", "\n" + " ".repeat(width)))
    .join("\n");
}

const BYTES_PER: Record<string, number> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Reads a size in bytes: `65536`, `64k`, `64KiB`. @throws {Error} when it is no size or outside [least, most]. */
export function parseSize(text: string, least: number, most: number): number {
  const match = /^(\d+)(?:([kmg])(?:ib)?)?$/i.exec(text);
  const size = match ? Number(match[1]) * BYTES_PER[(match[2] ?? "").toLowerCase()]! : NaN;
  if (!(size >= least && size <= most)) {
    throw new Error(
      `expected a size such as 65536, 64k or 64KiB, from ${formatSize(least)} to ${formatSize(most)}`,
    );
  }
  return size;
}

/** A size as {@linkcode parseSize} reads it, in the largest unit that divides it. */
export function formatSize(bytes: number): string {
  for (const [unit, name] of [["g", "GiB"], ["m", "MiB"], ["k", "KiB"]] as const) {
    if (bytes > 0 && bytes % BYTES_PER[unit]! === 0) return `${bytes / BYTES_PER[unit]!}${name}`;
  }
  return String(bytes);
}

const MILLIS_PER: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** The longest a timer of JavaScript can wait is 2^31 - 1 ms, a little more than this. */
const LONGEST_MILLIS = 500 * 3_600_000;

/** A duration with its unit in milliseconds; NaN for all else. */
function millisOf(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/i.exec(text);
  return match === null ? NaN : Number(match[1]) * MILLIS_PER[match[2]!.toLowerCase()]!;
}

/** Reads a duration in milliseconds: `500ms`, `1.5s`, `5m`, `2h`, or `0` for off. @throws {Error} for all else. */
export function parseDuration(text: string): number {
  const millis = text === "0" ? 0 : millisOf(text);
  if (!(millis <= LONGEST_MILLIS) || (millis > 0 && millis < 1)) {
    throw new Error("expected a duration such as 500ms, 10s or 5m, from 1ms to 500h, or 0 for off");
  }
  return millis;
}

/**
 * Reads a duration in milliseconds as ping does, where a number alone means seconds, or with a unit.
 *
 * @param least what it must be at least: 0, or 1 where there is no "off". @throws {Error} for all else.
 */
export function parseSeconds(text: string, least: number): number {
  const millis = /^(?:\d+(?:\.\d*)?|\.\d+)$/.test(text) ? Number(text) * 1000 : millisOf(text);
  if (!(millis <= LONGEST_MILLIS) || millis < least || (millis > 0 && millis < 1)) {
    throw new Error(
      `expected a time such as 0.2, 200ms or 10s, from 1ms to 500h${least === 0 ? ", or 0" : ""}`,
    );
  }
  return millis;
}

/** Reads a whole number from `least` to `most`. @throws {Error} for all else. */
export function parseCount(text: string, least: number, most: number): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(count >= least && count <= most)) throw new Error(`expected a whole number from ${least} to ${most}`);
  return count;
}

/** Reads one of a few words. @throws {Error} for all else. */
export function parseChoice<T extends string>(text: string, choices: readonly T[]): T {
  const choice = choices.find((it) => it === text);
  if (choice === undefined) {
    throw new Error(`expected ${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`);
  }
  return choice;
}
