import { escapeText, Failure, reasonOf } from "../failure.ts";
import { writeAll } from "../net/stream.ts";

/** Says something on stderr that is no failure. */
export async function note(text: string): Promise<void> {
  try {
    await writeAll(Deno.stderr, new TextEncoder().encode(`tsecho: ${escapeText(text)}\n`));
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
    throw new Failure(action, stream, reasonOf(error), { cause: error });
  }
}
