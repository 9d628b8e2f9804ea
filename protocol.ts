/**
 * The protocol that server and client share: bytes in, bytes out, no sockets. docs/protocol.md describes it.
 */
import {
  countLf,
  giveBack,
  LARGE_SLOT,
  NO_LINE,
  SMALL_SLOT,
  stamped,
  stampLines,
  takeSlot,
  TOO_LONG,
} from "./kernel/kernel.ts";
import { LONGEST_PREFIX, prefixLength } from "./time/stamp.ts";

export const FRAMINGS = ["line", "chunk"] as const;
/** How the server tells messages apart: by LF, or by whatever one read delivers. */
export type Framing = typeof FRAMINGS[number];

export const LF = 10;
/** The most bytes of one message in chunk framing: the classic programs' `recv(1024)`, and what a small slot holds. */
export const CHUNK_SIZE = SMALL_SLOT;
/** What an error reply begins with. A stamped reply begins with `[`, so its first byte tells them apart. */
const ERROR_START = "error: ";

/** The bytes of an error reply. `reason` is one line of ASCII, below 200 characters. */
export function errorReply(reason: string): Uint8Array {
  return new TextEncoder().encode(`${ERROR_START}${reason}\n`);
}

/** After so many reads in a row that a small buffer would have held, a large one is made small again. */
const READS_UNTIL_SMALL = 16;

/**
 * Turns the bytes that arrive on one connection into replies, in order.
 *
 * Reading and answering alternate: read into {@linkcode space}, say how much with {@linkcode arrived}, then call
 * {@linkcode take} until it returns undefined.
 */
