import { errorReason, LF, mayBeError } from "./lines.ts";
import { countLf } from "./wasm/kernel.ts";

/** The longest error reply, in bytes. */
const MAX_ERROR_LENGTH = 256;
const NOTHING = new Uint8Array();

/**
 * Counts the replies of a line server as they stream by, and tells a final error reply from them.
 *
 * A stamped reply never begins with `e`. A server without stamps may echo a line that begins with `error: `. Then only
 * the first reply is in doubt: it is an echo if it equals the first line sent.
 */
export class ReplyScanner {
  /** Lines answered so far. */
  answered = 0;
  /** The reason in the server's error reply, if there was one; set by {@linkcode ended}. */
  error: string | undefined;
  /** Whether replies have stamps; undefined before the first. */
  #stamped: boolean | undefined;
  #atLineStart = true;
  #held: Uint8Array = NOTHING;
  #firstSent: Uint8Array | undefined;

  /** Records what is sent, of which only the first line's beginning matters. */
  sending(bytes: Uint8Array): void {
    this.#firstSent ??= bytes.slice(0, MAX_ERROR_LENGTH);
  }

  /** The replies that can be passed on: all so far except a last line that may be an error reply. */
  arrived(bytes: Uint8Array): Uint8Array {
    if (this.#held.length > 0) {
      const joined = new Uint8Array(this.#held.length + bytes.length);
      joined.set(this.#held);
      joined.set(bytes, this.#held.length);
      bytes = joined;
      this.#held = NOTHING;
      this.#atLineStart = true;
    }
    const lastLine = bytes.lastIndexOf(LF, bytes.length - 2) + 1;
    const maybeError = (lastLine > 0 || this.#atLineStart) && bytes.length - lastLine <= MAX_ERROR_LENGTH &&
      mayBeError(bytes.subarray(lastLine)) &&
      (this.#stamped ?? (lastLine === 0 ? !this.#isEcho(bytes) : bytes[0] === 0x5b));
    const passed = maybeError ? bytes.subarray(0, lastLine) : bytes;
    if (maybeError) this.#held = bytes.slice(lastLine);
    if (passed.length > 0) {
      this.#stamped ??= passed[0] === 0x5b;
      this.#atLineStart = passed.at(-1) === LF;
      this.answered += countLf(passed);
    }
    return passed;
  }

  /** What was held back, unless it is an error reply. Call it when the server has closed. */
  ended(): Uint8Array {
    const held = this.#held;
    this.#held = NOTHING;
    this.error = errorReason(held);
    if (this.error !== undefined) return NOTHING;
    this.answered += countLf(held);
    return held;
  }

  /** Whether a first reply equals what was sent first: then it is an echo, whatever it looks like. */
  #isEcho(reply: Uint8Array): boolean {
    return reply.at(-1) === LF && reply.every((byte, i) => this.#firstSent?.[i] === byte);
  }
}
