import { errorReason, joined, LF, MAX_ERROR_LENGTH, mayBeError, quoteLine } from "./lines.ts";
import type { ReplyStream } from "./reply_scanner.ts";
import { MAX_PREFIX_LENGTH } from "./stamps.ts";
import {
  acquireSlot,
  ALL_TAKEN,
  countLf,
  HUGE_SLOT,
  NO_ECHO,
  releaseSlot,
  verified,
  verifyReplies,
} from "./wasm/kernel.ts";

/** The largest ring, in bytes: for the longest line that a server may be told to take, its LF, and one to be added. */
const MAX_RING = 64 * 1024 * 1024 + 2;
const BRACKET = 0x5b;
const NOTHING = new Uint8Array();

/**
 * Verifies the replies of a line server as they stream by: each is its line, from some servers behind a stamp.
 *
 * What was sent is kept until it has come back, in a ring of 8 MiB; a longer line, until it has been sent whole, takes up
 * to 64 MiB.
 */
export class ReplyVerifier implements ReplyStream {
  answered = 0;
  error: string | undefined;
  fault: string | undefined;
  #ring = acquireSlot(HUGE_SLOT);
  // Positions in all that was sent: the ring holds what lies between, its byte `p` at `p % #ring.length`.
  #front = 0;
  #end = 0;
  /** The end of the last line that was sent whole. */
  #lastLineEnd = 0;
  /** Whether the ring ends with an LF that was not sent: a server may leave it out of its last reply, too. */
  #addedLf = false;
  /** Whether replies have stamps; undefined before the first. */
  #stamped: boolean | undefined;
  /** Whether the next byte stands within a line, behind its stamp. */
  #within = false;
  /** The beginning of a reply that cannot be told yet from what is none, or of what is none. */
  #held: Uint8Array = NOTHING;
  #refused = false;

  /** Lines sent: those answered, and those in the ring. */
  get sent(): number {
    let waiting = 0;
    for (let at = this.#front; at < this.#end;) {
      const part = this.#from(at);
      waiting += countLf(part);
      at += part.length;
    }
    return this.answered + waiting;
  }

  get isWaiting(): boolean {
    return this.#lastLineEnd > this.#front;
  }

