import { note, print, tell } from "./cli/stdio.ts";
import { EXIT_CODES, exitCodeOf } from "./commands/command.ts";
import { signalsOf } from "./commands/signals.ts";
import { COMMANDS, HELP, readWithoutCommand } from "./commands/tsecho.ts";
import { cannot, Failure } from "./failure.ts";

const SIGNALS = signalsOf({
  listen: Deno.addSignalListener,
  exit: () => Deno.exit(EXIT_CODES.failed),
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
    return EXIT_CODES["wrong command line"];
  }
  await print(await readWithoutCommand(argv));
  return EXIT_CODES.succeeded;
}

/** The exit code for what was thrown, after a line on stderr that says what it was. */
async function report(error: unknown): Promise<number> {
  if (error instanceof Deno.errors.BrokenPipe) return EXIT_CODES.succeeded; // stdout's reader has seen enough (`| head`)
  await note(
    error instanceof Failure ? error.message : cannot("go on", String(error), "this is a bug in tsecho"),
  );
  return exitCodeOf(error);
}

if (import.meta.main) Deno.exit(await run(Deno.args).catch(report));
