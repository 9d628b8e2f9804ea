import { parseArgs } from "@std/cli/parse-args";
import { Failure } from "../failure.ts";

/** The command line is wrong: exit code 2. */
export class UsageError extends Failure {
  override readonly name = "UsageError";
}

/** One option: a row of its command's table, where it stands under its long name without dashes. */
export interface Option {
  /** One letter or digit. */
  short?: string;
  /** What stands for the value in the help; without it the option takes none. */
  value?: string;
  /** Reads the value; needed with one. @throws {Error} whose message says what was expected. */
  read?: (text: string) => unknown;
  /** The option may be given more than once. */
  repeat?: true;
  help: string;
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
 * like (`--max-line -1` is a bad size, not two options), a short one may have its value attached (`-c5`), and after
 * `--` all are positional.
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
  const rows = Object.entries<Option>(table);
  const seen = new Set<string>();
  const args: string[] = [];
  const rest = [...argv];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") return [...args, "--", ...rest];
    if (!arg.startsWith("-") || arg === "-") {
      args.push(arg);
      continue;
    }
    const attached = arg.length > 2 && rows.some(([, { value, short }]) => value && short === arg[1]);
    const form = attached ? /^(?<given>-.)=?(?<text>.*)$/s : /^(?<given>--?[^=]*)(?:=(?<text>.*))?$/s;
    const { given, text } = form.exec(arg)!.groups as { given: string; text?: string };
    const [name, option] = rows.find(([name, { short }]) => given === `--${name}` || given === `-${short}`) ??
      [];
    if (name === undefined || option === undefined) {
      throw new UsageError("use option", given, `there is no such option; see ${helpCommand} --help`);
    }
    if (seen.has(name) && !option.repeat && option.value !== undefined) {
      throw new UsageError("use option", given, "it is given twice");
    }
    seen.add(name);
    if (option.value === undefined) {
      if (text !== undefined) throw new UsageError("use option", arg, `--${name} takes no value`);
      args.push(`--${keyOf(name)}=true`);
    } else {
      const value = text ?? rest.shift();
      if (value === undefined) throw new UsageError("use option", given, `it needs a value, ${option.value}`);
      args.push(`--${keyOf(name)}=${value}`);
    }
  }
  return args;
}

/** The name under which parseArgs knows an option: it would take `--no-tty` for `--tty` with the value false. */
function keyOf(name: string): string {
  return name.replace(/^no-/, "without-");
}

function camelCase(name: string): string {
  return name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
