/**
 * The offset of a server's clock from the client's, and its drift, from stamped replies alone. docs/clock.md explains
 * the method. Offsets are in microseconds, moments in seconds on a monotonic clock, drift in ppm, which is
 * microseconds per second.
 */
import {
  type Bounds,
  type ClockSample,
  FeasibleLines,
  lowerOf,
  MAX_DRIFT,
  SLACK,
  upperOf,
} from "./feasible_lines.ts";
import { SampleArray } from "./samples.ts";
import { type Baseline, Delays, Segment } from "./segment.ts";
import type { Block } from "./time_blocks.ts";

/** Where two clocks left the line that they had followed. */
export interface Break {
  /** `step` when no drift explains it; `rate` when the drift changed, or a step was too small to tell from that. */
  kind: "step" | "rate";
  /** Whose clock was stepped; undefined for a change of rate. */
  whose?: "server" | "client";
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
  /**
   * Why the replies of the run prove nothing together, if they show that: the offset is then what the latest reply
   * proves alone.
   */
  withdrawn: Withdrawal | undefined;
}

/**
 * What shows that the clocks kept to no line: changes of rate (`rate`), more breaks than a clock has (`breaks`), or
 * delays that a step less than a round trip (`step`) or a drift beyond the limit (`drift`) would explain.
 */
export type Withdrawal = "rate" | "breaks" | "step" | "drift";

