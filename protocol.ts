/**
 * The protocol that server and client share: bytes in, bytes out, no sockets. docs/protocol.md describes it.
 */

export const FRAMINGS = ["line", "chunk"] as const;
/** How the server tells messages apart: by LF, or by whatever one read delivers. */
export type Framing = typeof FRAMINGS[number];

export const LF = 10;
/** The most bytes of one message in chunk framing: the classic programs' `recv(1024)`. */
export const CHUNK_SIZE = 1024;
/** What an error reply begins with. A stamped reply begins with `[`, so its first byte tells them apart. */
const ERROR_START = "error: ";

/** The bytes of an error reply. `reason` is one line of ASCII, below 200 characters. */
export function errorReply(reason: string): Uint8Array {
  return new TextEncoder().encode(`${ERROR_START}${reason}\n`);
}

// A connection that has sent a few bytes and waits is the common case, and there may be ten thousand of them: each
// keeps the small buffer. One that fills its buffer gets twice the size for its next read.
const SMALL_BUFFER = 1024;
const LARGE_BUFFER = 64 * 1024;
/** After so many reads in a row that used less than an eighth of the buffer it is made small again. */
const READS_UNTIL_SMALL = 16;
/** Up to this length a loop copies a line faster than the native call does. */
const SHORT_COPY = 64;

/**
 * Turns the bytes that arrive on one connection into replies, in order. Each byte is searched for LF once, however
 * the reads cut it.
 *
 * Reading and answering alternate: read into {@linkcode space}, say how much with {@linkcode arrived}, then call
 * {@linkcode take} until it returns 0.
 */
export class Answers {
  readonly #framing: Framing;
  readonly #maxLine: number;
  #buffer = new Uint8Array(SMALL_BUFFER);
  // buffer[start, end) has not been answered; buffer[start, scanned) holds no LF.
  #start = 0;
  #scanned = 0;
  #end = 0;
  /** Where the line ends (after its LF) whose prefix is out already but whose bytes are not all; 0 for none. */
  #lineEnd = 0;
  #smallReads = 0;
  #lines = 0;
  #overlong = false;

  /** @param maxLine the longest line in bytes, its LF not counted. Chunk framing has no use for it. */
  constructor(framing: Framing, maxLine: number) {
    this.#framing = framing;
    this.#maxLine = maxLine;
  }

  /** Lines (in chunk framing: messages) answered so far. */
  get lines(): number {
    return this.#lines;
  }

  /** Whether a line was longer than allowed: it and what follows it stay unanswered. */
  get overlong(): boolean {
    return this.#overlong;
  }

