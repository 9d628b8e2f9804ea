/**
 * The offset of a server's clock from the client's, and its drift, from stamped replies alone. docs/clock.md explains
 * the method. Offsets are in microseconds, moments in seconds on a monotonic clock, drift in ppm, which is
 * microseconds per second.
 */
import { Distribution } from "./distribution.ts";
import { type Bounds, type ClockSample, FeasibleLines, lowerOf, SLACK, upperOf } from "./feasible_lines.ts";
import { SampleArray } from "./samples.ts";

/** Where two clocks left the line that they had followed. */
export interface Break {
  /** `step` when no drift explains it; `rate` when the drift changed, or a step was too small to tell from that. */
  kind: "step" | "rate";
  /** It happened after the reply with this number ... */
  after: number;
  /** ... and before the stamp of the reply with this number. */
  by: number;
  /** When the latter arrived: seconds, monotonic. */
  at: number;
  /** The size of a step, in µs; undefined for a change of rate. */
  size?: Bounds;
}

/** What is known of a server's clock. */
export interface ClockEstimate {
  /** Server minus client, at the moment of the latest reply. */
  offset: Bounds;
  /** Drift of the offset since the latest break. */
  drift: Bounds;
  /** Whether a constant offset is impossible since the latest break. */
  drifts: boolean;
  /** The first breaks, at most {@linkcode MAX_BREAKS}, and the number of all breaks. */
  breaks: Break[];
  breakCount: number;
}

/** The most that a computer's clock drifts, in ppm: the frequency tolerance of RFC 5905 (MAXFREQ). */
export const MAX_DRIFT = 500;
/** A clock that is off by more than half is no clock. Such drifts are considered only where steps explain less. */
const WILD_DRIFT = 500_000;
/** From this many breaks on, one steady, wild drift is the simpler explanation, if it is one. */
const BREAKS_FOR_WILD = 2;
export const MAX_BREAKS = 16;
/** The latest replies, kept to find out where a step happened. */
const MAX_RECENT = 256;
/** Replies kept for the delays of each direction; of more, a fair sample of this size. */
const MAX_SAMPLES = 8192;

/** The delay of each direction above its shortest, in µs. */
export interface Delays {
  up: Distribution;
  down: Distribution;
}

/** The replies between two breaks. */
class Segment {
  readonly lines: FeasibleLines;
  /** When its first line was sent and its last reply arrived. */
  readonly from: number;
  until: number;
  lastSeq: number;
  /** Kept replies, in no order once there are more than fit. */
  readonly #samples = new SampleArray(MAX_SAMPLES);
  #count = 0;

  constructor(first: ClockSample) {
    this.lines = new FeasibleLines(first, MAX_DRIFT);
    this.from = first.sentAt;
    this.until = first.receivedAt;
    this.lastSeq = first.seq;
    this.#remember(first);
  }

  /** Adds a reply; false, and no change, if no steady clock explains it. */
  add(sample: ClockSample): boolean {
    if (!this.lines.add(sample)) return false;
    this.until = Math.max(this.until, sample.receivedAt);
    this.lastSeq = Math.max(this.lastSeq, sample.seq);
    this.#remember(sample);
    return true;
  }

  /** Records the delays of each direction, without the drift if one is proven. */
  record(lines: FeasibleLines, delays: Delays): void {
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
  #remember(sample: ClockSample): void {
    this.#count++;
    const full = this.#samples.length === MAX_SAMPLES;
    const place = full ? Math.floor(Math.random() * this.#count) : this.#samples.length;
    if (place < MAX_SAMPLES) this.#samples.set(place, sample);
  }
}

/** A break, and the bounds before it, from which its size follows once the replies after it are in. */
interface FoundBreak extends Break {
  before?: Bounds;
}

/**
 * Estimates a server's clock from one reply after the other, in memory that does not depend on their number.
 *
 * It assumes that between breaks the offset changes linearly by at most {@linkcode MAX_DRIFT}, and that clocks are
 * read at most `CLOCK_LAG` late. It assumes nothing about the delays, neither their symmetry nor their distribution.
 */
export class ServerClock {
  #segment: Segment | undefined;
  /** The lines of wild drift through all replies; undefined before the first reply. */
  #wild: FeasibleLines | undefined;
  #wildDrift = true;
  readonly #breaks: FoundBreak[] = [];
  #breakCount = 0;
  /** The latest replies of this segment, the oldest overwritten first. */
  #recent = new SampleArray(MAX_RECENT);
  #next = 0;
  /** The delays before the latest break. */
  #ended: Delays | undefined;

