/** Saved runs, which ping summarises again and compare compares. */
import type { UsedFile } from "../cli/output.ts";
import { UsageError } from "../cli/parser.ts";
import { STDIN } from "../cli/values.ts";
import { Failure, reasonOfFile } from "../failure.ts";
import { decodeText, readText } from "../net/file.ts";

/**
 * Checks a command line of a saved run, for which no new one is made.
 *
 * @param names of all options. @param allowed those that have a meaning with --from. @throws {UsageError}
 */
export function checkReplay<Name extends string>(
  parsed: { positionals: string[]; has(name: Name): boolean },
  names: readonly Name[],
  allowed: readonly string[],
): void {
  const reason = "with --from there is no new run";
  const [endpoint] = parsed.positionals;
  if (endpoint !== undefined) throw new UsageError("use endpoint", endpoint, reason);
  const stray = names.find((name) => parsed.has(name) && !allowed.includes(name));
  if (stray !== undefined) throw new UsageError("use option", `--${stray}`, reason);
}

/** Bytes of a saved run, some 2 million replies: the engine's strings end at 512 MiB. */
const MAX_RUN_SIZE = 500 * 1024 ** 2;

/**
 * Reads a saved run from a file, or from {@linkcode STDIN}.
 *
 * @param option that names the file.
 * @param read takes its text.
 * @returns the file too, if it is one: what wrote to it would lose the run. @throws {Failure} when it cannot be read.
 */
export async function readSaved<Run>(
  path: string,
  option: string,
  read: (text: string) => Run,
): Promise<{ run: Run; files: UsedFile[] }> {
  try {
    if (path === STDIN) return { run: read(await decodeText(Deno.stdin.readable, MAX_RUN_SIZE)), files: [] };
    const run = read(await readText(path, MAX_RUN_SIZE));
    return { run, files: [{ name: option, info: await Deno.stat(path) }] };
  } catch (error) {
    throw new Failure("read the run", path, reasonOfFile(error), { cause: error });
  }
}