/** A clock that is off by more than half is no clock. Such drifts are considered only where steps explain less. */
const WILD_DRIFT = 500_000;
/** From this many breaks on, one steady, wild drift is the simpler explanation, if it is one. */
const BREAKS_FOR_WILD = 2;
export const MAX_BREAKS = 16;
/** The latest replies, kept to find out where a step happened. */
const MAX_RECENT = 256;
/** From this many breaks on they look less like one clock than like several. */
export const MANY_BREAKS = 3;

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
  #rateBreaks = 0;
  /** The reply that arrived last. */
  #latest: ClockSample | undefined;
  /** The latest replies of this segment, the oldest overwritten first. */
  #recent = new SampleArray(MAX_RECENT);
  #next = 0;
  /** The delays before the latest break. */
  #ended: Delays | undefined;
  /** What the delays before the latest break were counted above; undefined if there was none. */
  endedBaseline: Baseline | undefined;
  /** How far the client's clock was stepped since the reply before, in µs. */
  #clientStep: Bounds | undefined;

  /** Adds a reply; false, and no change, if it proves nothing. */
  add(sample: ClockSample): boolean {
    // The client's wall clock stepped back during this exchange, which therefore proves nothing.
    if (upperOf(sample) - lowerOf(sample) < WILD_DRIFT * (sample.receivedAt - sample.sentAt)) return false;
    if (this.#segment === undefined) {
      this.#segment = new Segment(sample, MAX_DRIFT);
      this.#wild = new FeasibleLines(sample, WILD_DRIFT);
    } else {
      if (this.#wildDrift && !this.#wild!.add(sample)) this.#wildDrift = false;
      if (this.#clientStep !== undefined || !this.#segment.add(sample)) this.#break(sample);
    }
    if (!(this.#latest !== undefined && sample.receivedAt < this.#latest.receivedAt)) this.#latest = sample;
    this.#recent.set(this.#next, sample);
    this.#next = (this.#next + 1) % MAX_RECENT;
    return true;
  }

  /** The client's clock was stepped before the next reply: what was proven of the offset holds no more. */
  clientStepped(size: Bounds): void {
    if (this.#segment === undefined) return;
    this.#clientStep = size;
    this.#wildDrift = false;
  }

  /** What is known so far; undefined before the first sample. */
  estimate(): ClockEstimate | undefined {
    if (this.#segment === undefined) return undefined;
    const lines = this.#lines();
    const wild = lines === this.#wild;
    const drift = lines.drift();
    const withdrawn = wild ? undefined : this.#withdrawn();
    return {
      offset: withdrawn === undefined ? lines.at(this.#segment.until) : boundsOf(this.#latest!),
      drift,
      drifts: drift.lower > 0 || drift.upper < 0,
      breaks: wild ? [] : this.#breaks.map((it, i) => this.#toBreak(it, i === this.#breakCount - 1)),
      breakCount: wild ? 0 : this.#breakCount,
      withdrawn,
    };
  }

  /**
   * What the replies prove of the offset so far: all together, if it turns out that the clocks kept to a line, and the
   * latest alone, if they did not. {@linkcode estimate} tells which it is so far, but takes some ms for it. The drift is
   * the one that is taken out of delays, in ppm.
   */
  bounds(): { together: Bounds; alone: Bounds; drift: number } {
    const lines = this.#lines();
    const segment = this.#segment!;
    return { together: lines.at(segment.until), alone: boundsOf(this.#latest!), drift: segment.drift(lines) };
  }

  /** The delays of all replies. */
  delays(): Delays {
    const delays = new Delays();
    if (this.#ended !== undefined) delays.addAll(this.#ended);
    this.#segment?.record(this.#lines(), delays);
    return delays;
  }

  /** What the delays since the latest break are counted above; undefined before the first sample. */
  baseline(): Baseline | undefined {
    return this.#segment?.baseline(this.#lines());
  }

  /** Breaks so far. */
  get breakCount(): number {
    return this.#breakCount;
  }

  /** The course of the delays since the latest break, above their shortest, of lines that nothing here held up. */
  course(): { replies: number; blocks: Block[] } {
    if (this.#segment === undefined) return { replies: 0, blocks: [] };
    const { blocks, from } = this.#segment;
    const drift = this.#segment.drift(this.#lines());
    const least = this.#segment.least(drift);
    return {
      replies: blocks.count,
      blocks: blocks.above(drift).map(({ up, down }) => ({
        up: up - least.up + drift * from,
        down: down - least.down - drift * from,
      })),
    };
  }

  #lines(): FeasibleLines {
    return this.#breakCount >= BREAKS_FOR_WILD && this.#wildDrift ? this.#wild! : this.#segment!.lines;
  }

  #withdrawn(): Withdrawal | undefined {
    if (this.#rateBreaks > 0) return "rate";
    if (this.#breakCount >= MANY_BREAKS) return "breaks";
    return this.#segment!.unsteadiness(MAX_DRIFT, WILD_DRIFT);
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
    ended.record(ended.lines, this.#ended ??= new Delays());
    this.endedBaseline = ended.baseline(ended.lines);
    this.#segment = new Segment(sample, MAX_DRIFT);
    this.#breakCount++;
    const found = this.#find(sample, ended);
    if (found.kind === "rate") this.#rateBreaks++;
    if (this.#breaks.length < MAX_BREAKS) this.#breaks.push(found);
    this.#clientStep = undefined;
    this.#recent = new SampleArray(MAX_RECENT);
    this.#next = 0;
  }

  /** Where the clocks parted: after the last reply that no drift reconciles with this one. */
  #find(sample: ClockSample, ended: Segment): FoundBreak {
    const { seq: by, receivedAt: at } = sample;
    if (this.#clientStep !== undefined) {
      const { lower, upper } = this.#clientStep;
      const size = { lower: -upper, upper: -lower };
      return { kind: "step", whose: "client", after: ended.lastSeq, by, at, size };
    }
    const recent = [...this.#recent];
    const inOrder = [...recent.slice(this.#next), ...recent.slice(0, this.#next)];
    const last = inOrder.findLastIndex((it) => contradict(it, sample));
    const found = { after: inOrder[last]?.seq ?? ended.lastSeq, by, at };
    if (last < 0) return { kind: "rate", ...found };
    // Later replies may have been stamped after the step, and prove nothing about the time before it.
    const [first, ...rest] = inOrder.slice(0, last + 1).reverse();
    const lines = new FeasibleLines(first!, MAX_DRIFT);
    for (const it of rest) {
      if (!lines.add(it)) break;
    }
    return { kind: "step", whose: "server", ...found, before: lines.at(sample.sentAt) };
  }
}

/** What a reply proves alone, however the clocks went before: up to twice the limit of a drift while it was under way. */
function boundsOf(sample: ClockSample): Bounds {
  const margin = 2 * MAX_DRIFT * (sample.receivedAt - sample.sentAt) + SLACK;
  return { lower: lowerOf(sample) - margin, upper: upperOf(sample) + margin };
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