  add(sample: ClockSample): void {
    // The client's wall clock stepped back during this exchange, which therefore proves nothing.
    if (upperOf(sample) - lowerOf(sample) < WILD_DRIFT * (sample.receivedAt - sample.sentAt)) return;
    if (this.#segment === undefined) {
      this.#segment = new Segment(sample);
      this.#wild = new FeasibleLines(sample, WILD_DRIFT);
    } else {
      if (this.#wildDrift && !this.#wild!.add(sample)) this.#wildDrift = false;
      if (!this.#segment.add(sample)) this.#break(sample);
    }
    this.#recent.set(this.#next, sample);
    this.#next = (this.#next + 1) % MAX_RECENT;
  }

  /** What is known so far; undefined before the first sample. */
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

  #lines(): FeasibleLines {
    return this.#breakCount >= BREAKS_FOR_WILD && this.#wildDrift ? this.#wild! : this.#segment!.lines;
  }

  #toBreak({ before, ...found }: FoundBreak, latest: boolean): Break {
    if (latest && before !== undefined) {
      found.size = difference(this.#segment!.lines.at(this.#segment!.from), before);
    }
    return found;
  }

  #break(sample: ClockSample): void {
    const ended = this.#segment!;
    const latest = this.#breaks[this.#breakCount - 1];
    if (latest?.before !== undefined) {
      latest.size = difference(ended.lines.at(ended.from), latest.before);
      delete latest.before;
    }
    ended.record(ended.lines, this.#ended ??= newDelays());
    this.#segment = new Segment(sample);
    this.#breakCount++;
    if (this.#breaks.length < MAX_BREAKS) this.#breaks.push(this.#find(sample, ended));
    this.#recent = new SampleArray(MAX_RECENT);
    this.#next = 0;
  }

  /** Where the clocks parted: after the last reply that no drift reconciles with this one. */
  #find(sample: ClockSample, ended: Segment): FoundBreak {
    const recent = [...this.#recent];
    const inOrder = [...recent.slice(this.#next), ...recent.slice(0, this.#next)];
    const last = inOrder.findLastIndex((it) => contradict(it, sample));
    const found = { after: inOrder[last]?.seq ?? ended.lastSeq, by: sample.seq, at: sample.receivedAt };
    if (last < 0) return { kind: "rate", ...found };
    // Later replies may have been stamped after the step, and prove nothing about the time before it.
    const [first, ...rest] = inOrder.slice(0, last + 1).reverse();
    const lines = new FeasibleLines(first!, MAX_DRIFT);
    for (const it of rest) {
      if (!lines.add(it)) break;
    }
    return { kind: "step", ...found, before: lines.at(sample.sentAt) };
  }
}

function newDelays(): Delays {
  return { up: new Distribution(), down: new Distribution() };
}

/** Whether two replies prove bounds that no drift up to {@linkcode MAX_DRIFT} reconciles. */
function contradict(one: ClockSample, other: ClockSample): boolean {
  const tooHigh = (high: ClockSample, low: ClockSample) =>
    lowerOf(high) - upperOf(low) > MAX_DRIFT * Math.abs(high.receivedAt - low.sentAt) + SLACK;
  return tooHigh(one, other) || tooHigh(other, one);
}

function difference(after: Bounds, before: Bounds): Bounds {
  return { lower: after.lower - before.upper, upper: after.upper - before.lower };
}
