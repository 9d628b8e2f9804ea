import { LF } from "./lines.ts";
import { acquireSlot, HUGE_SLOT, releaseSlot } from "./wasm/kernel.ts";

/** The bytes of generated lines: few enough for a processor's cache. */
const RING_BYTES = 256 * 1024;
/** Generated lines, at least and at most. */
const MIN_LINES = 128;
const MAX_LINES = 16 * 1024;
/** The longest payload in bytes: what every transport carries, the prefix of the reply included. */
export const MAX_PAYLOAD = 65_000;
/** Digits of a generated line's place in the ring. */
const DIGITS = 5;
/** Digits of a line's own number: more than are on their way at once, so that it is the nearest line with that number. */
const NUMBER_DIGITS = 6;
/** Where a payload comes again after fewer lines, a few lost or repeated replies make others look like those to them. */
export const MIN_APART = 16;

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
  /** After so many lines all come again. */
  readonly period: number;
  /** Where in a period each payload is, for {@linkcode places}. */
  readonly #places: ReadonlyMap<string, readonly number[]> | undefined;
  /** Whether generated lines begin with their own number, which is not in the ring but where {@linkcode copy} puts it. */
  readonly isNumbered: boolean;
  /** The longest line in bytes, LF included. */
  readonly longest: number;
  /** The lengths that lines have, in bytes, LF included. */
  readonly #lengths = new Set<number>();
  /** Digits of a line's own number, at its beginning. */
  readonly #digits: number;
  /** Where each line begins, and the end of the last. */
  readonly #starts: Uint32Array;
  /** Each line alone, once it was asked for. */
  readonly #lines: (Uint8Array<ArrayBuffer> | undefined)[];

  private constructor(
    bytes: Uint8Array<ArrayBuffer>,
    starts: Uint32Array,
    period: number,
    { isNumbered = false, places }: { isNumbered?: boolean; places?: Map<string, number[]> | undefined } = {},
  ) {
    this.bytes = bytes;
    this.isNumbered = isNumbered;
    this.#places = places;
    this.#digits = isNumbered ? Math.log10(period) : 0;
    this.#starts = starts;
    this.count = starts.length - 1;
    this.#lines = Array.from({ length: this.count });
    this.period = period;
    let longest = 0;
    for (let i = 0; i < this.count; i++) {
      longest = Math.max(longest, starts[i + 1]! - starts[i]!);
      this.#lengths.add(starts[i + 1]! - starts[i]!);
      bytes[starts[i + 1]! - 1] = LF;
    }
    this.longest = longest;
  }

  /**
   * Lines whose payloads have this many bytes, 1 to {@linkcode MAX_PAYLOAD}. Neighbours differ.
   *
   * @param isNumbered whether each has its own number, for lines that are sent one by one and whose replies may be lost:
   * then those that came again after a turn of the ring would be taken for others.
   */
  static ofSize(size: number, isNumbered = false): LineRing {
    // A short payload has the last digits of its number alone.
    const digits = Math.min(size, isNumbered ? NUMBER_DIGITS : DIGITS);
    const most = Math.min(Math.max(Math.floor(RING_BYTES / (size + 1)), MIN_LINES), MAX_LINES);
    const period = isNumbered ? 10 ** digits : Math.min(most, 10 ** digits);
    const count = isNumbered ? most : most - most % period;
    const bytes = roomFor(count * (size + 1));
    let random = 0x9e3779b9;
    for (let i = 0; i < bytes.length; i++) {
      random ^= random << 13;
      random ^= random >>> 17;
      random ^= random << 5;
      bytes[i] = 0x61 + (random >>> 8) % 26;
    }
    for (let line = 0; line < count; line++) writeDigits(bytes, line * (size + 1), digits, line);
    const starts = Uint32Array.from({ length: count + 1 }, (_, i) => i * (size + 1));
    return new LineRing(bytes, starts, period, { isNumbered });
  }

  /**
   * These payloads in turn.
   *
   * @param payloads without LF, at most {@linkcode MAX_PAYLOAD} bytes each.
   * @param isIndexed whether {@linkcode places} finds them, for lines whose replies may be lost.
   */
  static of(payloads: readonly Uint8Array[], isIndexed = false): LineRing {
    const length = payloads.reduce((sum, it) => sum + it.length + 1, 0);
    // Few lines are repeated: what is written at once never reaches beyond the ring's end.
    const times = Math.max(1, Math.ceil(RING_BYTES / length));
    const bytes = roomFor(times * length);
    const starts = new Uint32Array(times * payloads.length + 1);
    for (let line = 0; line < times * payloads.length; line++) {
      const payload = payloads[line % payloads.length]!;
      bytes.set(payload, starts[line]!);
      starts[line + 1] = starts[line]! + payload.length + 1;
    }
    const places = isIndexed ? placesOf(payloads) : undefined;
    return new LineRing(bytes, starts, payloads.length, { places });
  }

  /** Whether there is a line with a payload of so many bytes. */
  hasLength(bytes: number): boolean {
    return this.#lengths.has(bytes + 1);
  }

  /** Whether the bytes in `[from, end)` may have been a line of which some bytes were changed: a quarter at most. */
  isLike(line: number, bytes: Uint8Array, from: number, end: number): boolean {
    const start = this.#place(line);
    if (this.endOf(line) - start - 1 !== end - from) return false;
    let left = (end - from) >> 2;
    for (let i = 0; i < end - from; i++) {
      if (this.bytes[start + i] !== bytes[from + i] && --left < 0) return false;
    }
    return true;
  }

  /** Gives back the memory. After it nothing may be read or written there. */
  close(): void {
    releaseSlot(this.bytes);
  }

  /**
   * Where in a period the lines are that may have a payload, the bytes in `[from, end)`; undefined if it is not known.
   */
  places(bytes: Uint8Array, from: number, end: number): readonly number[] | undefined {
    if (!this.isNumbered) {
      return this.#places && (this.#places.get(LATIN1.decode(bytes.subarray(from, end))) ?? NOWHERE);
    }
    let number = 0;
    for (let i = from; i < from + this.#digits; i++) {
      const digit = bytes[i]! - 0x30;
      if (!(digit >= 0 && digit <= 9)) return NOWHERE;
      number = number * 10 + digit;
    }
    return [number];
  }

  /** One line, with its own number if it has one, in `room`, which is {@linkcode longest} or longer. */
  copy(line: number, room: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const start = this.#place(line);
    const length = this.endOf(line) - start;
    room.set(this.bytes.subarray(start, start + length));
    return room.subarray(0, length);
  }

  /** Where a line is in the ring, once its own number is there in place of that of another. */
  #place(line: number): number {
    const start = this.startOf(line);
    writeDigits(this.bytes, start, this.#digits, line);
    return start;
  }

  /** The bytes of one line, without a number of its own. The same array each time: to make one takes longer than to fill it. */
  line(line: number): Uint8Array<ArrayBuffer> {
    const index = line % this.count;
    return this.#lines[index] ??= this.bytes.subarray(this.#starts[index], this.#starts[index + 1]);
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
    const start = this.#place(line);
    if (this.endOf(line) - start - 1 !== end - from) return false;
    for (let i = 0; i < end - from; i++) {
      if (this.bytes[start + i] !== bytes[from + i]) return false;
    }
    return true;
  }
}

