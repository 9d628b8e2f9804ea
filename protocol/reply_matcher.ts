import type { LineRing } from "./line_ring.ts";
import { PrefixReader } from "./stamps.ts";

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

/** Finds the line that a reply is to, by its payload alone, in whatever order replies come. */
export class ReplyMatcher {
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
  /** Whether a datagram may be to the line a turn of the payloads earlier or later, after half a turn without replies. */
  isDoubtful = false;
  /** The lines that are sent. */
  protected readonly ring: LineRing;
  readonly #first: number;
  readonly #prefixes = new PrefixReader();
  /** Lines without a reply though later ones had theirs. */
  protected readonly passed: Set<number> = new Set();
  /** Lines given up since the latest datagram that came in its turn. */
  #unheard = 0;
  /** Whether replies have stamps; undefined before the first. */
  protected stamped: boolean | undefined;

  /**
   * Nothing has been sent yet.
   *
   * @param first the number of the first line that is sent.
   */
  constructor(ring: LineRing, first: number) {
    this.ring = ring;
    this.#first = this.next = first;
  }

  /** Expects no reply in their turn to so many lines any more; one that comes is `found`. */
  giveUp(lines: number): void {
    this.#unheard += lines;
    this.#pass(lines);
  }

  #pass(lines: number): void {
    for (let i = Math.max(0, lines - MAX_PASSED); i < lines; i++) this.passed.add(this.next + i);
    this.next += lines;
    for (const line of this.passed) {
      if (this.passed.size <= MAX_PASSED) break;
      this.passed.delete(line);
    }
  }

  /** What a datagram is, which is one reply without its LF. @param sent the number of the first line that was not sent. */
  matchDatagram(bytes: Uint8Array, sent: number): MatchKind {
    this.taken = bytes.length;
    this.lines = 1;
    const unheard = this.#unheard;
    const isMany = unheard + sent - this.next > this.ring.period / 2;
    const kind = this.other(bytes, 0, bytes.length, sent);
    const isInTurn = kind === "echoes";
    // What comes in its turn is the next line's, unless so many that went before are heard of no more.
    this.isDoubtful = isMany && (!isInTurn || unheard > 0);
    if (isInTurn) this.#unheard = 0;
    return kind;
  }

  /** What a reply is, by its payload. */
  protected other(bytes: Uint8Array, from: number, end: number, sent: number): MatchKind {
    const ring = this.ring;
    const prefix = this.#prefixes.read(bytes.subarray(from, end));
    const payload = this.stamped === false ? from : from + prefix.length;
    // A reply as long as no line has been no line. To compare it with thousands takes long, and others may follow it.
    if (!ring.hasLength(end - payload) && !ring.hasLength(end - from)) return this.refused(sent);
    const isLine = (line: number) =>
      ring.isLine(line, bytes, payload, end) || (payload > from && ring.isLine(line, bytes, from, end));
    this.prefixAt = from;
    this.prefixLength = prefix.length;
    if (this.next < sent && isLine(this.next)) {
      this.next++;
      return "echoes";
    }
    const number = ring.numbered(bytes, payload, this.next);
    const moved = this.#elsewhere(isLine, sent, "found", number);
    if (moved !== undefined) return moved;
    // What was changed is told by what was not.
    const isLike = (line: number) => ring.isLike(line, bytes, payload, end);
    if (this.next < sent && isLike(this.next)) return this.refused(sent);
    return this.#elsewhere(isLike, sent, "spoilt", number) ?? this.refused(sent);
  }

  /** Whether a reply is to one line, which is not the next; undefined if not. */
  #at(
    line: number,
    isIt: (line: number) => boolean,
    sent: number,
    kind: "found" | "spoilt",
  ): MatchKind | undefined {
    if (line < this.#first || line >= sent || !isIt(line)) return undefined;
    if (line > this.next) {
      this.lines = line - this.next;
      this.#pass(this.lines);
      this.taken = 0;
      return "passed";
    }
    if (this.passed.has(line)) return this.#take(line, kind);
    // One that is changed is not to a line that was answered rightly.
    return kind === "found" ? "duplicate" : undefined;
  }

  /**
   * Whether a reply is to a line whose turn has not come or is over; undefined if not. Lines may have equal payloads: it
   * is to the nearest.
   *
   * @param number the line that it says it is to, if it says so.
   */
  #elsewhere(
    isIt: (line: number) => boolean,
    sent: number,
    kind: "found" | "spoilt",
    number: number | undefined,
  ): MatchKind | undefined {
    if (number !== undefined) {
      const moved = this.#at(number, isIt, sent, kind);
      if (moved !== undefined || kind === "found") return moved;
    }
    const reach = Math.min(this.ring.period, MAX_AHEAD);
    for (let i = 1; i <= reach && (this.next + i < sent || this.next - i >= this.#first); i++) {
      const moved = this.#at(this.next + i, isIt, sent, kind) ?? this.#at(this.next - i, isIt, sent, kind);
      if (moved !== undefined) return moved;
    }
    for (const line of this.passed) if (isIt(line)) return this.#take(line, kind);
    return undefined;
  }

  /** A reply is to a line that was passed over. */
  #take(line: number, kind: "found" | "spoilt"): MatchKind {
    this.passed.delete(line);
    this.line = line;
    return kind;
  }

  /** A reply is to no line. */
  protected refused(sent: number): MatchKind {
    if (this.next >= sent) return "stray";
    this.next++;
    return "corrupt";
  }
}