  room(length: number): Uint8Array<ArrayBuffer> | undefined {
    // From here on it is the memory that is in the cache.
    if (this.#front === this.#end) this.#front = this.#end = this.#lastLineEnd = 0;
    if (this.#free() < length) {
      if (this.isWaiting) return undefined;
      // No reply can come before the line has been sent whole.
      if (this.#ring.length < MAX_RING) this.#enlarge(length);
      if (this.#free() === 0) {
        throw new RangeError("a line longer than 64MiB cannot be verified");
      }
    }
    const at = this.#end % this.#ring.length;
    return this.#ring.subarray(at, Math.min(at + length, at + this.#free(), this.#ring.length));
  }

  sending(length: number): void {
    const at = this.#end % this.#ring.length;
    const lf = this.#ring.subarray(at, at + length).lastIndexOf(LF);
    if (lf >= 0) this.#lastLineEnd = this.#end + lf + 1;
    this.#end += length;
  }

  endInput(lacksLf: boolean): void {
    if (!lacksLf) return;
    this.#ring[this.#end % this.#ring.length] = LF; // for which each room has left a byte
    this.sending(1);
    this.#addedLf = true;
  }

  arrived(bytes: Uint8Array, room = 0): Uint8Array {
    if (this.fault !== undefined || this.error !== undefined) return NOTHING;
    bytes = joined(this.#held, bytes, room);
    this.#held = NOTHING;
    if (!this.#refused) return this.#take(bytes, false);
    this.#refuse(bytes, false);
    return NOTHING;
  }

  ended(): Uint8Array {
    const held = this.#held;
    this.#held = NOTHING;
    if (this.#refused && held.length > 0) this.#refuse(held, true);
    const rest = this.#refused || held.length === 0 ? NOTHING : this.#take(held, true);
    if (this.#addedLf && this.#within && this.#end - this.#front === 1) {
      this.answered++;
      this.#front++;
    }
    return rest;
  }

  /** Gives back the memory. After it no method may be called. */
  close(): void {
    releaseSlot(this.#ring);
  }

  /** What was sent from this position on, as far as the ring has it in one piece. */
  #from(position: number): Uint8Array {
    const at = position % this.#ring.length;
    return this.#ring.subarray(at, Math.min(at + this.#end - position, this.#ring.length));
  }

  /** The bytes for which there is room, less one: an LF may be added. */
  #free(): number {
    return this.#ring.length - (this.#end - this.#front) - 1;
  }

  #enlarge(length: number): void {
    const kept = this.#end - this.#front;
    const size = Math.min(Math.max(kept + length + 1, 2 * this.#ring.length), MAX_RING);
    const larger = new Uint8Array(size);
    for (let copied = 0; copied < kept;) {
      const part = this.#from(this.#front + copied);
      larger.set(part, copied);
      copied += part.length;
    }
    releaseSlot(this.#ring);
    [this.#ring, this.#front, this.#end, this.#lastLineEnd] = [larger, 0, kept, 0];
  }

  /**
   * Verifies what has arrived, and holds back what cannot be told yet. @param final whether nothing follows.
   *
   * @returns what is verified.
   */
  #take(bytes: Uint8Array, final: boolean): Uint8Array {
    this.#stamped ??= this.#looksStamped(bytes, final);
    if (this.#stamped === undefined) {
      this.#held = bytes.slice();
      return NOTHING;
    }
    let at = 0;
    // Where the last line begins, in the bytes and in what was sent; -1 for one that began in earlier bytes.
    let line = { at: -1, front: 0 };
    for (let reason = -1; at < bytes.length;) {
      const waiting = this.#from(this.#front);
      reason = verifyReplies(bytes.subarray(at), waiting, this.#stamped, this.#within, MAX_PREFIX_LENGTH);
      if (verified.lineAt >= 0) {
        line = { at: at + verified.lineAt, front: this.#front + verified.lineEcho };
      }
      at += verified.taken;
      this.#front += verified.echoed;
      this.#within = verified.within;
      this.answered += verified.lines;
      if (reason === NO_ECHO || (reason !== ALL_TAKEN && this.#front === this.#end)) {
        this.#refuse(bytes.slice(line.at >= 0 ? line.at : at), final);
        return bytes.subarray(0, line.at >= 0 ? line.at : at);
      }
      if (reason === ALL_TAKEN && verified.taken === 0) break; // the rest is a part of a stamp
    }
    const begun = line.at >= 0 && this.#within ? bytes.subarray(line.at) : NOTHING;
    if (!final && begun.length > 0 && begun.length <= MAX_ERROR_LENGTH && mayBeError(begun)) {
      [at, this.#front, this.#within] = [line.at, line.front, false];
    }
    this.#held = bytes.slice(at);
    return bytes.subarray(0, at);
  }

  /** Says why a line is no reply once enough of it has come: the server's error, or anything. */
  #refuse(line: Uint8Array, final: boolean): void {
    this.#refused = true;
    const begun = line.subarray(0, line.indexOf(LF) + 1 || MAX_ERROR_LENGTH);
    if (!final && begun.at(-1) !== LF && begun.length < MAX_ERROR_LENGTH && mayBeError(begun)) {
      this.#held = line;
      return;
    }
    this.error = errorReason(begun);
    if (this.error === undefined) this.fault = quoteLine(begun);
  }

  /** Whether the first reply has a stamp in front; undefined as long as that cannot be told. */
  #looksStamped(reply: Uint8Array, final: boolean): boolean | undefined {
    if (reply[0] !== BRACKET) return false;
    // An echo of a line that begins with a bracket differs from a stamp in front of it before the stamp is over.
    const sent = this.#from(this.#front);
    for (let i = 0; i <= MAX_PREFIX_LENGTH; i++) {
      if (i === reply.length && !final) return undefined;
      if (i >= reply.length) return false;
      if (reply[i] !== sent[i]) return true;
      if (reply[i] === LF) return false;
    }
    return false;
  }
}
