import { type LineRing, MIN_APART } from "./line_ring.ts";
import { PrefixReader } from "./stamps.ts";

/** How far from the next line a reply is looked for whose line is not known by its place in a turn of the payloads. */
const MAX_AWAY = 4096;
/** How many lines with one payload are looked at, before and after the next line, where their places are known. */
const MAX_EQUAL = 64;
/** A line so many times further away than the nearest one, and some lines, is none that a reply may be to. */
const NEARLY = 4;
/** How many lines away a second reply is taken for one rather than for that to a later line. */
const MAX_BETWEEN = 2;

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
  /** The line that was `found`, `spoilt` or answered twice. */
  line = 0;
  /** Whether a datagram may as well be to another line. */
  isDoubtful = false;
  /** The lines that are sent. */
  protected readonly ring: LineRing;
  readonly #first: number;
  readonly #prefixes = new PrefixReader();
  /** Lines without a reply though later ones had theirs. */
  protected readonly passed: Set<number> = new Set();
  /** Whether lines were given up since the latest datagram that came in its turn. */
  #hasGivenUp = false;
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
    this.#hasGivenUp = true;
    this.#pass(lines);
  }

  #pass(lines: number): void {
    for (let i = 0; i < lines; i++) this.passed.add(this.next++);
  }

  /** Expects no reply at all to a line that was passed over; one that comes is a `duplicate`. */
  forget(line: number): void {
    this.passed.delete(line);
  }

  /** What a datagram is, which is one reply without its LF. @param sent the number of the first line that was not sent. */
  matchDatagram(bytes: Uint8Array, sent: number): MatchKind {
    this.taken = bytes.length;
    this.lines = 1;
    this.isDoubtful = false;
    const kind = this.other(bytes, 0, bytes.length, sent);
    if (kind === "echoes") this.#hasGivenUp = false;
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
    const isNext = this.next < sent && isLine(this.next);
    // What comes in its turn is the next line's. Whether that is doubtful is asked where others before were given up.
    const places = isNext && !this.#hasGivenUp ? undefined : this.#placesOf(bytes, from, payload, end);
    const line = places && this.#lineAt(places, isLine, sent);
    if (isNext) {
      this.next++;
      return "echoes";
    }
    const moved = places === undefined
      ? this.#near(isLine, sent, "found")
      : line === undefined
      ? undefined
      : this.#at(line, "found");
    if (moved !== undefined) return moved;
    // What was changed is told by what was not.
    const isLike = (line: number) => ring.isLike(line, bytes, payload, end);
    if (this.next < sent && isLike(this.next)) return this.refused(sent);
    return this.#near(isLike, sent, "spoilt") ?? this.refused(sent);
  }

  /** Where in a turn of the payloads the lines are that a reply may be to; undefined if that is not known, or too many. */
  #placesOf(bytes: Uint8Array, from: number, payload: number, end: number): readonly number[] | undefined {
    let places = this.ring.places(bytes, payload, end);
    // What looks like a stamp may be the beginning of a line.
    if (places?.length === 0 && payload > from) places = this.ring.places(bytes, from, end);
    if (places === undefined || places.length <= MAX_EQUAL) return places;
    this.isDoubtful = true;
    return undefined;
  }

  /**
   * The line that a reply is to, by its places: the nearest that had no reply, or else one that had its own; undefined if
   * there is none. It is doubtful where another one, or a second reply to a nearer one, explains it nearly as well.
   */
  #lineAt(places: readonly number[], isIt: (line: number) => boolean, sent: number): number | undefined {
    const { period } = this.ring;
    const turns = Math.ceil(MAX_EQUAL / places.length);
    const away = (line: number | undefined) => line === undefined ? Infinity : Math.abs(line - this.next);
    let nearest, second, twice;
    let ahead = 0;
    for (const place of places) {
      const around = place + Math.round((this.next - place) / period) * period;
      for (let turn = -turns; turn <= turns; turn++) {
        const line = around + turn * period;
        if (line < this.#first || line >= sent || !isIt(line)) continue;
        if (line < this.next && !this.passed.has(line)) {
          if (away(line) < away(twice)) twice = line;
          continue;
        }
        if (line >= this.next) ahead++;
        if (away(line) < away(nearest)) [nearest, second] = [line, nearest];
        else if (away(line) < away(second)) second = line;
      }
    }
    // After an outage longer than a turn the nearest one ahead need not be it.
    const isNear = second !== undefined && away(second) <= NEARLY * away(nearest) + MIN_APART;
    this.isDoubtful ||= ahead > 1 || isNear;
    if (nearest === undefined || away(twice) >= away(nearest)) return nearest ?? twice;
    this.isDoubtful = true;
    // Taken for a second reply, a late one would make all that follow late; so that has to be the one just before.
    return nearest > this.next && away(twice) <= MAX_BETWEEN ? twice : nearest;
  }

  /** What a reply to a line is, which was sent and is not the next one; undefined if it can be none. */
  #at(line: number, kind: "found" | "spoilt"): MatchKind | undefined {
    if (line > this.next) {
      this.lines = line - this.next;
      this.#pass(this.lines);
      this.taken = 0;
      return "passed";
    }
    this.line = line;
    if (this.passed.delete(line)) return kind;
    // One that is changed is not to a line that was answered rightly.
    return kind === "found" ? "duplicate" : undefined;
  }

  /** Likewise to the nearest line of which it is true; undefined if there is none. */
  #near(isIt: (line: number) => boolean, sent: number, kind: "found" | "spoilt"): MatchKind | undefined {
    const reach = Math.min(this.ring.period, MAX_AWAY);
    for (let i = 1; i <= reach && (this.next + i < sent || this.next - i >= this.#first); i++) {
      for (const line of [this.next + i, this.next - i]) {
        const moved = line >= this.#first && line < sent && isIt(line) ? this.#at(line, kind) : undefined;
        if (moved !== undefined) return moved;
      }
    }
    let left = MAX_AWAY;
    for (const line of this.passed) {
      if (isIt(line)) return this.#at(line, kind);
      if (--left === 0) break;
    }
    return undefined;
  }

  /** A reply is to no line. */
  protected refused(sent: number): MatchKind {
    if (this.next >= sent) return "stray";
    this.next++;
    return "corrupt";
  }
}
