/** What every command consists of. */
import config from "../deno.json" with { type: "json" };
import { formatHelp } from "../cli/help.ts";
import { type OptionTable, parseArgv, type Parsed, UsageError } from "../cli/parser.ts";
import { print } from "../cli/stdio.ts";
import { namingOptions } from "../report/option_names.ts";
import { PLACEHOLDERS } from "./endpoints.ts";

/** How a command ended, other than with an error. */
export type Outcome = "succeeded" | "failed" | "threshold broken";

/** What the process exits with. */
export const EXIT_CODES = {
  "succeeded": 0,
  "failed": 1,
  "wrong command line": 2,
  "threshold broken": 3,
} as const satisfies Record<Outcome | "wrong command line", number>;

/** The exit code of an error that a command has thrown. */
export function exitCodeOf(error: unknown): number {
  return EXIT_CODES[error instanceof UsageError ? "wrong command line" : "failed"];
}

/** How a run of lines ended: with a reply at least, without any, or with a condition broken. */
export type RunOutcome = "replies" | "no replies" | "broken";

export const RUN_OUTCOMES: Record<RunOutcome, Outcome> = {
  "replies": "succeeded",
  "no replies": "failed",
  "broken": "threshold broken",
};

/** The signals of the process. Nothing is caught before it is asked for. */
export interface Signals {
  /**
   * A signal that SIGINT or SIGTERM aborts; one that comes 300 ms later or more ends the process at once. To be called
   * before anything is opened: registering the first listener without free descriptors crashes the process.
   *
   * @param hangup whether SIGHUP aborts it too, however often: when a terminal goes, several may come. One of the others
   * after it ends the process at once.
   * @param again is called by each further SIGINT or SIGTERM; while it returns true, the process goes on.
   */
  stop(hangup?: boolean, again?: () => boolean): AbortSignal;
  /** Calls the listener at each signal of this name; never on Windows, which has no such signal. */
  on(signal: "SIGHUP" | "SIGQUIT", listener: () => void): void;
}

/** Gets what the next signal ends, once: it returns whether there was something. Without it, the process ends. */
export type OnAgain = (end?: () => boolean) => void;

/** Gets what tells how a run goes, for SIGQUIT. */
export type OnQuit = (tell: () => void) => void;

/** What the signals end one after the other: the first what goes on at all, at SIGHUP too. */
export interface Steps {
  stop: AbortSignal;
  onAgain: OnAgain;
}

/** Has each signal after the first end one thing more, as the command says what; then the process. */
export function stepsOf(signals: Signals): Steps {
  let next: (() => boolean) | undefined;
  const stop = signals.stop(true, () => {
    const end = next;
    next = undefined;
    return end?.() ?? false;
  });
  return { stop, onAgain: (end) => next = end };
}

/** A command for main: what is typed after its name goes in, what became of it comes out. */
export interface Runnable {
  readonly help: string;
  /** @throws {Failure} when it failed, as a {@linkcode UsageError} when the command line is wrong. */
  run(argv: string[], signals: Signals): Promise<Outcome>;
}

/** What a command line asks for: to print a text, or to run. */
export type Request<Options> = { text: string } | { options: Options };

/** What a command is defined by: parsing, help and the tests of tables are made of it. */
export interface CommandDefinition<Table extends OptionTable, Options> {
  name: string;
  /** What may follow the name, a line for each form. */
  usage: string[];
  /** What it does, in paragraphs. */
  about: string;
  table: Table;
  /** What its own placeholders stand for. */
  placeholders?: Record<string, string>;
  /** What is typed after the program's name, perhaps within a pipe, and what it does. */
  examples: [command: string, effect: string][];
  exitCodes?: string;
  /** Checks the options beside each other, and adds the defaults. @throws {UsageError} */
  read(parsed: Parsed<Table>): Options;
  /** Joins what does the work to the terminal and files. @throws {Failure} */
  run(options: Options, signals: Signals): Promise<Outcome>;
}

/** The options that every command has. */
export const INFO_OPTIONS = {
  help: { group: "Help", short: "h", help: "print this help and exit" },
  version: { group: "Help", short: "V", help: "print the version and exit" },
} as const satisfies OptionTable;

export const VERSION = `tsecho ${config.version} (deno ${Deno.version.deno}, ${Deno.build.target})`;

/** The text that --help or --version asks for; undefined when neither is given. */
export function infoText(
  parsed: Parsed<typeof INFO_OPTIONS>,
  help: () => string,
): string | undefined {
  return parsed.has("help") ? help() : parsed.has("version") ? VERSION : undefined;
}

/** A command as it is run, by its definition. */
export class Command<Table extends OptionTable & typeof INFO_OPTIONS, Options> implements Runnable {
  readonly definition: CommandDefinition<Table, Options>;

  constructor(definition: CommandDefinition<Table, Options>) {
    this.definition = definition;
  }

  get help(): string {
    const { name, usage, placeholders, exitCodes, ...rest } = this.definition;
    return formatHelp({
      ...rest,
      usage: usage.map((it) => `tsecho ${name} ${it}`),
      placeholders: { ...PLACEHOLDERS, ...placeholders },
      exitCodes: `Exit codes: ${exitCodes ?? "0 success, 1 it ran and failed, 2 usage error"}`,
    });
  }

  /** Reads what is typed after the command's name. @throws {UsageError} */
  read(argv: string[]): Request<Options> {
    const { name, table, read } = this.definition;
    const parsed = parseArgv(argv, table, `tsecho ${name}`);
    const text = infoText(parsed as unknown as Parsed<typeof INFO_OPTIONS>, () => this.help);
    return text === undefined ? { options: read(parsed) } : { text };
  }

  async run(argv: string[], signals: Signals): Promise<Outcome> {
    const request = this.read(argv);
    if ("text" in request) {
      await print(request.text);
      return "succeeded";
    }
    try {
      return await this.definition.run(request.options, signals);
    } catch (error) {
      throw namingOptions(error);
    }
  }
}
