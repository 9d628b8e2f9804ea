/**
 * The kernel's memory, and its functions on views of it.
 *
 * The memory has its full size from the start, since growing would detach every view of it; what is never touched takes
 * no room in RAM. It is shared out in slots of two sizes, for reading into and writing from: the bytes of a connection
 * then need not be copied for the kernel to see them, and ten thousand small buffers are one allocation.
 */
import { count, memory, stamp } from "./kernel.wasm";

const heap = new Uint8Array(memory.buffer as ArrayBuffer);

/** A connection that waits for its next line keeps a slot of this size, in bytes. */
export const SMALL_SLOT = 1024;
/** For replies, and for a connection whose reads fill a small slot. */
export const LARGE_SLOT = 128 * 1024;
const MOST_SMALL = 16 * 1024;

/** Where the kernel reports, in words of 32 bits. It has no data of its own: all of the memory is shared out here. */
const REPORT = 0;
const TAKEN = 0;
const LINES = 1;
const REASON = 2;
/** Where a prefix goes that is not in the memory, and the longest one. */
const PREFIX = 64;
const LONGEST_PREFIX = 512;
/** Where input goes that is not in the memory, and replies for which there is no slot. */
const INPUT = 64 * 1024;
const REPLIES = INPUT + 2 * LARGE_SLOT;
const SMALL_SLOTS = REPLIES + 2 * LARGE_SLOT;
const LARGE_SLOTS = SMALL_SLOTS + MOST_SMALL * SMALL_SLOT;
/** Loads may reach a little beyond a slot. */
const END = heap.length - 64;

const report = new Uint32Array(heap.buffer, REPORT, 4);

/** Why stamping stopped; kernel/assembly.ts has the same. */
export const NO_LINE = 0; // what is left holds no complete line
export const NO_ROOM = 1; // the next line may not fit
export const TOO_LONG = 2; // the next line is longer than allowed

/** The slots of one size. */
class Slots {
  /** Addresses that have been given back; the latest is the likeliest to be in the processor's cache. */
  readonly #free: number[] = [];
  #next: number;

  constructor(start: number, readonly end: number, readonly size: number) {
    this.#next = start;
  }

  /** The address of a slot, or 0 when all are in use. */
  take(): number {
    const address = this.#free.pop();
    if (address !== undefined) return address;
    if (this.#next + this.size > this.end) return 0;
    this.#next += this.size;
    return this.#next - this.size;
  }

  giveBack(address: number): void {
    this.#free.push(address);
  }
}

const small = new Slots(SMALL_SLOTS, LARGE_SLOTS, SMALL_SLOT);
const large = new Slots(LARGE_SLOTS, END, LARGE_SLOT);

/**
 * A buffer of SMALL_SLOT or LARGE_SLOT bytes, whose content is whatever was there before: in the kernel's memory, or,
 * when that is all in use, one like any other, on which the kernel works a little slower.
 *
 * @param needed the bytes that will do then.
 */
export function takeSlot(
  size: typeof SMALL_SLOT | typeof LARGE_SLOT,
  needed: number = size,
): Uint8Array<ArrayBuffer> {
  const address = (size === SMALL_SLOT ? small : large).take();
  return address === 0 ? new Uint8Array(needed) : heap.subarray(address, address + size);
}

/** Gives back a slot, or a part of it from its beginning: nothing may read or write there any more. */
export function giveBack(bytes: Uint8Array): void {
  if (bytes.buffer !== heap.buffer) return;
  const address = bytes.byteOffset;
  (address < LARGE_SLOTS ? small : large).giveBack(address);
}

/** What {@linkcode stampLines} found; overwritten by its next call. */
export const stamped = {
  /** Bytes of the input that have been answered. */
  taken: 0,
  lines: 0,
  /** NO_LINE, NO_ROOM or TOO_LONG. */
  reason: NO_LINE,
};

const NOTHING = new Uint8Array();

/**
 * Stamps the lines in `input[from, end)` that have their LF, as many as fit into a large slot.
 *
 * @param prefix what goes in front of each, at most 512 bytes.
 * @param longest the most bytes of a line, its LF not counted.
 * @returns the replies, in a slot to be given back if there are any; {@linkcode stamped} says the rest.
 */
export function stampLines(
  input: Uint8Array,
  from: number,
  end: number,
  prefix: Uint8Array,
  longest: number,
): Uint8Array<ArrayBuffer> {
  let prefixAt = prefix.byteOffset;
  if (prefix.buffer !== heap.buffer) {
    if (prefix.length > LONGEST_PREFIX) throw new RangeError("the prefix is too long");
    heap.set(prefix, PREFIX);
    prefixAt = PREFIX;
  }
  let inputAt = input.byteOffset + from;
  let length = end - from;
  if (input.buffer !== heap.buffer) {
    length = Math.min(length, LARGE_SLOT);
    heap.set(input.subarray(from, from + length), INPUT);
    inputAt = INPUT;
  }
  const slot = large.take();
  const to = slot === 0 ? REPLIES : slot;
  const written = stamp(
    inputAt,
    inputAt + length,
    to,
    to + LARGE_SLOT,
    prefixAt,
    prefix.length,
    longest,
    REPORT,
  );
  stamped.taken = report[TAKEN]!;
  stamped.lines = report[LINES]!;
  // Of an input that was cut short nobody can say that it holds no line.
  stamped.reason = report[REASON] === NO_LINE && length < end - from ? NO_ROOM : report[REASON]!;
  if (slot === 0) return heap.slice(to, to + written);
  if (written > 0) return heap.subarray(to, to + written);
  large.giveBack(slot);
  return NOTHING;
}

/** How many LF there are in `bytes`. */
export function countLf(bytes: Uint8Array): number {
  if (bytes.buffer === heap.buffer) return count(bytes.byteOffset, bytes.byteOffset + bytes.length);
  let total = 0;
  for (let at = 0; at < bytes.length; at += LARGE_SLOT) {
    const part = bytes.subarray(at, at + LARGE_SLOT);
    heap.set(part, INPUT);
    total += count(INPUT, INPUT + part.length);
  }
  return total;
}
