/**
 * The kernel's memory, and its functions on views of it.
 *
 * The memory has its full size from the start, because growing would detach every view of it; untouched pages take no
 * RAM. It is divided into slots of three sizes, to read into and write from: so the kernel sees a connection's bytes
 * without a copy, and ten thousand small buffers are one allocation.
 */
import { count, memory, stamp, verify } from "./kernel.wasm";

const heap = new Uint8Array(memory.buffer as ArrayBuffer);

/** The bytes of the slot that a waiting connection keeps. */
export const SMALL_SLOT = 1024;
/** The bytes of a slot for replies, and for a connection whose reads fill a small one. */
export const LARGE_SLOT = 128 * 1024;
/** The bytes of a slot for what a client has sent and waits for. */
export const HUGE_SLOT = 8 * 1024 * 1024;
const MAX_SMALL_SLOTS = 16 * 1024;
const MAX_HUGE_SLOTS = 2;
/**
 * Large slots that may be lent to read into, and in all, with those for replies, which are kept for a moment: RAM that
 * the memory has used once is never given back, and many long lines must not use all of it.
 */
const MAX_READ_SLOTS = 128;
const MAX_LARGE_SLOTS = 192;

/** The least bytes of an array whose RAM is worth giving back by itself: some pages. */
const MIN_RETURNED = 16 * 1024;

/**
 * Where the kernel reports, in words of 32 bits: the first three are those of stamping. It has no data of its own: this
 * file divides all of the memory.
 */
const REPORT = 0;
const TAKEN = 0;
const LINES = 1;
const REASON = 2;
/** Where a prefix is copied that lies outside the memory, and its greatest length. */
const PREFIX = 64;
const MAX_COPIED_PREFIX = 512;
/** Where input is copied that lies outside the memory, and where replies go when no slot is free. */
const INPUT = 64 * 1024;
const REPLIES = INPUT + 2 * LARGE_SLOT;
const SMALL_SLOTS = REPLIES + 2 * LARGE_SLOT;
const HUGE_SLOTS = SMALL_SLOTS + MAX_SMALL_SLOTS * SMALL_SLOT;
/**
 * How far from the beginning of a page large slots begin. Linux copies to a reader with `rep movsb`, which takes some
 * processors five times as long where the target lies 1 to 31 bytes further into its page than the source into its own.
 * Of a message on a Unix socket, the first 0 to 3,776 bytes are apart, and whole pages follow: with slots that began
 * with a page, that met each message a little longer than some pages. With this offset it meets none.
 */
const OFF_PAGE = 64;
const LARGE_SLOTS = HUGE_SLOTS + MAX_HUGE_SLOTS * HUGE_SLOT + OFF_PAGE;
/** Loads may reach up to 63 bytes beyond a slot. */
const END = heap.length - 64;

const report = new Uint32Array(heap.buffer, REPORT, 8);

/** Why stamping stopped, as in assembly.ts. */
export const NO_LINE = 0; // what is left holds no complete line
export const NO_ROOM = 1; // the next line may not fit
export const TOO_LONG = 2; // the next line is longer than allowed

/** Why verifying stopped, as in assembly.ts. */
export const ALL_TAKEN = 0; // at the end of the replies, or of what is whole of them
export const NO_MORE_SENT = 1; // there is nothing that more replies could answer
export const NO_ECHO = 2; // a reply is not what was sent
export const NEW_PREFIX = 3; // the next line may have another prefix than those before

/** The slots of one size. */
class Slots {
  /** Released addresses. The latest is the likeliest to be in the processor's cache. */
  readonly #free: number[] = [];
  #next: number;
  /** Those that are lent. */
  used = 0;

  constructor(start: number, readonly end: number, readonly size: number) {
    this.#next = start;
  }

  /** The address of a slot, or 0 when all are in use. */
  acquire(): number {
    const address = this.#free.pop() ?? this.#unused();
    if (address > 0) this.used++;
    return address;
  }

  release(address: number): void {
    this.used--;
    this.#free.push(address);
  }

  #unused(): number {
    if (this.#next + this.size > this.end) return 0;
    this.#next += this.size;
    return this.#next - this.size;
  }
}

const small = new Slots(SMALL_SLOTS, HUGE_SLOTS, SMALL_SLOT);
const huge = new Slots(HUGE_SLOTS, LARGE_SLOTS, HUGE_SLOT);
const large = new Slots(LARGE_SLOTS, END, LARGE_SLOT);

/**
 * A buffer of this many bytes, not cleared, until {@linkcode releaseSlot}. When the kernel's memory is all in use, it is
 * an ordinary array, on which the kernel works a little slower.
 *
 * @param needed the bytes of such an array.
 */
export function acquireSlot(
  size: typeof SMALL_SLOT | typeof LARGE_SLOT | typeof HUGE_SLOT,
  needed: number = size,
): Uint8Array<ArrayBuffer> {
  const slots = size === SMALL_SLOT ? small : size === LARGE_SLOT ? large : huge;
  const isToRead = size === LARGE_SLOT && needed >= LARGE_SLOT;
  const address = isToRead && large.used >= MAX_READ_SLOTS ? 0 : slots.acquire();
  return address === 0 ? acquireArray(needed) : heap.subarray(address, address + size);
}

/**
 * An array outside the kernel's memory, until {@linkcode releaseSlot}, which gives its RAM back at once. Garbage
 * collection might not: it does not run in a process that has nothing to do.
 */
export function acquireArray(length: number): Uint8Array<ArrayBuffer> {
  if (length < MIN_RETURNED) return new Uint8Array(length);
  return new Uint8Array(new ArrayBuffer(length, { maxByteLength: length }));
}

