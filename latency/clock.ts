import { Distribution } from "./distribution.ts";

/**
 * The offset of a server's clock from the client's, and its drift, from stamped replies alone. docs/clock.md explains
 * the method. Offsets are in microseconds, moments in seconds on a monotonic clock, drift in ppm, which is
 * microseconds per second.
 */

/** A closed interval in which a value is proven to lie. */
export interface Bounds {
  lower: number;
  upper: number;
}

/** What one reply says. All three clocks are read by whoever sends and receives it. */
export interface Reply {
  /** Its number within the run, to name it by. */
  seq: number;
  /** When its line was sent and when it had arrived: seconds, monotonic. */
  sentAt: number;
  receivedAt: number;
  /** Stamp minus the client's wall clock just before the line was sent, in µs. */
  up: number;
  /** The client's wall clock just after the reply had arrived minus the stamp, in µs. */
  down: number;
  /** The step of the stamp, in µs: the stamp is the moment rounded down to it. */
  resolution: number;
}

/** Where two clocks parted from the line that they had followed. */
export interface Break {
  /** `step` when no drift explains it; `rate` when the drift changed, or a step was too small to be told from that. */
  kind: "step" | "rate";
  /** It happened after the reply with this number ... */
  after: number;
  /** ... and before the stamp of the reply with this number. */
  by: number;
  /** When the latter had arrived: seconds, monotonic. */
  at: number;
  /** How far a step went, in µs; undefined for a change of rate. */
  size?: Bounds;
}

/** What is known of a server's clock. */
export interface ClockEstimate {
  /** Server minus client, at the moment of the latest reply. */
  offset: Bounds;
  /** Of the offset, since the latest break. */
  drift: Bounds;
  /** Whether a constant offset is impossible since the latest break. */
  drifts: boolean;
  /** The first breaks, at most {@linkcode MOST_BREAKS}, and how many there were. */
  breaks: Break[];
  breakCount: number;
}

/** How far a clock may read behind the true one, in µs, beside being rounded down: it may be read from a cache. */
export const CLOCK_LAG = 3;
/** The step of the client's wall clock, in µs. */
export const CLIENT_STEP = 1;
/** A computer's clock drifts by no more than this, in ppm: the frequency tolerance of RFC 5905 (MAXFREQ). */
export const MOST_DRIFT = 500;
/** A clock that is off by more than half is no clock. Such drifts are considered only when steps explain less. */
const WILD_DRIFT = 500_000;
/** With so many breaks a steady, wild drift is the simpler explanation, if it is one. */
const BREAKS_FOR_WILD = 2;
export const MOST_BREAKS = 16;
/** Replies that are remembered, to find out where a step happened. */
const MOST_RECENT = 256;
/** Replies of which the delays of each direction are remembered; of more, a fair sample of so many. */
const MOST_SAMPLES = 8192;
/** Constraints are relaxed by a nanosecond, far above the rounding errors of their arithmetic. */
const SLACK = 1e-3;
const MOST_CORNERS = 64;
/** Of a {@linkcode Reply}. */
const FIELDS = 6;

/** The offset is no less than this at the moment of receiving: the stamp was made before that. */
function lowerOf(reply: Reply): number {
  return -reply.down - CLIENT_STEP - CLOCK_LAG;
}

/** The offset is no more than this at the moment of sending: the stamp was made after that. */
function upperOf(reply: Reply): number {
  return reply.up + reply.resolution + CLOCK_LAG;
}

/** The corners of a convex polygon, in order. */
interface Corners {
  a: number[];
  b: number[];
}

/**
 * All lines `offset(t) = a + b t` that a series of replies allows, as the convex polygon of the points (a, b).
 *
 * It is the dual of what Moon, Skelly and Towsley (1999) do with convex hulls: a line lies above the lower bounds and
 * below the upper bounds of all replies exactly if its point is in the polygon, which each reply cuts smaller. Few
 * corners are left of any number of replies.
 */
class Lines {
  #corners: Corners;
  /** The origin of t and of a: small numbers keep their precision. */
  readonly #time: number;
  readonly #base: number;

