import { type Framing, LF } from "./lines.ts";
import {
  acquireArray,
  acquireSlot,
  LARGE_SLOT,
  NO_LINE,
  releaseSlot,
  SMALL_SLOT,
  stamped,
  stampLines,
  TOO_LONG,
} from "./wasm/kernel.ts";

/** The most bytes of a buffer where memory is short, unless an unfinished line needs more. */
const FRUGAL_SIZE = 8 * 1024;
/** After this many reads in a row that would have fitted into a small buffer, a large one shrinks. */
const READS_UNTIL_SMALL = 16;

/**
 * Turns the bytes that arrive on one connection into replies, in order.
 *
 * Reading and answering alternate: read into {@linkcode readBuffer}, pass the length to {@linkcode commit}, then
 * call {@linkcode next} until it returns undefined.
 */
export class Responder {
  readonly #framing: Framing;
  readonly #maxLine: number;
  // Ten thousand connections may each have sent a few bytes and wait: these keep a small buffer. A read that fills it,
  // even with complete lines alone, brings a large one.
  #buffer = acquireSlot(SMALL_SLOT);
  // buffer[start, end) has not been answered; buffer[start, scanned) holds no LF.
  #start = 0;
  #scanned = 0;
  #end = 0;
  /** The end (after its LF) of a line whose prefix has been returned and whose bytes have not; 0 for none. */
  #lineEnd = 0;
  #smallReads = 0;
  #lines = 0;
  #overlong = false;
  /** The slot of the replies that `next` returned last. */
  #replies: Uint8Array | undefined;

  /**
   * Begins with no bytes.
   *
   * @param maxLine the longest line in bytes, LF excluded; chunk framing ignores it.
   */
  constructor(framing: Framing, maxLine: number) {
    this.#framing = framing;
    this.#maxLine = maxLine;
  }

  /** Lines answered so far; messages in chunk framing. */
  get lines(): number {
    return this.#lines;
  }

  /** Whether a line was longer than allowed. It and what follows stay unanswered. */
  get overlong(): boolean {
    return this.#overlong;
  }

  /** Bytes read of a line whose LF has not come. */
  get unfinished(): number {
    return this.#end - this.#start;
  }

  /** Bytes of the buffers that are held now. */
  get held(): number {
    return this.#buffer.length + (this.#replies?.length ?? 0);
  }

  /**
   * Room for the next read, at least one byte. Valid until the next call of any method.
   *
   * @param frugal whether to take little memory, although more reads may be needed.
   */
  readBuffer(frugal = false): Uint8Array<ArrayBuffer> {
    if (this.#start === this.#end) {
      const { length } = this.#buffer;
      const filled = this.#end === length && this.#framing === "line";
      const most = frugal ? FRUGAL_SIZE : LARGE_SLOT;
      this.#start = this.#scanned = this.#end = 0;
      if (filled && length < most) this.#replaceBuffer(acquireLarge(frugal));
      else if (length > most || this.#smallReads >= READS_UNTIL_SMALL && length > SMALL_SLOT) {
        this.#replaceBuffer(acquireSlot(SMALL_SLOT));
      }
      return this.#buffer;
    }
    if (this.#end === this.#buffer.length) this.#makeRoom(frugal);
    return this.#buffer.subarray(this.#end);
  }

  /** Adds the first `n` bytes of the read buffer to the input. */
  commit(n: number): void {
    this.#end += n;
    this.#smallReads = n < SMALL_SLOT ? this.#smallReads + 1 : 0;
  }

  /** Ends the input: bytes left without LF are a line, and get one. */
  end(): void {
    if (this.#framing === "chunk" || this.#start === this.#end || this.#overlong) return;
    if (this.#end === this.#buffer.length) this.#makeRoom();
    this.#buffer[this.#end++] = LF;
  }

  /**
   * The next replies to complete lines; undefined when all are answered. Valid until the next call of any method.
   *
   * @param prefix what `Prefix.at` gives for the moment of the read, the same for each call after one read.
   */
  next(prefix: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    this.#releaseReplies();
    if (this.#framing === "chunk") return this.#nextChunk(prefix);
    if (this.#lineEnd > 0) return this.#nextLongLine();
    if (this.#scanned === this.#end || this.#overlong) return undefined;
    // The kernel would search a line that an earlier read began from its beginning again.
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

  /** Releases the buffers. Afterwards no method may be called, and nothing they returned may be used. */
  close(): void {
    this.#releaseReplies();
    releaseSlot(this.#buffer);
  }

  /** Moves `#scanned` to the next LF; false if there is none. */
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

  /** A line that does not fit into a slot beside its prefix follows it, straight from where it was read. */
  #startLongLine(prefix: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    if (this.#scanned - this.#start > this.#maxLine) {
      this.#overlong = true;
      return undefined;
    }
    this.#lineEnd = this.#scanned + 1;
    return prefix.length > 0 ? prefix.slice() : this.#nextLongLine();
  }

  #nextLongLine(): Uint8Array<ArrayBuffer> {
    const line = this.#buffer.subarray(this.#start, this.#lineEnd);
    this.#start = this.#scanned = this.#lineEnd;
    this.#lineEnd = 0;
    this.#lines++;
    return line;
  }

  #nextChunk(prefix: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    if (this.#start === this.#end) return undefined;
    const length = prefix.length + this.#end;
    const replies = acquireSlot(LARGE_SLOT, length);
    replies.set(prefix);
    replies.set(this.#buffer.subarray(0, this.#end), prefix.length);
    this.#replies = replies;
    this.#start = this.#end;
    this.#lines++;
    return replies.subarray(0, length);
  }

  #releaseReplies(): void {
    if (this.#replies !== undefined) releaseSlot(this.#replies);
    this.#replies = undefined;
  }

  /** Moves unanswered bytes to the front: of a larger buffer, unless they fill at most half of one that is large enough. */
  #makeRoom(frugal = false): void {
    const rest = this.#buffer.subarray(this.#start, this.#end);
    let buffer = this.#buffer;
    if (buffer.length < (frugal ? FRUGAL_SIZE : LARGE_SLOT)) {
      buffer = acquireLarge(frugal);
    } else if (rest.length * 2 > buffer.length) {
      const length = Math.min(buffer.length * 2, Math.max(LARGE_SLOT, this.#maxLine + 1));
      if (length > buffer.length) buffer = acquireArray(length);
    }
    buffer.set(rest);
    this.#end -= this.#start;
    this.#scanned -= this.#start;
    this.#start = 0;
    if (buffer !== this.#buffer) this.#replaceBuffer(buffer);
  }

  #replaceBuffer(buffer: Uint8Array<ArrayBuffer>): void {
    releaseSlot(this.#buffer);
    this.#buffer = buffer;
  }
}

function acquireLarge(frugal: boolean): Uint8Array<ArrayBuffer> {
  return frugal ? acquireArray(FRUGAL_SIZE) : acquireSlot(LARGE_SLOT);
}
