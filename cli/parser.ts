import { parseArgs } from "@std/cli/parse-args";
import { Failure } from "../failure.ts";
import { nearest } from "./suggest.ts";

/** The command line is wrong: exit code 2. */
export class UsageError extends Failure {
  override readonly name = "UsageError";
}

/** One option: a row of its command's table, where it stands under its long name without dashes. */
export interface Option {
  /** One letter or digit. */
  short?: string;
  /** Letters that other programs have for it: an error names the option. */
  elsewhere?: string;
  /** What stands for the value in the help; without it the option takes none. */
  value?: string;
  /** Reads the value; needed with one. @throws {Error} whose message says what was expected. */
  read?: (text: string) => unknown;
  /** The option may be given more than once. */
  repeat?: true;
  /** The heading under which the help lists it. */
  group: string;
  /** What it does, in as many words as are needed: the help breaks its lines. */
  help: string;
  /** What holds without it, as its reader takes it. */
  default?: string | number;
}

/** The options of a command, in the order of its help. */
export type OptionTable = Record<string, Option>;

type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

/** The options that were given, by their names in camel case; one without a value is true. */
export type OptionValues<Table extends OptionTable> = {
  [Name in keyof Table & string as CamelCase<Name>]?: Table[Name] extends {
    read: (text: string) => infer Value;
  } ? Table[Name] extends { repeat: true } ? Value[] : Value
    : true;
};

/** A command line split into options and positionals; only the options' names have been checked. */
export class Parsed<Table extends OptionTable = OptionTable> {
  readonly #table: Table;
  readonly #options: Record<string, boolean | string[] | undefined>;

  constructor(
    readonly positionals: string[],
    table: Table,
    options: Record<string, boolean | string[] | undefined>,
  ) {
    this.#table = table;
    this.#options = options;
  }

  /** Whether an option was given. */
  has(name: keyof Table & string): boolean {
    const option = this.#options[keyOf(name)];
    return option === true || (Array.isArray(option) && option.length > 0);
  }

