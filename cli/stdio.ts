import { escapeText, Failure, reasonOfFile } from "../failure.ts";
import { aborted, writeAll } from "../net/stream.ts";

/** Tells the user something: one line on stderr, escaped. */
export async function note(text: string): Promise<void> {
  await tell(`tsecho: ${escapeText(text)}`);
}

/** Prints a text and LF on stderr. */
export async function tell(text: string): Promise<void> {
  try {
    await writeAll(Deno.stderr, new TextEncoder().encode(`${text}\n`));
  } catch {
    // stderr is closed: there is nobody to tell.
  }
}

/**
 * Does I/O on a stream of the process itself, and makes a failure of its errors. A closed stdout is none (`| head`):
 * its BrokenPipe passes.
 *
 * @param action `read` or `write`; @param stream its name.
 */
export async function standardIo<T>(action: string, stream: string, io: Promise<T>): Promise<T> {
  try {
    return await io;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw error;
    throw new Failure(action, stream, reasonOfFile(error), { cause: error });
  }
}

/** The size of reads of stdin: another thread does each, and the handover costs more than copying many bytes. */
export const STDIO_READ_SIZE = 512 * 1024;

/**
 * A function that reads stdin into a buffer and says how many bytes; null at its end, or once told to stop.
 * @throws {Failure}
 */
export function stdinReader(stop: AbortSignal): (buffer: Uint8Array) => Promise<number | null> {
  const stopped = aborted(stop).then(() => null);
  return (buffer) => Promise.race([standardIo("read", "standard input", Deno.stdin.read(buffer)), stopped]);
}

/** Reads stdin until its end, or until told to stop. What it gives is valid until the next step. @throws {Failure} */
export async function* readStdin(stop: AbortSignal): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(STDIO_READ_SIZE);
  const read = stdinReader(stop);
  for (let n; (n = await read(buffer)) !== null;) yield buffer.subarray(0, n);
}

/** Writes all of the bytes to stdout. @throws {Failure} */
export async function writeStdout(bytes: Uint8Array): Promise<void> {
  await standardIo("write", "standard output", writeAll(Deno.stdout, bytes));
}

/** Prints a text and LF on stdout. @throws {Failure} */
export async function print(text: string): Promise<void> {
  await writeStdout(new TextEncoder().encode(`${text}\n`));
}
