/** A closed interval in which a value is proven to lie. */
export interface Bounds {
  lower: number;
  upper: number;
}

/** What one reply says about the clocks. The sender reads the client's clocks, the server stamps. */
export interface ClockSample {
  /** The line's number. */
  seq: number;
  /** When the line was sent and its reply arrived: seconds, monotonic. */
  sentAt: number;
  receivedAt: number;
  /** Stamp minus the client's wall clock just before the line was sent, in µs. */
  up: number;
  /** The client's wall clock just after the reply arrived minus the stamp, in µs. */
  down: number;
  /** The step of the stamp, in µs: the stamp is the moment rounded down to it. */
  resolution: number;
  /** Whether this machine may have held up the line or its reply: its delays say little about the path. */
  busy?: boolean;
  /** How many lines went there and back together; 1 if absent. */
  lines?: number;
}

/** How far a clock may read behind the true one, in µs, besides being rounded down: it may be read from a cache. */
export const CLOCK_LAG = 3;
/** The most that a computer's clock drifts, in ppm: the frequency tolerance of RFC 5905 (MAXFREQ). */
export const MAX_DRIFT = 500;
/** The step of the client's wall clock, in µs. */
export const CLIENT_STEP = 1;
/** Constraints are relaxed by a nanosecond, far above the rounding errors of their arithmetic. */
export const SLACK = 1e-3;
const MAX_CORNERS = 64;

/** The offset is at least this at the moment of receiving: the stamp was made before it. */
export function lowerOf(sample: ClockSample): number {
  return -sample.down - CLIENT_STEP - CLOCK_LAG;
}

/** The offset is at most this at the moment of sending: the stamp was made after it. */
export function upperOf(sample: ClockSample): number {
  return sample.up + sample.resolution + CLOCK_LAG;
}

/** Whether an end of a drift's interval, in ppm, is what is assumed: replies would fit a steeper drift as well. */
export function isAssumed(end: number): boolean {
  return Math.abs(Math.abs(end) - MAX_DRIFT) < 1e-6;
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
 * below the upper bounds of all replies exactly if its point is in the polygon. Each reply cuts the polygon smaller; few
 * corners remain, however many the replies.
 */
export class FeasibleLines {
  #corners: Corners;
  /** The origin of t and of a: small numbers keep their precision. */
  readonly #time: number;
  readonly #base: number;

  constructor(first: ClockSample, maxDrift: number) {
    this.#time = first.sentAt;
    this.#base = first.up;
    const lower = lowerOf(first) - this.#base - SLACK;
    const upper = upperOf(first) - this.#base + SLACK;
    const until = first.receivedAt - this.#time;
    this.#corners = {
      a: [lower + maxDrift * until, lower - maxDrift * until, upper, upper],
      b: [-maxDrift, maxDrift, maxDrift, -maxDrift],
    };
  }

  /** Keeps the lines that this reply allows too; false, and no change, if there are none. */
  add(sample: ClockSample): boolean {
    const above = this.#cut(this.#corners, sample.receivedAt, lowerOf(sample) - SLACK, 1);
    const between = above && this.#cut(above, sample.sentAt, upperOf(sample) + SLACK, -1);
    if (between === undefined) return false;
    this.#corners = between;
    if (between.a.length > MAX_CORNERS) this.#simplify(sample.receivedAt);
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

  /** The distance between the outermost lines of one drift; some line must have that drift. */
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
   * the same object for all of it.
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

  /** Replaces the polygon by the parallelogram around it with the same bounds of this moment and of the drift. */
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