  /** Reads the values of all options that were given. @throws {UsageError} */
  values(): OptionValues<Table> {
    const given = Object.keys(this.#table).filter((name) => this.has(name));
    return Object.fromEntries(given.map((name) => [camelCase(name), this.#value(name)])) as OptionValues<
      Table
    >;
  }

  #value(name: string): unknown {
    const { read, repeat } = this.#table[name]!;
    if (read === undefined) return true;
    const values = (this.#options[keyOf(name)] as string[]).map((text) => {
      try {
        return read(text);
      } catch (error) {
        throw new UsageError(`use --${name}`, text, (error as Error).message);
      }
    });
    return repeat ? values : values[0];
  }
}

/**
 * Splits a command line. As with getopt, an option that needs a value takes the next argument whatever it looks
 * like (`--max-line -1` is a bad size, not two options), short ones may be bundled and the last may have its value
 * attached (`-qc5`), and after `--` all are positional.
 *
 * @param helpCommand the command whose `--help` an error points to.
 * @throws {UsageError} for an unknown option, a missing value, a value too many, an option given twice.
 */
export function parseArgv<Table extends OptionTable>(
  argv: string[],
  table: Table,
  helpCommand: string,
): Parsed<Table> {
  const names = (withValue: boolean) =>
    Object.entries<Option>(table).filter(([, { value }]) => (value !== undefined) === withValue)
      .map(([name]) => keyOf(name));
  const { _: positionals, ...options } = parseArgs(inLongForm(argv, table, helpCommand), {
    boolean: names(false),
    string: ["_", ...names(true)],
    collect: names(true),
  });
  return new Parsed(positionals, table, options);
}

/** The arguments with each option as `--key=value`, which parseArgs can take for nothing else. @throws {UsageError} */
function inLongForm(argv: string[], table: OptionTable, helpCommand: string): string[] {
  const seen = new Set<string>();
  const args: string[] = [];
  const rest = [...argv];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") return [...args, "--", ...rest];
    if (!looksLikeOption(arg)) {
      args.push(arg);
      continue;
    }
    for (const { name, form, attached } of splitOptions(arg, table, helpCommand)) {
      const { value, repeat } = table[name]!;
      if (seen.has(name) && !repeat && value !== undefined) {
        throw new UsageError("use option", form, "it is given twice");
      }
      seen.add(name);
      if (value === undefined && attached !== undefined) {
        throw new UsageError("use option", arg, `--${name} takes no value`);
      }
      const text = value === undefined ? "true" : attached ?? rest.shift();
      if (text === undefined) throw new UsageError("use option", form, `it needs a value, ${value}`);
      args.push(`--${keyOf(name)}=${text}`);
    }
  }
  return args;
}

/** An option as it was typed. */
interface Typed {
  name: string;
  /** Its dashes and its name or letter. */
  form: string;
  /** The value in the same argument. */
  attached?: string;
}

/** The options in one argument: several where it is a bundle of letters. @throws {UsageError} */
function splitOptions(arg: string, table: OptionTable, helpCommand: string): Typed[] {
  const [form, attached] = splitAt(arg, arg.indexOf("="));
  const name = form.replace(/^--?/, "");
  const known = Object.hasOwn(table, name);
  if (arg.startsWith("--") && known) return [{ name, form, ...(attached !== undefined && { attached }) }];
  // `-port` is a mistake for `--port`, not `-p` with a value.
  const bundle = arg.startsWith("--") || (known && name.length > 1) ? undefined : splitBundle(arg, table);
  if (bundle !== undefined) return bundle;
  const letter = known ? undefined : letterElsewhere(form, table) ?? letterOfOtherCase(name, table);
  const meant = known ? name : nearest(name, Object.keys(table));
  const option = meant === undefined ? letter && `-${letter}` : `--${meant}`;
  const hint = option === undefined || name === "" ? `see ${helpCommand} --help` : `did you mean ${option}?`;
  throw new UsageError("use option", form, `there is no such option; ${hint}`);
}

/** The letter of an option that is this one as a capital or a small letter: `V` for `v`. */
function letterOfOtherCase(letter: string, table: OptionTable): string | undefined {
  return Object.values(table).find(({ short }) => short?.toLowerCase() === letter.toLowerCase())?.short;
}

/** The option that has this letter in other programs, alone or with a number behind it: `t, --duration` for `-d5s`. */
function letterElsewhere(form: string, table: OptionTable): string | undefined {
  const [, letter] = /^-([a-z])(?:[\d.].*)?$/i.exec(form) ?? [];
  if (letter === undefined) return undefined;
  const found = Object.entries(table).find(([, { elsewhere }]) => elsewhere?.includes(letter));
  return found && `${found[1].short}, --${found[0]}`;
}

/** Whether what was typed begins as options do; `-` alone stands for a stream. */
export function looksLikeOption(text: string): boolean {
  return text.startsWith("-") && text !== "-";
}

/** The options of a bundle such as `-qc5`; undefined where a letter is none. */
function splitBundle(arg: string, table: OptionTable): Typed[] | undefined {
  const options: Typed[] = [];
  for (let i = 1; i < arg.length; i++) {
    const [name, option] = Object.entries<Option>(table).find(([, { short }]) => short === arg[i]) ?? [];
    if (name === undefined || option === undefined) return undefined;
    const form = `-${arg[i]}`;
    const rest = arg.slice(i + 1);
    if (rest !== "" && (option.value !== undefined || rest.startsWith("="))) {
      return [...options, { name, form, attached: rest.replace(/^=/, "") }];
    }
    options.push({ name, form });
  }
  return options;
}

function splitAt(text: string, at: number): [before: string, after?: string] {
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** The name under which parseArgs knows an option: it would take `--no-tty` for `--tty` with the value false. */
function keyOf(name: string): string {
  return name.replace(/^no-/, "without-");
}

function camelCase(name: string): string {
  return name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