/** Releases a slot or array, as it was acquired or cut at its end. Nothing may read or write there afterwards. */
export function releaseSlot(bytes: Uint8Array): void {
  const buffer = bytes.buffer as ArrayBuffer;
  if (buffer.resizable) buffer.resize(0);
  if (buffer !== heap.buffer) return;
  const address = bytes.byteOffset;
  (address < HUGE_SLOTS ? small : address < LARGE_SLOTS ? huge : large).release(address);
}

/** What the last call of {@linkcode stampLines} found. */
export const stamped = {
  /** Bytes of the input that were answered. */
  taken: 0,
  lines: 0,
  /** NO_LINE, NO_ROOM or TOO_LONG. */
  reason: NO_LINE,
};

const NOTHING = new Uint8Array();

/**
 * Stamps the complete lines in `input[from, end)`, as many as fit into a large slot.
 *
 * @param prefix what goes in front of each, at most 512 bytes.
 * @param maxLine the longest line in bytes, LF excluded.
 * @returns the replies, in a slot to be released if there are any; {@linkcode stamped} has the rest.
 */
export function stampLines(
  input: Uint8Array,
  from: number,
  end: number,
  prefix: Uint8Array,
  maxLine: number,
): Uint8Array<ArrayBuffer> {
  let prefixAt = prefix.byteOffset;
  if (prefix.buffer !== heap.buffer) {
    if (prefix.length > MAX_COPIED_PREFIX) throw new RangeError("the prefix is too long");
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
  const slot = large.used < MAX_LARGE_SLOTS ? large.acquire() : 0;
  const to = slot === 0 ? REPLIES : slot;
  const written = stamp(
    inputAt,
    inputAt + length,
    to,
    to + LARGE_SLOT,
    prefixAt,
    prefix.length,
    maxLine,
    REPORT,
  );
  stamped.taken = report[TAKEN]!;
  stamped.lines = report[LINES]!;
  // An input that was cut short may hold a line further on.
  stamped.reason = report[REASON] === NO_LINE && length < end - from ? NO_ROOM : report[REASON]!;
  if (slot === 0) {
    const replies = acquireArray(written);
    replies.set(heap.subarray(to, to + written));
    return replies;
  }
  if (written > 0) return heap.subarray(to, to + written);
  large.release(slot);
  return NOTHING;
}

/** What the last call of {@linkcode verifyReplies} found. */
export const verified = {
  /** Bytes of the replies, and of those sent, that agree. */
  taken: 0,
  echoed: 0,
  /** Lines that came to their end. */
  lines: 0,
  /** Whether the next byte stands within a line, behind its prefix. */
  within: false,
  /** The same bytes up to the last line that began in these replies; -1 if none did. */
  lineAt: -1,
  lineEcho: 0,
  /** Where the last prefix begins that was read, and its length; 0 if none was. */
  prefixAt: 0,
  prefixLength: 0,
};

/**
 * Holds replies against what was sent, up to a difference or the end of either.
 *
 * @param stamped whether each line has a prefix in brackets, of at most `maxPrefix` bytes.
 * @param within whether the replies begin within a line, behind its prefix.
 * @returns ALL_TAKEN, NO_MORE_SENT or NO_ECHO; {@linkcode verified} has the rest.
 */
export function verifyReplies(
  replies: Uint8Array,
  sent: Uint8Array,
  stamped: boolean,
  within: boolean,
  maxPrefix: number,
): number {
  const [from, length] = addressOf(replies, INPUT);
  const [echo, echoLength] = addressOf(sent, REPLIES);
  return verifyAt(from, from + length, echo, echo + echoLength, +stamped, +within, 0, maxPrefix);
}

/**
 * Likewise, up to the end of the lines that have the first one's prefix. The replies begin with a line, and both are in
 * parts of arrays.
 */
export function verifyGroup(
  replies: Uint8Array,
  from: number,
  end: number,
  sent: Uint8Array,
  sentFrom: number,
  sentEnd: number,
  stamped: boolean,
  maxPrefix: number,
): number {
  let at = replies.byteOffset + from;
  let length = end - from;
  if (replies.buffer !== heap.buffer) [at, length] = addressOf(replies.subarray(from, end), INPUT);
  let echo = sent.byteOffset + sentFrom;
  let echoLength = sentEnd - sentFrom;
  if (sent.buffer !== heap.buffer) [echo, echoLength] = addressOf(sent.subarray(sentFrom, sentEnd), REPLIES);
  return verifyAt(at, at + length, echo, echo + echoLength, +stamped, 0, 1, maxPrefix);
}

function verifyAt(
  from: number,
  end: number,
  sent: number,
  sentEnd: number,
  stamped: number,
  within: number,
  grouped: number,
  maxPrefix: number,
): number {
  const reason = verify(from, end, sent, sentEnd, stamped, within, grouped, maxPrefix, REPORT);
  verified.taken = report[0]!;
  verified.echoed = report[1]!;
  verified.lines = report[2]!;
  verified.within = report[3] === 1;
  verified.lineAt = report[4]! > end - from ? -1 : report[4]!;
  verified.lineEcho = report[5]!;
  verified.prefixAt = report[6]!;
  verified.prefixLength = report[7]!;
  return reason;
}

/** Where bytes are in the kernel's memory: a copy of the first of them, as many as a large slot holds, if they are not. */
function addressOf(bytes: Uint8Array, copyAt: number): [address: number, length: number] {
  if (bytes.buffer === heap.buffer) return [bytes.byteOffset, bytes.length];
  const copied = bytes.subarray(0, LARGE_SLOT);
  heap.set(copied, copyAt);
  return [copyAt, copied.length];
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
