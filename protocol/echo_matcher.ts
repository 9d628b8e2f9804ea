import type { LineRing } from "./line_ring.ts";
import { errorReason, LF, MAX_ERROR_LENGTH, mayBeError } from "./lines.ts";
import { MAX_PREFIX_LENGTH, PrefixReader } from "./stamps.ts";
import { ALL_TAKEN, countLf, NO_ECHO, verified, verifyGroup } from "./wasm/kernel.ts";

const BRACKET = 0x5b;
/** What an error reply begins with. */
const ERROR_BYTE = 0x65;
const NOTHING = new Uint8Array();
/** How far ahead a reply is looked for whose line is not the next one. */
const MAX_AHEAD = 4096;
/** Lines remembered of those that were passed over. */
const MAX_PASSED = 4096;

/**
 * What is next in the bytes that came:
 * - `echoes`: replies to the next lines, with one prefix.
 * - `passed`: the next lines were not answered in their turn, the reply to a later one is here. Nothing is taken.
 * - `found`: the reply to a line that was passed.
 * - `corrupt`: something else than the reply to the next line, whose turn it was.
 * - `spoilt`: likewise, in place of the reply to a line that was passed.
 * - `duplicate`: a second reply to a line.
 * - `stray`: replies though no line waits.
 * - `error`: the server's last words.
 * - `partial`: a reply that is not whole, or nothing.
 */
export type MatchKind =
  | "echoes"
  | "passed"
  | "found"
  | "corrupt"
  | "spoilt"
  | "duplicate"
  | "stray"
  | "error"
  | "partial";

/** Matches what one peer sends with the lines that it was sent: each comes back in its turn, perhaps behind a stamp. */
export class EchoMatcher {
  /** The number of the line whose reply is next. */
  next: number;
  /** Of the last match: bytes taken. */
  taken = 0;
  /** Lines or replies it is about: 1 unless it is `echoes`, `passed` or `stray`. */
  lines = 0;
  /** Where the prefix of `echoes` and `found` begins in the bytes. */
  prefixAt = 0;
  /** Its length. */
  prefixLength = 0;
  /** The line that was `found` or `spoilt`. */
  line = 0;
  /** The reason of an `error`. */
  error = "";
  readonly #ring: LineRing;
  readonly #first: number;
  readonly #prefixes = new PrefixReader();
  /** Lines without a reply though later ones had theirs. */
  readonly #passed = new Set<number>();
  /** Whether replies have stamps; undefined before the first. */
  #stamped: boolean | undefined;
  /** Whether a reply has shown that this is right. */
  #isCertain = false;
  /** Whether the rest of a line that is no reply is to be dropped. */
  #skipping = false;

  /**
   * Nothing has been sent yet.
   *
   * @param first the number of the first line that is sent.
   */
  constructor(ring: LineRing, first: number) {
    this.#ring = ring;
    this.#first = this.next = first;
  }

  /** Expects no reply in their turn to so many lines any more; one that comes is `found`. */
  pass(lines: number): void {
    for (let i = Math.max(0, lines - MAX_PASSED); i < lines; i++) this.#passed.add(this.next + i);
    this.next += lines;
    for (const line of this.#passed) {
      if (this.#passed.size <= MAX_PASSED) break;
      this.#passed.delete(line);
    }
  }

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
      this.#stamped ??= looksStamped(this.#ring, this.next, bytes, from, end);
      if (this.#stamped === undefined) return "partial";
      const kind = this.#echoes(bytes, from, end, sent);
      if (kind !== undefined) return kind;
    }
    const isIdle = this.next >= sent && this.#passed.size === 0;
    const strays = isIdle ? wholeLines(bytes.subarray(from, end)) : NOTHING;
    if (strays.length > 0) {
      this.lines = countLf(strays);
      this.taken += strays.length;
      return "stray";
    }
    return this.#mismatch(bytes, from, end, sent);
  }