export class Answers {
  readonly #framing: Framing;
  readonly #maxLine: number;
  // A connection that has sent a few bytes and waits is the common case, and there may be ten thousand of them: each
  // keeps a small buffer. One that fills its buffer gets more for its next read.
  #buffer = takeSlot(SMALL_SLOT);
  // buffer[start, end) has not been answered; buffer[start, scanned) holds no LF.
  #start = 0;
  #scanned = 0;
  #end = 0;
  /** Where the line ends (after its LF) whose prefix is out already but whose bytes are not; 0 for none. */
  #lineEnd = 0;
  #smallReads = 0;
  #lines = 0;
  #overlong = false;
  /** The replies that `take` returned last, to be given back. */
  #replies: Uint8Array | undefined;

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
    if (this.#start === this.#end) {
      this.#start = this.#scanned = this.#end = 0;
      if (this.#smallReads >= READS_UNTIL_SMALL && this.#buffer.length > SMALL_SLOT) {
        giveBack(this.#buffer);
        this.#buffer = takeSlot(SMALL_SLOT);
      }
      return this.#buffer;
    }
    if (this.#end === this.#buffer.length) this.#makeRoom();
    return this.#buffer.subarray(this.#end);
  }

  /** Takes note of a read that put `n` bytes into the space. */
  arrived(n: number): void {
    this.#end += n;
    this.#smallReads = n < SMALL_SLOT ? this.#smallReads + 1 : 0;
  }

  /** Takes note that no more bytes come: those left without LF are a line, and get one. */
  ended(): void {
    if (this.#framing === "chunk" || this.#start === this.#end || this.#overlong) return;
    if (this.#end === this.#buffer.length) this.#makeRoom();
    this.#buffer[this.#end++] = LF;
  }

  /**
   * The next replies to the lines that are complete, or undefined when there are none any more. They are valid until
   * the next call of any method.
   *
   * @param prefix what {@linkcode Prefix.at} gave for the moment of the read, the same for each call after one read.
   */
  take(prefix: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    this.#giveBackReplies();
    if (this.#framing === "chunk") return this.#takeChunk(prefix);
    if (this.#lineEnd > 0) return this.#takeLongLine();
    if (this.#scanned === this.#end || this.#overlong) return undefined;
    // The rest of a line that an earlier read began: the kernel would search the line from its beginning.
    if (this.#scanned > this.#start && !this.#findLf()) return undefined;
    const replies = stampLines(this.#buffer, this.#start, this.#end, prefix, this.#maxLine);
    this.#start += stamped.taken;
    this.#lines += stamped.lines;
    if (stamped.reason === TOO_LONG) {
      this.#overlong = true;
    } else if (stamped.reason === NO_LINE) {
      this.#noLfUntilEnd();
    } else if (replies.length === 0) {
      return this.#findLf() ? this.#startLongLine(prefix) : undefined;
    } else {
      this.#scanned = this.#start;
    }
    if (replies.length === 0) return undefined;
    this.#replies = replies;
    return replies;
  }

  /** Gives the buffers back. No method may be called any more, and nothing may use what they returned. */
  close(): void {
    this.#giveBackReplies();
    giveBack(this.#buffer);
  }

  /** Moves on to the first LF that has not been searched for, if there is one. */
  #findLf(): boolean {
    const at = this.#buffer.subarray(this.#scanned, this.#end).indexOf(LF);
    if (at < 0) {
      this.#noLfUntilEnd();
      return false;
    }
    this.#scanned += at;
    return true;
  }

  #noLfUntilEnd(): void {
    this.#scanned = this.#end;
    if (this.#end - this.#start > this.#maxLine) this.#overlong = true;
  }

  /** A line that does not fit beside its prefix follows it, straight from where it was read. */
  #startLongLine(prefix: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    if (this.#scanned - this.#start > this.#maxLine) {
      this.#overlong = true;
      return undefined;
    }
    this.#lineEnd = this.#scanned + 1;
    return prefix.length > 0 ? prefix.slice() : this.#takeLongLine();
  }

  #takeLongLine(): Uint8Array<ArrayBuffer> {
    const line = this.#buffer.subarray(this.#start, this.#lineEnd);
    this.#start = this.#scanned = this.#lineEnd;
    this.#lineEnd = 0;
    this.#lines++;
    return line;
  }

  #takeChunk(prefix: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    if (this.#start === this.#end) return undefined;
    const length = prefix.length + this.#end;
    const replies = takeSlot(LARGE_SLOT, length);
    replies.set(prefix);
    replies.set(this.#buffer.subarray(0, this.#end), prefix.length);
    this.#replies = replies;
    this.#start = this.#end;
    this.#lines++;
    return replies.subarray(0, length);
  }

  #giveBackReplies(): void {
    if (this.#replies !== undefined) giveBack(this.#replies);
    this.#replies = undefined;
  }

  /** Moves what is not answered yet to the front, of a larger buffer unless that is half of a large one at most. */
  #makeRoom(): void {
    const rest = this.#buffer.subarray(this.#start, this.#end);
    let buffer = this.#buffer;
    if (buffer.length < LARGE_SLOT) {
      buffer = takeSlot(LARGE_SLOT);
    } else if (rest.length * 2 > buffer.length) {
      const length = Math.min(buffer.length * 2, Math.max(LARGE_SLOT, this.#maxLine + 1));
      if (length > buffer.length) buffer = new Uint8Array(length);
    }
    buffer.set(rest);
    if (buffer !== this.#buffer) giveBack(this.#buffer);
    this.#buffer = buffer;
    this.#scanned -= this.#start;
    this.#start = 0;
    this.#end = rest.length;
  }
}

/** The bytes of `a`, then those of `b`, in an array of their own. */
export function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
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
      this.answered += countLf(passed);
    }
    return passed;
  }

  /** What was held back and is no error reply. To be called when the server has closed. */
  ended(): Uint8Array {
    const held = this.#held;
    this.#held = NOTHING;
    this.error = errorReason(held);
    if (this.error !== undefined) return NOTHING;
    this.answered += countLf(held);
    return held;
  }

  /** Whether a first reply is what was sent first: then it is no error, however it looks. */
  #isEcho(reply: Uint8Array): boolean {
    return reply.at(-1) === LF && reply.every((byte, i) => this.#firstSent?.[i] === byte);
  }
}

/**
 * Matches the replies to datagrams with what was sent, by the payload: a reply is the payload with a prefix in front,
 * or without one from a server that has no stamps.
 */
export class DatagramReplies {
  answered = 0;
  /** Datagrams given up by {@linkcode expire}. */
  lost = 0;
  /** Replies to datagrams that were sent before one that had been answered already (RFC 4737, 3.3). */
  reordered = 0;
  /** Datagrams received that answer nothing sent, or not any more: late ones, duplicates, others. */
  stray = 0;
  #next = 0;
  #highest = -1;
  /** Those that wait for their replies, in the order in which they were sent. */
  readonly #waiting = new Map<number, { payload: string; sentAt: number }>();
  readonly #byPayload = new Map<string, number[]>();

  /** How many wait for their replies. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** When the one was sent that has waited longest; undefined if none waits. */
  get oldest(): number | undefined {
    for (const { sentAt } of this.#waiting.values()) return sentAt;
    return undefined;
  }

  /** Takes note of a datagram that is sent at a moment of some clock. */
  sending(bytes: Uint8Array, now: number): void {
    const payload = keyOf(bytes);
    const number = this.#next++;
    this.#waiting.set(number, { payload, sentAt: now });
    const same = this.#byPayload.get(payload);
    if (same === undefined) this.#byPayload.set(payload, [number]);
    else same.push(number);
  }

  /** Takes note of a datagram received, and says whether it answers one that waits; among equal ones the oldest. */
  arrived(reply: Uint8Array): boolean {
    const stamped = keyOf(reply.subarray(prefixLength(reply)));
    const payload = this.#byPayload.has(stamped) ? stamped : keyOf(reply);
    const [number] = this.#byPayload.get(payload) ?? [];
    if (number === undefined) {
      this.stray++;
      return false;
    }
    this.#forget(number, payload);
    this.answered++;
    if (number < this.#highest) this.reordered++;
    else this.#highest = number;
    return true;
  }

  /** Gives up those sent at a moment or before. */
  expire(moment: number): void {
    for (const [number, { payload, sentAt }] of this.#waiting) {
      if (sentAt > moment) break;
      this.#forget(number, payload);
      this.lost++;
    }
  }

  #forget(number: number, payload: string): void {
    this.#waiting.delete(number);
    const same = this.#byPayload.get(payload)!;
    if (same.length === 1) this.#byPayload.delete(payload);
    else same.splice(same.indexOf(number), 1);
  }
}

/** Bytes as a key of a map: equal for equal bytes alone, whether they are text or not. */
function keyOf(bytes: Uint8Array): string {
  return LATIN1.decode(bytes);
}

const LATIN1 = new TextDecoder("latin1");

/** Finds the replies to probes in the bytes of a stream. */
export class LineReader {
  readonly #buffer: Uint8Array;
  #length = 0;
  #skipping = false;

  /** @param size of a probe: a line that is longer than its reply can be is reported as undefined, and skipped. */
  constructor(size: number) {
    this.#buffer = new Uint8Array(size + LONGEST_PREFIX);
  }

  /** Whether a line has been begun that has no LF yet. */
  get begun(): boolean {
    return this.#length > 0 || this.#skipping;
  }

  /** Gives `take` the lines, without LF, that these bytes complete; each is valid during the call. */
  read(bytes: Uint8Array, take: (line: Uint8Array | undefined) => void): void {
    let from = 0;
    for (let lf; (lf = bytes.indexOf(LF, from)) >= 0; from = lf + 1) {
      const part = bytes.subarray(from, lf);
      const inOnePiece = this.#length === 0 && part.length <= this.#buffer.length;
      const whole = inOnePiece
        ? part
        : this.#append(part)
        ? this.#buffer.subarray(0, this.#length)
        : undefined;
      take(this.#skipping ? undefined : whole);
      this.#length = 0;
      this.#skipping = false;
    }
    if (from < bytes.length && !this.#append(bytes.subarray(from))) this.#skipping = true;
  }

  #append(bytes: Uint8Array): boolean {
    if (this.#length + bytes.length > this.#buffer.length) return false;
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return true;
  }
}