  constructor(first: Reply, mostDrift: number) {
    this.#time = first.sentAt;
    this.#base = first.up;
    const lower = lowerOf(first) - this.#base - SLACK;
    const upper = upperOf(first) - this.#base + SLACK;
    const until = first.receivedAt - this.#time;
    this.#corners = {
      a: [lower + mostDrift * until, lower - mostDrift * until, upper, upper],
      b: [-mostDrift, mostDrift, mostDrift, -mostDrift],
    };
  }

  /** Leaves only the lines that this reply allows too; false, and no change, if there is none. */
  add(reply: Reply): boolean {
    const above = this.#cut(this.#corners, reply.receivedAt, lowerOf(reply) - SLACK, 1);
    const between = above && this.#cut(above, reply.sentAt, upperOf(reply) + SLACK, -1);
    if (between === undefined) return false;
    this.#corners = between;
    if (between.a.length > MOST_CORNERS) this.#simplify(reply.receivedAt);
    return true;
  }

  /** The offsets that the lines have at a moment. */
  at(moment: number): Bounds {
    const bounds = this.#range((a, b) => a + b * (moment - this.#time));
    return { lower: bounds.lower + this.#base, upper: bounds.upper + this.#base };
  }

  /** Their drifts, in ppm. */
  drift(): Bounds {
    return this.#range((_, b) => b);
  }

  /**
   * The drift that leaves the least delay unexplained: the one at which the shortest ways there and back are longest,
   * which is the objective of Moon, Skelly and Towsley taken over both directions.
   */
  likeliestDrift(): number {
    let [best, widest] = [0, -Infinity];
    for (const drift of this.#corners.b) {
      const width = this.#widthAt(drift);
      if (width > widest) [best, widest] = [drift, width];
    }
    return best;
  }

  /** How far apart the lines of one drift are, which some of the lines must have. */
  #widthAt(drift: number): number {
    let [lower, upper] = [Infinity, -Infinity];
    const include = (a: number) => {
      lower = Math.min(lower, a);
      upper = Math.max(upper, a);
    };
    for (let i = 0, before = this.#corners.a.length - 1; i < this.#corners.a.length; before = i++) {
      const [b0, b1] = [this.#corners.b[before]!, this.#corners.b[i]!];
      if (b1 === drift) include(this.#corners.a[i]!);
      if ((b0 < drift && drift < b1) || (b1 < drift && drift < b0)) {
        include(
          this.#corners.a[before]! +
            (this.#corners.a[i]! - this.#corners.a[before]!) * (drift - b0) / (b1 - b0),
        );
      }
    }
    return upper - lower;
  }

  #range(value: (a: number, b: number) => number): Bounds {
    const bounds = { lower: Infinity, upper: -Infinity };
    for (let i = 0; i < this.#corners.a.length; i++) {
      const it = value(this.#corners.a[i]!, this.#corners.b[i]!);
      if (it < bounds.lower) bounds.lower = it;
      if (it > bounds.upper) bounds.upper = it;
    }
    return bounds;
  }

  /**
   * The part of a polygon on which `sign * (a + b t - limit) >= 0` (Sutherland and Hodgman 1974); undefined for none,
   * the very same one for all of it.
   */
  #cut(corners: Corners, moment: number, limit: number, sign: 1 | -1): Corners | undefined {
    const { a, b } = corners;
    const t = moment - this.#time;
    const c = limit - this.#base;
    let outside = 0;
    for (let i = 0; i < a.length; i++) {
      if (sign * (a[i]! + b[i]! * t - c) < 0) outside++;
    }
    if (outside === 0) return corners;
    if (outside === a.length) return undefined;
    const kept: Corners = { a: [], b: [] };
    for (let i = 0, before = a.length - 1; i < a.length; before = i++) {
      const was = sign * (a[before]! + b[before]! * t - c);
      const is = sign * (a[i]! + b[i]! * t - c);
      if ((was < 0 && is > 0) || (was > 0 && is < 0)) {
        const share = was / (was - is);
        kept.a.push(a[before]! + (a[i]! - a[before]!) * share);
        kept.b.push(b[before]! + (b[i]! - b[before]!) * share);
      }
      if (is >= 0) {
        kept.a.push(a[i]!);
        kept.b.push(b[i]!);
      }
    }
    return kept;
  }

  /** Puts the parallelogram around the polygon that knows the same of this moment and of the drift. */
  #simplify(moment: number): void {
    const t = moment - this.#time;
    const offset = this.#range((a, b) => a + b * t);
    const { lower, upper } = this.drift();
    this.#corners = {
      a: [
        offset.lower - lower * t,
        offset.lower - upper * t,
        offset.upper - upper * t,
        offset.upper - lower * t,
      ],
      b: [lower, upper, upper, lower],
    };
  }
}