  /** Likewise of a datagram, which is one reply without its LF. */
  matchDatagram(bytes: Uint8Array, sent: number): MatchKind {
    this.taken = bytes.length;
    this.lines = 1;
    return this.#other(bytes, 0, bytes.length, sent);
  }

  /** Whole replies to the next lines; undefined if something else comes first. */
  #echoes(bytes: Uint8Array, from: number, end: number, sent: number): MatchKind | undefined {
    const ring = this.#ring;
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
      this.#stamped!,
      MAX_PREFIX_LENGTH,
    );
    if (verified.lines === 0) {
      if (reason === ALL_TAKEN) return "partial";
      if (reason === NO_ECHO && !this.#isCertain) this.#stamped = undefined; // that was no reply
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
      if (end - from <= Math.max(this.#ring.longest + MAX_PREFIX_LENGTH, MAX_ERROR_LENGTH)) return "partial";
      this.#skipping = true;
      this.taken += end - from;
      return this.#refused(sent);
    }
    const reason = errorReason(bytes.subarray(from, lf + 1));
    if (reason !== undefined) {
      this.error = reason;
      this.taken += end - from;
      return "error";
    }
    const kind = this.#other(bytes, from, lf, sent);
    if (kind !== "passed") this.taken += lf + 1 - from;
    return kind;
  }

  /** What a reply is, by its payload. */
  #other(bytes: Uint8Array, from: number, end: number, sent: number): MatchKind {
    const ring = this.#ring;
    const prefix = this.#prefixes.read(bytes.subarray(from, end));
    const payload = this.#stamped === false ? from : from + prefix.length;
    // A reply as long as no line has been no line. To compare it with thousands takes long, and others may follow it.
    if (!ring.hasLength(end - payload) && !ring.hasLength(end - from)) return this.#refused(sent);
    const isLine = (line: number) =>
      ring.isLine(line, bytes, payload, end) || (payload > from && ring.isLine(line, bytes, from, end));
    this.prefixAt = from;
    this.prefixLength = prefix.length;
    if (this.next < sent && isLine(this.next)) {
      this.next++;
      return "echoes";
    }
    const moved = this.#elsewhere(isLine, sent, "found");
    if (moved !== undefined) return moved;
    // What was changed is told by what was not.
    const isLike = (line: number) => ring.isLike(line, bytes, payload, end);
    if (this.next < sent && isLike(this.next)) return this.#refused(sent);
    return this.#elsewhere(isLike, sent, "spoilt") ?? this.#refused(sent);
  }

  /**
   * Whether a reply is to a line whose turn has not come or is over; undefined if not. Lines may have equal payloads: it
   * is to the nearest.
   */
  #elsewhere(
    isIt: (line: number) => boolean,
    sent: number,
    kind: "found" | "spoilt",
  ): MatchKind | undefined {
    const reach = Math.min(this.#ring.period, MAX_AHEAD);
    const ahead = Math.min(sent - 1 - this.next, reach);
    const before = Math.min(this.next - this.#first, reach);
    for (let i = 1; i <= ahead || i <= before; i++) {
      const line = this.next - i;
      const wasPassed = i <= before && this.#passed.has(line);
      if (wasPassed && isIt(line)) return this.#take(line, kind);
      if (i <= ahead && isIt(this.next + i)) {
        this.lines = i;
        this.pass(i);
        this.taken = 0;
        return "passed";
      }
      // One that is changed is not to a line that was answered rightly.
      if (kind === "found" && i <= before && !wasPassed && isIt(line)) return "duplicate";
    }
    for (const line of this.#passed) if (isIt(line)) return this.#take(line, kind);
    return undefined;
  }

  /** A reply is to a line that was passed over. */
  #take(line: number, kind: "found" | "spoilt"): MatchKind {
    this.#passed.delete(line);
    this.line = line;
    return kind;
  }

  #refused(sent: number): MatchKind {
    if (this.next >= sent) return "stray";
    this.next++;
    return "corrupt";
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
