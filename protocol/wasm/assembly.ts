/**
 * The inner loops of tsecho in AssemblyScript, for WebAssembly with 128-bit SIMD. `deno task wasm` makes kernel.wasm
 * of them; reference.ts does the same in plain TypeScript, and a test compares the two.
 *
 * All addresses are of bytes in this module's memory. Loads may reach up to 63 bytes beyond an end that is given, and
 * stores up to 63 bytes beyond what counts as written, but never beyond `limit`: the caller keeps such room.
 */

/** Why {@link stamp} stopped, as in kernel.ts. */
const NO_LINE: u32 = 0;
const NO_ROOM: u32 = 1;
const TOO_LONG: u32 = 2;

/** Why {@link verify} stopped, as in kernel.ts. */
const ALL_TAKEN: u32 = 0;
const NO_MORE_SENT: u32 = 1;
const NO_ECHO: u32 = 2;
const NEW_PREFIX: u32 = 3;

const LINE_FEED: u8 = 10;
const BLANK: u8 = 0x20;
const OPENING: u8 = 0x5b;
const CLOSING: u8 = 0x5d;

/** What a step of the fast loops reads and writes. */
const STEP: usize = 64;

/**
 * Copies each line in [from, end) that has its LF to `to`, behind the prefix. One pass does it all: sixteen bytes are
 * loaded, stored, and searched for LF while they are in the register.
 *
 * Beside the result it stores three numbers of 32 bits at `report`: the bytes taken, the lines, and why it stopped.
 *
 * @param limit where the room ends; of it the last 64 bytes stay unused.
 * @param maxLine the longest line in bytes, LF excluded.
 * @returns the bytes written.
 */
export function stamp(
  from: usize,
  end: usize,
  to: usize,
  limit: usize,
  prefix: usize,
  prefixLength: usize,
  maxLine: usize,
  report: usize,
): usize {
  const lf = i8x16.splat(10);
  // Most prefixes fit into two registers; a tag may need more.
  const head = v128.load(prefix);
  const tail = v128.load(prefix, 16);
  const last = limit - STEP;
  let line = from;
  let out = to;
  let lines: u32 = 0;
  let reason = NO_LINE;
  while (line < end) {
    let write = out + prefixLength;
    if (write > last) {
      reason = NO_ROOM;
      break;
    }
    v128.store(out, head);
    v128.store(out, tail, 16);
    for (let i: usize = 32; i < prefixLength; i += 16) v128.store(out + i, v128.load(prefix + i));

    // Most lines are short: the first four registers one by one, and then, in a line that has come so far, four at once.
    let read = line;
    let found: u64 = 0;
    do {
      const bytes = v128.load(read);
      v128.store(write, bytes);
      found = i8x16.bitmask(i8x16.eq(bytes, lf));
      if (found != 0) break;
      read += 16;
      write += 16;
    } while (read - line < STEP);
    while (found == 0) {
      if (read >= end) break;
      if (write > last) {
        reason = NO_ROOM;
        break;
      }
      const a = v128.load(read);
      const b = v128.load(read, 16);
      const c = v128.load(read, 32);
      const d = v128.load(read, 48);
      v128.store(write, a);
      v128.store(write, b, 16);
      v128.store(write, c, 32);
      v128.store(write, d, 48);
      const ab = i8x16.bitmask(i8x16.eq(a, lf)) | (i8x16.bitmask(i8x16.eq(b, lf)) << 16);
      const cd = i8x16.bitmask(i8x16.eq(c, lf)) | (i8x16.bitmask(i8x16.eq(d, lf)) << 16);
      found = <u64> <u32>ab | (<u64> <u32>cd << 32);
      if (found != 0) break;
      read += STEP;
      write += STEP;
    }
    const length = <usize>ctz(found);
    if (found == 0 || read + length >= end) break; // an LF that lies beyond the end is none
    if (read + length - line > maxLine) {
      reason = TOO_LONG;
      break;
    }
    out = write + length + 1;
    line = read + length + 1;
    lines++;
  }
  store<u32>(report, <u32>(line - from));
  store<u32>(report, lines, 4);
  store<u32>(report, reason, 8);
  return out - to;
}

/** How many LF there are in [from, end). */
export function count(from: usize, end: usize): u32 {
  const lf = i8x16.splat(10);
  let total: u32 = 0;
  let at = from;
  for (; at + STEP <= end; at += STEP) {
    // A comparison gives -1 in each byte that is LF: the sum of four fits into a byte.
    const ab = i8x16.add(i8x16.eq(v128.load(at), lf), i8x16.eq(v128.load(at, 16), lf));
    const cd = i8x16.add(i8x16.eq(v128.load(at, 32), lf), i8x16.eq(v128.load(at, 48), lf));
    const perByte = i8x16.neg(i8x16.add(ab, cd));
    const sums = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(perByte));
    total += i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1) +
      i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3);
  }
  for (; at < end; at++) {
    if (load<u8>(at) == 10) total++;
  }
  return total;
}