/**
 * Whether a payload comes again before {@linkcode MIN_APART} others were sent.
 *
 * @param payloads in turn; without them, the lines are the numbered ones of {@linkcode LineRing.ofSize}.
 */
export function areAlike(size: number, payloads?: readonly Uint8Array[]): boolean {
  if (payloads === undefined) return 10 ** size < MIN_APART;
  for (const places of placesOf(payloads).values()) {
    const again = [...places, places[0]! + payloads.length];
    for (let i = 1; i < again.length; i++) if (again[i]! - again[i - 1]! < MIN_APART) return true;
  }
  return false;
}

/** Where each payload is. */
function placesOf(payloads: readonly Uint8Array[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const [place, payload] of payloads.entries()) {
    const text = LATIN1.decode(payload);
    const places = found.get(text);
    if (places === undefined) found.set(text, [place]);
    else places.push(place);
  }
  return found;
}

const LATIN1 = new TextDecoder("latin1");
const NOWHERE: readonly number[] = [];

/** Writes the last digits of a number. */
function writeDigits(bytes: Uint8Array, at: number, digits: number, number: number): void {
  for (let i = at + digits - 1; i >= at; i--) {
    bytes[i] = 0x30 + number % 10;
    number = Math.floor(number / 10);
  }
}

/** Room in the kernel's memory, or outside of it for very much. */
function roomFor(length: number): Uint8Array<ArrayBuffer> {
  return length <= HUGE_SLOT ? acquireSlot(HUGE_SLOT, length).subarray(0, length) : new Uint8Array(length);
}
