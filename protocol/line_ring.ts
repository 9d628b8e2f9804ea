import { LF } from "./lines.ts";
import { acquireSlot, HUGE_SLOT } from "./wasm/kernel.ts";

/** The bytes of generated lines: few enough for a processor's cache. */
const RING_BYTES = 256 * 1024;
/** Generated lines, at least and at most. */
const MIN_LINES = 128;
const MAX_LINES = 16 * 1024;
/** The longest payload in bytes: what every transport carries, the prefix of the reply included. */
export const MAX_PAYLOAD = 65_000;
/** Below so many bytes a payload that was changed may look like another one. */
const MIN_TOLD = 8;
/** Digits of a generated line's number, in base 36. */
const DIGITS = 4;

/**
 * Lines to send over and over: they lie in the kernel's memory one behind the other, so that any number of them is
 * written and verified where it is. A connection counts its lines from any number on; number `n` is the line at
 * `n % count`.
 */
export class LineRing {
  /** All lines, each with its LF. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How many lines there are. */
  readonly count: number;
  /** So many lines in a row differ from each other, or 1 if a changed one may look like another. */
  readonly distinct: number;
  /** The longest line in bytes, LF included. */
  readonly longest: number;
  /** Where each line begins, and the end of the last. */
  readonly #starts: Uint32Array;

  /** @param payloads without LF, at most {@linkcode MAX_PAYLOAD} bytes each. */
  constructor(payloads: readonly Uint8Array[], distinct: number) {
    this.count = payloads.length;
    this.distinct = distinct;
    this.#starts = new Uint32Array(payloads.length + 1);
    payloads.forEach(({ length }, i) => this.#starts[i + 1] = this.#starts[i]! + length + 1);
    const length = this.#starts[payloads.length]!;
    this.bytes = length <= HUGE_SLOT
      ? acquireSlot(HUGE_SLOT, length).subarray(0, length)
      : new Uint8Array(length);
    payloads.forEach((payload, i) => {
      this.bytes.set(payload, this.#starts[i]!);
      this.bytes[this.#starts[i + 1]! - 1] = LF;
    });
    this.longest = payloads.reduce((longest, it) => Math.max(longest, it.length + 1), 0);
  }

  /** Lines whose payloads have this many bytes, 1 to {@linkcode MAX_PAYLOAD}. Neighbours differ in more than a byte. */
  static ofSize(size: number): LineRing {
    const count = Math.min(Math.max(Math.floor(RING_BYTES / (size + 1)), MIN_LINES), MAX_LINES);
    let random = 0x9e3779b9;
    const payloads = Array.from({ length: count }, (_, number) => {
      const payload = new Uint8Array(size);
      const digits = number.toString(36).padStart(DIGITS, "0");
      for (let i = 0; i < size; i++) {
        random ^= random << 13;
        random ^= random >>> 17;
        random ^= random << 5;
        payload[i] = 0x61 + (random >>> 8) % 26;
      }
      // The last digits are what fits of a short one, so that neighbours differ.
      const shown = digits.slice(-size);
      for (let i = 0; i < shown.length; i++) payload[i] = shown.charCodeAt(i);
      return payload;
    });
    return new LineRing(payloads, size >= MIN_TOLD ? count : 1);
  }

  /** These payloads in turn. */
  static of(payloads: readonly Uint8Array[]): LineRing {
    const texts = new Set(payloads.map((it) => new TextDecoder("latin1").decode(it)));
    const told = texts.size === payloads.length && payloads.every(({ length }) => length >= MIN_TOLD);
    const length = payloads.reduce((sum, it) => sum + it.length + 1, 0);
    // Few lines are repeated: what is written at once never reaches beyond the ring's end.
    const times = Math.max(1, Math.ceil(RING_BYTES / length));
    const repeated = Array.from({ length: times }, () => payloads).flat();
    return new LineRing(repeated, told ? payloads.length : 1);
  }

  /** Where a line begins, in bytes of all that was sent since line 0. */
  positionOf(line: number): number {
    const index = line % this.count;
    return (line - index) / this.count * this.bytes.length + this.#starts[index]!;
  }

  /** Where a line begins in the ring. */
  startOf(line: number): number {
    return this.#starts[line % this.count]!;
  }

  /** Where it ends, its LF included. */
  endOf(line: number): number {
    return this.#starts[line % this.count + 1]!;
  }

  /** Whether a line consists of the bytes in `[from, end)`, LF not included. */
  isLine(line: number, bytes: Uint8Array, from: number, end: number): boolean {
    const start = this.startOf(line);
    if (this.endOf(line) - start - 1 !== end - from) return false;
    for (let i = 0; i < end - from; i++) {
      if (this.bytes[start + i] !== bytes[from + i]) return false;
    }
    return true;
  }
}