/**
 * Replies in a typed array: as objects, those that outlive a garbage collection would make V8's heap grow all through a
 * long run.
 */
class Replies {
  length = 0;
  readonly #most: number;
  #values = new Float64Array(64 * FIELDS);

  /** @param most how many it may have to hold. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Puts a reply to a place, 0 to `length`. */
  set(place: number, { seq, sentAt, receivedAt, up, down, resolution }: Reply): void {
    if (place * FIELDS === this.#values.length) {
      const values = new Float64Array(Math.min(2 * place, this.#most) * FIELDS);
      values.set(this.#values);
      this.#values = values;
    }
    this.length = Math.max(this.length, place + 1);
    const at = place * FIELDS;
    this.#values[at] = seq;
    this.#values[at + 1] = sentAt;
    this.#values[at + 2] = receivedAt;
    this.#values[at + 3] = up;
    this.#values[at + 4] = down;
    this.#values[at + 5] = resolution;
  }

  *[Symbol.iterator](): Generator<Reply> {
    for (let place = 0; place < this.length; place++) {
      const at = place * FIELDS;
      const [seq, sentAt, receivedAt, up, down, resolution] = this.#values.subarray(at, at + FIELDS);
      yield {
        seq: seq!,
        sentAt: sentAt!,
        receivedAt: receivedAt!,
        up: up!,
        down: down!,
        resolution: resolution!,
      };
    }
  }
}

/** The delay of each direction above its shortest one, in µs. */
export interface Delays {
  up: Distribution;
  down: Distribution;
}

/** The replies between two breaks. */
class Segment {
  readonly lines: Lines;
  /** When its first reply was sent and its last one had arrived. */
  readonly from: number;
  until: number;
  lastSeq: number;
  /** The remembered replies, in no order once there are more than can be remembered. */
  readonly #samples = new Replies(MOST_SAMPLES);
  #count = 0;

  constructor(first: Reply) {
    this.lines = new Lines(first, MOST_DRIFT);
    this.from = first.sentAt;
    this.until = first.receivedAt;
    this.lastSeq = first.seq;
    this.#remember(first);
  }

  /** Takes a reply in; false, and no change, if no steady clock explains it. */
  add(reply: Reply): boolean {
    if (!this.lines.add(reply)) return false;
    this.until = Math.max(this.until, reply.receivedAt);
    this.lastSeq = Math.max(this.lastSeq, reply.seq);
    this.#remember(reply);
    return true;
  }

  /** Records the delays of each direction, the drift taken out if there is proof of one. */
  record(lines: Lines, delays: Delays): void {
    const { lower, upper } = lines.drift();
    const drift = lower <= 0 && upper >= 0 ? 0 : lines.likeliestDrift();
    const weight = Math.round(this.#count / this.#samples.length);
    let [leastUp, leastDown] = [Infinity, Infinity];
    const correction = (moment: number) => drift * (moment - this.from);
    for (const it of this.#samples) {
      leastUp = Math.min(leastUp, it.up - correction(it.sentAt));
      leastDown = Math.min(leastDown, it.down + correction(it.receivedAt));
    }
    for (const it of this.#samples) {
      delays.up.record(it.up - correction(it.sentAt) - leastUp, weight);
      delays.down.record(it.down + correction(it.receivedAt) - leastDown, weight);
    }
  }

  /** Keeps a fair sample (Vitter 1985, algorithm R). */
  #remember(reply: Reply): void {
    this.#count++;
    const full = this.#samples.length === MOST_SAMPLES;
    const place = full ? Math.floor(Math.random() * this.#count) : this.#samples.length;
    if (place < MOST_SAMPLES) this.#samples.set(place, reply);
  }
}

/** A break, and what is needed to tell its size when the replies after it are in. */
interface FoundBreak extends Break {
  before?: Bounds;
}

/**
 * Learns about a server's clock from one reply after the other, in memory that does not depend on how many there are.
 *
 * It assumes that between breaks the offset changes linearly by at most {@linkcode MOST_DRIFT}, and that clocks are
 * read no more than {@linkcode CLOCK_LAG} late. Nothing is assumed of the delays, neither that they are symmetric nor
 * how they are distributed.
 */
export class ServerClock {
  #segment: Segment | undefined;
  /** The lines of wild drift through all replies; undefined before the first, and when there is none. */
  #wild: Lines | undefined;
  #wildDrift = true;
  readonly #breaks: FoundBreak[] = [];
  #breakCount = 0;
  /** The replies of this segment that came last, the oldest overwritten first. */
  #recent = new Replies(MOST_RECENT);
  #next = 0;
  /** The delays before the latest break. */
  #ended: Delays | undefined;

  add(reply: Reply): void {
    // The client's wall clock went back in the middle of this exchange, which therefore says nothing.
    if (upperOf(reply) - lowerOf(reply) < WILD_DRIFT * (reply.receivedAt - reply.sentAt)) return;
    if (this.#segment === undefined) {
      this.#segment = new Segment(reply);
      this.#wild = new Lines(reply, WILD_DRIFT);
    } else {
      if (this.#wildDrift && !this.#wild!.add(reply)) this.#wildDrift = false;
      if (!this.#segment.add(reply)) this.#break(reply);
    }
    this.#recent.set(this.#next, reply);
    this.#next = (this.#next + 1) % MOST_RECENT;
  }

  /** What is known so far; undefined before the first reply. */
  estimate(): ClockEstimate | undefined {
    if (this.#segment === undefined) return undefined;
    const lines = this.#lines();
    const wild = lines === this.#wild;
    const drift = lines.drift();
    return {
      offset: lines.at(this.#segment.until),
      drift,
      drifts: drift.lower > 0 || drift.upper < 0,
      breaks: wild ? [] : this.#breaks.map((it, i) => this.#toBreak(it, i === this.#breakCount - 1)),
      breakCount: wild ? 0 : this.#breakCount,
    };
  }

  /** The delays of all replies. */
  delays(): Delays {
    const delays = newDelays();
    if (this.#ended !== undefined) {
      delays.up.add(this.#ended.up);
      delays.down.add(this.#ended.down);
    }
    this.#segment?.record(this.#lines(), delays);
    return delays;
  }

  #lines(): Lines {
    return this.#breakCount >= BREAKS_FOR_WILD && this.#wildDrift ? this.#wild! : this.#segment!.lines;
  }

  #toBreak({ before, ...found }: FoundBreak, latest: boolean): Break {
    if (latest && before !== undefined) {
      found.size = difference(this.#segment!.lines.at(this.#segment!.from), before);
    }
    return found;
  }

  #break(reply: Reply): void {
    const ended = this.#segment!;
    const latest = this.#breaks[this.#breakCount - 1];
    if (latest?.before !== undefined) {
      latest.size = difference(ended.lines.at(ended.from), latest.before);
      delete latest.before;
    }
    ended.record(ended.lines, this.#ended ??= newDelays());
    this.#segment = new Segment(reply);
    this.#breakCount++;
    if (this.#breaks.length < MOST_BREAKS) this.#breaks.push(this.#find(reply, ended));
    this.#recent = new Replies(MOST_RECENT);
    this.#next = 0;
  }

  /** Where the clocks parted: after the last reply that even the fastest drift does not reconcile with this one. */
  #find(reply: Reply, ended: Segment): FoundBreak {
    const recent = [...this.#recent];
    const inOrder = [...recent.slice(this.#next), ...recent.slice(0, this.#next)];
    const last = inOrder.findLastIndex((it) => contradict(it, reply));
    const found = { after: inOrder[last]?.seq ?? ended.lastSeq, by: reply.seq, at: reply.receivedAt };
    if (last < 0) return { kind: "rate", ...found };
    // What came later may have been stamped after the step, and says nothing about the time before it.
    const [first, ...rest] = inOrder.slice(0, last + 1).reverse();
    const lines = new Lines(first!, MOST_DRIFT);
    for (const it of rest) {
      if (!lines.add(it)) break;
    }
    return { kind: "step", ...found, before: lines.at(reply.sentAt) };
  }
}

function newDelays(): Delays {
  return { up: new Distribution(), down: new Distribution() };
}

/** Whether no drift that a clock may have reconciles what two replies prove. */
function contradict(one: Reply, other: Reply): boolean {
  const tooHigh = (high: Reply, low: Reply) =>
    lowerOf(high) - upperOf(low) > MOST_DRIFT * Math.abs(high.receivedAt - low.sentAt) + SLACK;
  return tooHigh(one, other) || tooHigh(other, one);
}

function difference(after: Bounds, before: Bounds): Bounds {
  return { lower: after.lower - before.upper, upper: after.upper - before.lower };
}
