import { reasonOf } from "../net/errors.ts";
import { writeAll } from "../net/stream.ts";

/**
 * What a terminal could take for more than text: control characters (C0, DEL, C1), line and paragraph separators,
 * and the characters that reorder what stands around them (Unicode's Bidi_Control).
 */
// deno-lint-ignore no-control-regex
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Text that came from elsewhere, safe to show on a terminal or in a log: `\x1b` instead of an escape character. */
export function escapeText(text: string): string {
  return text.replaceAll(UNSAFE, (char) => {
    const code = char.charCodeAt(0);
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** Like {@linkcode escapeText} for lines of text: line feeds and tabs stay. */
export function escapeLines(text: string): string {
  return text.replaceAll(/[^\n\t]+/g, escapeText);
}

/** It ran and failed: exit code 1, and one line that says what could not be done, to what, and why. */
export class Failure extends Error {
  /** Why, without what was tried. */
  readonly reason: string;

  /**
   * @param action what was tried, to follow "Cannot": `connect to`.
   * @param value what it was tried on, as the user wrote it; shown in quotes.
   */
  constructor(action: string, value: string, reason: string, options?: ErrorOptions) {
    super(cannot(action, value, reason), options);
    this.name = "Failure";
    this.reason = reason;
  }
}

/** The one grammar of error messages: `Cannot <action> "<value>": <reason>`. */
export function cannot(action: string, value: string, reason: string): string {
  return escapeText(`Cannot ${action} "${value}": ${reason}`);
}

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

/** A duration for people: `1.204s`, `750ms`. */
export function formatMillis(millis: number): string {
  return millis < 1000 ? `${Math.round(millis)}ms` : `${Number((millis / 1000).toFixed(3))}s`;
}
