import type { LineRing } from "./line_ring.ts";
import { errorReason, LF, MAX_ERROR_LENGTH, mayBeError } from "./lines.ts";
import { type MatchKind, ReplyMatcher } from "./reply_matcher.ts";
import { MAX_PREFIX_LENGTH } from "./stamps.ts";
import { ALL_TAKEN, countLf, NO_ECHO, verified, verifyGroup } from "./wasm/kernel.ts";

const BRACKET = 0x5b;
/** What an error reply begins with. */
const ERROR_BYTE = 0x65;
const NOTHING = new Uint8Array();

/** Matches what one peer sends with the lines that it was sent: each comes back in its turn, perhaps behind a stamp. */
export class EchoMatcher extends ReplyMatcher {
  /** The reason of an `error`. */
  error = "";
  /** Whether a reply has shown that this is right. */
  #isCertain = false;
  /** Whether the rest of a line that is no reply is to be dropped. */
  #skipping = false;

  /**
   * Finds what is next in `bytes[from, end)`. @param sent the number of the first line that was not sent.
   */
  match(bytes: Uint8Array, from: number, end: number, sent: number): MatchKind {
    this.taken = 0;
    this.lines = 1;
    if (this.#skipping) {
      const lf = indexOfLf(bytes, from, end);
      this.taken = lf < 0 ? end - from : lf + 1 - from;
      this.#skipping = lf < 0;
      from += this.taken;
    }
    if (from === end) return "partial";
    if (this.next < sent) {
      this.stamped ??= looksStamped(this.ring, this.next, bytes, from, end);
      if (this.stamped === undefined) return "partial";
      const kind = this.#echoes(bytes, from, end, sent);
      if (kind !== undefined) return kind;
    }
    const isIdle = this.next >= sent && this.passed.size === 0;
    const strays = isIdle ? wholeLines(bytes.subarray(from, end)) : NOTHING;
    if (strays.length > 0) {
      this.lines = countLf(strays);
      this.taken += strays.length;
      return "stray";
    }
    return this.#mismatch(bytes, from, end, sent);
  }

  /** Whole replies to the next lines; undefined if something else comes first. */
  #echoes(bytes: Uint8Array, from: number, end: number, sent: number): MatchKind | undefined {
    const ring = this.ring;
    const sentFrom = ring.startOf(this.next);
    const waiting = ring.positionOf(sent) - ring.positionOf(this.next);
    const sentEnd = Math.min(sentFrom + waiting, ring.bytes.length);
    const reason = verifyGroup(
      bytes,
      from,
      end,
      ring.bytes,
      sentFrom,
      sentEnd,
      this.stamped!,
      MAX_PREFIX_LENGTH,
    );
    if (verified.lines === 0) {
      if (reason === ALL_TAKEN) return "partial";
      if (reason === NO_ECHO && !this.#isCertain) this.stamped = undefined; // that was no reply
      return undefined;
    }
    this.#isCertain = true;
    this.lines = verified.lines;
    this.next += verified.lines;
    this.taken += verified.within ? verified.lineAt : verified.taken;
    this.prefixAt = from + verified.prefixAt;
    this.prefixLength = verified.prefixLength;
    return "echoes";
  }

  /** What a line is that is not the next reply. */
  #mismatch(bytes: Uint8Array, from: number, end: number, sent: number): MatchKind {
    const lf = indexOfLf(bytes, from, end);
    if (lf < 0) {
      if (end - from <= Math.max(this.ring.longest + MAX_PREFIX_LENGTH, MAX_ERROR_LENGTH)) return "partial";
      this.#skipping = true;
      this.taken += end - from;
      return this.refused(sent);
    }
    const reason = errorReason(bytes.subarray(from, lf + 1));
    if (reason !== undefined) {
      this.error = reason;
      this.taken += end - from;
      return "error";
    }
    const kind = this.other(bytes, from, lf, sent);
    if (kind !== "passed") this.taken += lf + 1 - from;
    return kind;
  }
}

/** The whole lines at the beginning, up to one that is an error reply. */
function wholeLines(bytes: Uint8Array): Uint8Array {
  const lines = bytes.subarray(0, bytes.lastIndexOf(LF) + 1);
  for (let at = -1; (at = lines.indexOf(ERROR_BYTE, at + 1)) >= 0;) {
    const isStart = at === 0 || lines[at - 1] === LF;
    if (isStart && mayBeError(lines.subarray(at))) return lines.subarray(0, at);
  }
  return lines;
}

function indexOfLf(bytes: Uint8Array, from: number, end: number): number {
  const at = bytes.subarray(from, end).indexOf(LF);
  return at < 0 ? -1 : from + at;
}

/** Whether the first reply has a stamp in front; undefined as long as it is not whole. */
function looksStamped(
  ring: LineRing,
  next: number,
  bytes: Uint8Array,
  from: number,
  end: number,
): boolean | undefined {
  if (bytes[from] !== BRACKET) return false;
  // An echo of a line that begins with a bracket is whole without a stamp.
  const lf = indexOfLf(bytes, from, end);
  if (lf < 0) return end - from > ring.longest + MAX_PREFIX_LENGTH ? true : undefined;
  return !ring.isLine(next, bytes, from, lf);
}
