import { UsageError } from "./cli/parser.ts";
import { note, print, tell } from "./cli/stdio.ts";
import type { Outcome } from "./commands/command.ts";
import { signalsOf } from "./commands/signals.ts";
import { COMMANDS, HELP, readWithoutCommand } from "./commands/tsecho.ts";
import { cannot, Failure } from "./failure.ts";

const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_THRESHOLD = 3;

const EXIT_CODES: Record<Outcome, number> = {
  "succeeded": EXIT_OK,
  "failed": EXIT_FAILED,
  "threshold broken": EXIT_THRESHOLD,
};

const SIGNALS = signalsOf({
  listen: Deno.addSignalListener,
  exit: () => Deno.exit(EXIT_FAILED),
  now: () => performance.now(),
  isWindows: Deno.build.os === "windows",
});

/** Runs the command that is named first. @returns the exit code. */
async function run(argv: string[]): Promise<number> {
  const [name = "", ...rest] = argv;
  if (Object.hasOwn(COMMANDS, name)) {
    const command = await COMMANDS[name]!();
    return EXIT_CODES[await command.run(rest, SIGNALS)];
  }
  if (argv.length === 0) {
    await tell(HELP);
    return EXIT_USAGE;
  }
  await print(await readWithoutCommand(argv));
  return EXIT_OK;
}

/** The exit code for what was thrown, after a line on stderr that says what it was. */
async function report(error: unknown): Promise<number> {
  if (error instanceof Deno.errors.BrokenPipe) return EXIT_OK; // stdout's reader has seen enough (`| head`)
  await note(
    error instanceof Failure ? error.message : cannot("go on", String(error), "this is a bug in tsecho"),
  );
  return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
}

if (import.meta.main) Deno.exit(await run(Deno.args).catch(report));