  /** Where the next read may put its bytes: one at least. It is valid until the next call of any method. */
  space(): Uint8Array<ArrayBuffer> {
    if (this.#framing === "chunk") {
      this.#start = this.#end = 0; // all is answered by now; the buffer keeps its CHUNK_SIZE bytes
      return this.#buffer;
    }
    if (this.#end === this.#buffer.length) this.#makeRoom();
    else if (this.#start === this.#end) {
      this.#start = this.#scanned = this.#end = 0;
      if (this.#smallReads >= READS_UNTIL_SMALL && this.#buffer.length > SMALL_BUFFER) {
        this.#smallReads = 0;
        this.#buffer = new Uint8Array(SMALL_BUFFER);
      }
    }
    return this.#buffer.subarray(this.#end);
  }

  /** Takes note of a read that put `n` bytes into the space. */
  arrived(n: number): void {
    this.#end += n;
    this.#smallReads = n * 8 < this.#buffer.length ? this.#smallReads + 1 : 0;
  }

  /** Takes note that no more bytes come: those left without LF are a line, and get one. */
  ended(): void {
    if (this.#framing === "chunk" || this.#start === this.#end || this.#overlong) return;
    if (this.#end === this.#buffer.length) this.#makeRoom();
    this.#buffer[this.#end++] = LF;
  }

  /**
   * Writes replies to the lines that are complete into `out`, until they are all there or `out` is full.
   *
   * @param out room for a prefix and a chunk at least, 2 KiB to be safe.
   * @param prefix what {@linkcode Prefix.at} gave for the moment of the read, the same for each call after one read.
   * @returns how many bytes were written; 0 when every complete line has been answered.
   */
  take(out: Uint8Array, prefix: Uint8Array): number {
    if (this.#framing === "chunk") return this.#takeChunk(out, prefix);
    const buffer = this.#buffer;
    let written = 0;
    while (!this.#overlong) {
      if (this.#lineEnd === 0) {
        let at = this.#scanned;
        while (at < this.#end && buffer[at] !== LF) at++;
        this.#scanned = at;
        if (at - this.#start > this.#maxLine) this.#overlong = true;
        else if (at === this.#end || written + prefix.length >= out.length) break;
        else {
          copy(prefix, 0, prefix.length, out, written);
          written += prefix.length;
          this.#lineEnd = at + 1;
        }
      } else {
        const stop = Math.min(this.#lineEnd, this.#start + out.length - written);
        copy(buffer, this.#start, stop, out, written);
        written += stop - this.#start;
        this.#start = stop;
        if (stop < this.#lineEnd) break;
        this.#scanned = stop;
        this.#lineEnd = 0;
        this.#lines++;
      }
    }
    return written;
  }

  #takeChunk(out: Uint8Array, prefix: Uint8Array): number {
    if (this.#start === this.#end) return 0;
    out.set(prefix);
    out.set(this.#buffer.subarray(0, this.#end), prefix.length);
    this.#start = this.#end;
    this.#lines++;
    return prefix.length + this.#end;
  }

  /**
   * Moves what is not answered yet to the front of a buffer of twice the size, for a read has filled this one; at the
   * full size only a line that takes up more than half of it makes it grow.
   */
  #makeRoom(): void {
    const rest = this.#buffer.subarray(this.#start, this.#end);
    const most = rest.length * 2 > this.#buffer.length
      ? Math.max(LARGE_BUFFER, this.#maxLine + 1)
      : LARGE_BUFFER;
    const length = Math.min(this.#buffer.length * 2, most);
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(length);
    this.#buffer.set(rest);
    this.#scanned -= this.#start;
    this.#start = 0;
    this.#end = rest.length;
  }
}

function copy(from: Uint8Array, start: number, stop: number, to: Uint8Array, at: number): void {
  if (stop - start > SHORT_COPY) {
    to.set(from.subarray(start, stop), at);
  } else {
    while (start < stop) to[at++] = from[start++]!;
  }
}

/** The bytes of `a`, then those of `b`, in an array of their own. */
export function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

/** How many lines end within `bytes`. */
export function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === LF) count++;
  }
  return count;
}

/** The reason in an error reply, or undefined if the line is none. */
export function errorReason(line: Uint8Array): string | undefined {
  if (line.length < ERROR_START.length || !mayBeError(line)) return undefined;
  return new TextDecoder().decode(line.subarray(ERROR_START.length)).trimEnd();
}

/** Whether a line, or as much as is known of it, begins as an error reply does. */
function mayBeError(line: Uint8Array): boolean {
  for (let i = 0; i < ERROR_START.length && i < line.length; i++) {
    if (line[i] !== ERROR_START.charCodeAt(i)) return false;
  }
  return line.length > 0;
}

/** No error reply is longer. */
const LONGEST_ERROR = 256;
const NOTHING = new Uint8Array();

/**
 * Counts the replies of a line server as they stream by, and tells its error reply, which ends them, from the rest.
 *
 * A stamped reply never begins with `e`. A server without stamps may well echo a line that begins with `error: `: only
 * the first reply is in doubt then, and is an echo if it equals the first line sent.
 */
export class Replies {
  answered = 0;
  /** Why the server ended the conversation, if it said so; known once {@linkcode ended} was called. */
  error: string | undefined;
  /** Whether replies have stamps; undefined before the first. */
  #stamped: boolean | undefined;
  #atLineStart = true;
  #held: Uint8Array = NOTHING;
  #firstSent: Uint8Array | undefined;

  /** Takes note of what is sent; only the beginning of the first line matters. */
  sending(bytes: Uint8Array): void {
    this.#firstSent ??= bytes.slice(0, LONGEST_ERROR);
  }

  /** The part of the replies so far that can be passed on: all but a last line that may be an error reply. */
  arrived(bytes: Uint8Array): Uint8Array {
    if (this.#held.length > 0) {
      bytes = concat(this.#held, bytes);
      this.#held = NOTHING;
      this.#atLineStart = true;
    }
    const lastLine = bytes.lastIndexOf(LF, bytes.length - 2) + 1;
    const maybeError = (lastLine > 0 || this.#atLineStart) && bytes.length - lastLine <= LONGEST_ERROR &&
      mayBeError(bytes.subarray(lastLine)) &&
      (this.#stamped ?? (lastLine === 0 ? !this.#isEcho(bytes) : bytes[0] === 0x5b));
    const passed = maybeError ? bytes.subarray(0, lastLine) : bytes;
    if (maybeError) this.#held = bytes.slice(lastLine);
    if (passed.length > 0) {
      this.#stamped ??= passed[0] === 0x5b;
      this.#atLineStart = passed.at(-1) === LF;
      this.answered += countLines(passed);
    }
    return passed;
  }

  /** What was held back and is no error reply. To be called when the server has closed. */
  ended(): Uint8Array {
    const held = this.#held;
    this.#held = NOTHING;
    this.error = errorReason(held);
    if (this.error !== undefined) return NOTHING;
    this.answered += countLines(held);
    return held;
  }

  /** Whether a first reply is what was sent first: then it is no error, however it looks. */
  #isEcho(reply: Uint8Array): boolean {
    return reply.at(-1) === LF && reply.every((byte, i) => this.#firstSent?.[i] === byte);
  }
}
