import { errorReason, joined, LF, MAX_ERROR_LENGTH, mayBeError } from "./lines.ts";
import { acquireSlot, countLf, HUGE_SLOT, releaseSlot } from "./wasm/kernel.ts";

const NOTHING = new Uint8Array();

/** The most bytes of replies that are held back. */
export const MAX_HELD: number = MAX_ERROR_LENGTH;

/** The replies of a line server as they stream by, whatever they have to be like. */
export interface ReplyStream {
  /** Lines sent, one without LF at the end among them. They may be counted at each look. */
  readonly sent: number;
  /** Replies so far. */
  readonly answered: number;
  /** Whether fewer lines were answered than sent. */
  readonly isWaiting: boolean;
  /** The reason in the server's error reply, if there was one; set by {@linkcode ended} at the latest. */
  readonly error: string | undefined;
  /** The beginning of what is no reply, once something is none; nothing that follows is taken then. */
  readonly fault: string | undefined;
  /**
   * Where to put what is sent next: at most `length` bytes, at least one; undefined where replies have to come first.
   * What was put there stays until the next call.
   */
  room(length: number): Uint8Array<ArrayBuffer> | undefined;
  /** Records that as many bytes of the last room are sent. */
  sending(length: number): void;
  /** Records the end of what is sent. @param lacksLf whether its last line is to be answered as if it had an LF. */
  endInput(lacksLf: boolean): void;
  /**
   * The replies that can be passed on: all so far but a last line that is still in doubt, of at most
   * {@linkcode MAX_HELD} bytes.
   *
   * @param room bytes of memory in front of these that may be overwritten, with such a line: it is not copied then.
   */
  arrived(bytes: Uint8Array, room?: number): Uint8Array;
  /** What was held back, unless it is an error reply. To be called when the server has closed. */
  ended(): Uint8Array;
  /** Gives back what it has taken. */
  close(): void;
}

/**
 * Counts the replies of a line server of any kind, and tells a final error reply from them.
 *
 * A stamped reply never begins with `e`. A server without stamps may echo a line that begins with `error: `. Then only
 * the first reply is in doubt: it is an echo if it equals the first line sent.
 */
export class ReplyScanner implements ReplyStream {
  sent = 0;
  answered = 0;
  error: string | undefined;
  readonly fault: undefined = undefined;
  /** Whether replies have stamps; undefined before the first. */
  #stamped: boolean | undefined;
  #atLineStart = true;
  #held: Uint8Array = NOTHING;
  /** In the kernel's memory, so that it counts lines without a copy of them. */
  readonly #sending = acquireSlot(HUGE_SLOT);
  #firstSent: Uint8Array | undefined;
  #lacksLf = false;

  get isWaiting(): boolean {
    return this.sent > this.answered;
  }

  room(length: number): Uint8Array<ArrayBuffer> {
    return this.#sending.subarray(0, length);
  }

  sending(length: number): void {
    this.sent += countLf(this.#sending.subarray(0, length));
    this.#firstSent ??= this.#sending.slice(0, Math.min(length, MAX_ERROR_LENGTH));
  }

  endInput(lacksLf: boolean): void {
    this.#lacksLf = lacksLf;
    if (lacksLf) this.sent++;
  }

  arrived(bytes: Uint8Array, room = 0): Uint8Array {
    if (this.#held.length > 0) {
      bytes = joined(this.#held, bytes, room);
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

  ended(): Uint8Array {
    const held = this.#held;
    this.#held = NOTHING;
    this.error = errorReason(held);
    if (this.error !== undefined) return NOTHING;
    this.answered += countLf(held);
    if (held.length > 0) this.#atLineStart = held.at(-1) === LF;
    if (this.#lacksLf && !this.#atLineStart) this.answered++; // from a server that adds no LF either
    return held;
  }

  close(): void {
    releaseSlot(this.#sending);
  }

  /** Whether a first reply equals what was sent first: then it is an echo, whatever it looks like. */
  #isEcho(reply: Uint8Array): boolean {
    return reply.at(-1) === LF && reply.every((byte, i) => this.#firstSent?.[i] === byte);
  }
}