/** Which bytes are the same as those sent, and no LF. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function goesOn(bytes: v128, sent: v128, lf: v128): v128 {
  return v128.andnot(i8x16.eq(bytes, sent), i8x16.eq(bytes, lf));
}

/** Whether all bytes of a step are the same as those sent, and no LF. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function goesOnForStep(at: usize, sent: usize, lf: v128): bool {
  const a = goesOn(v128.load(at), v128.load(sent), lf);
  const b = goesOn(v128.load(at, 16), v128.load(sent, 16), lf);
  const c = goesOn(v128.load(at, 32), v128.load(sent, 32), lf);
  const d = goesOn(v128.load(at, 48), v128.load(sent, 48), lf);
  return i8x16.all_true(v128.and(v128.and(a, b), v128.and(c, d)));
}

/** Whether bytes are the same, at least 16: in registers, of which the last overlaps the one before. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function isSame(at: usize, other: usize, length: usize): bool {
  for (let i: usize = 0; i + 16 < length; i += 16) {
    if (v128.any_true(v128.xor(v128.load(at + i), v128.load(other + i)))) return false;
  }
  const last = length - 16;
  return !v128.any_true(v128.xor(v128.load(at + last), v128.load(other + last)));
}

/**
 * Holds the replies in [from, end) against the bytes sent in [sent, sentEnd): each line of them is to come back whole, if
 * `stamped` behind a prefix in brackets. Both may begin and end within a line.
 *
 * Beside the result it stores numbers of 32 bits at `report`: the bytes taken of the replies and of those sent; the lines
 * that came to their end; whether the next byte stands within a line, behind its prefix; and the bytes of the replies and
 * of those sent before the last line that began here (`end - from + 1` if none did); where the last prefix begins that was
 * read here, and its length (0 if none was).
 *
 * @param within whether `from` stands within a line.
 * @param grouped whether to stop in front of a prefix that differs from the one before, or follows a line of which this
 * call has not seen the prefix.
 * @param maxPrefix the longest prefix in bytes.
 * @returns why it stopped. ALL_TAKEN: at the end of the replies, or in front of a prefix that is not whole yet.
 */
export function verify(
  from: usize,
  end: usize,
  sent: usize,
  sentEnd: usize,
  stamped: bool,
  within: bool,
  grouped: bool,
  maxPrefix: usize,
  report: usize,
): u32 {
  const lf = i8x16.splat(LINE_FEED);
  const closing = i8x16.splat(CLOSING);
  let at = from;
  let echo = sent;
  let lines: u32 = 0;
  let reason = ALL_TAKEN;
  let lineAt = end + 1;
  let lineEcho = sent;
  let known: usize = 0;
  let knownLength: usize = 0;
  while (at < end) {
    if (!within) {
      lineAt = at;
      lineEcho = echo;
      if (echo >= sentEnd) {
        reason = NO_MORE_SENT;
        break;
      }
      // Lines of one read have one stamp: the prefix before is looked for first.
      if (knownLength >= 16 && end - at > knownLength && isSame(at, known, knownLength)) {
        at += knownLength;
      } else if (stamped) {
        if (grouped && lines > 0) {
          reason = NEW_PREFIX;
          break;
        }
        // The prefix ends with the first closing bracket, as neither stamp nor tag has one.
        let close = at;
        let found: u32 = 0;
        while (close < end && close - at < maxPrefix) {
          const bytes = v128.load(close);
          found = i8x16.bitmask(v128.or(i8x16.eq(bytes, closing), i8x16.eq(bytes, lf)));
          if (found != 0) break;
          close += 16;
        }
        close += found != 0 ? <usize>ctz(found) : 0;
        const tooLong = min(close, end) - at >= maxPrefix;
        if (load<u8>(at) != OPENING || tooLong || (close < end && load<u8>(close) != CLOSING)) {
          reason = NO_ECHO;
          break;
        }
        if (close + 1 >= end) break;
        if (load<u8>(close + 1) != BLANK) {
          reason = NO_ECHO;
          break;
        }
        known = at;
        knownLength = close + 2 - at;
        at = close + 2;
      }
      within = true;
    }
    // Most lines are short; one that has come so far is skipped through in steps.
    const length = min(end - at, sentEnd - echo);
    let same: usize = 0;
    let stops: u32 = 0;
    while (same < length) {
      if (same == STEP) {
        while (same < length && goesOnForStep(at + same, echo + same, lf)) same += STEP;
        if (same >= length) break;
      }
      stops = i8x16.bitmask(goesOn(v128.load(at + same), v128.load(echo + same), lf)) ^ 0xffff;
      if (stops != 0) break;
      same += 16;
    }
    const stop = same + <usize>ctz(stops);
    if (stops == 0 || stop >= length) {
      at += length;
      echo += length;
      if (at < end) reason = NO_MORE_SENT;
      break;
    }
    at += stop;
    echo += stop;
    if (load<u8>(at) != load<u8>(echo)) {
      reason = NO_ECHO;
      break;
    }
    at++;
    echo++;
    lines++;
    within = false;
  }
  store<u32>(report, <u32>(at - from));
  store<u32>(report, <u32>(echo - sent), 4);
  store<u32>(report, lines, 8);
  store<u32>(report, within ? 1 : 0, 12);
  store<u32>(report, <u32>(lineAt - from), 16);
  store<u32>(report, <u32>(lineEcho - sent), 20);
  store<u32>(report, known != 0 ? <u32>(known - from) : 0, 24);
  store<u32>(report, <u32>knownLength, 28);
  return reason;
}
