import { type Random, seededRandom } from "./random.ts";

/** When lines are to be sent, whatever becomes of them: moments that rise. */
export interface Schedule {
  /** The next planned moment, in ms since the plan's beginning; undefined at its end. */
  next(): number | undefined;
}

/** A line each interval, without end. */
export class EvenSchedule implements Schedule {
  readonly #interval: number;
  #passed = 0;

  /** @param interval in ms, more than 0. */
  constructor(interval: number) {
    this.#interval = interval;
  }

  next(): number {
    return this.#passed++ * this.#interval; // no sum, whose rounding errors would add up
  }
}

/** A part of a plan in which the rate changes evenly. */
export interface Stage {
  /** In ms; 0 for a jump, Infinity for a stage without an end. */
  duration: number;
  /** Lines a second at its end. */
  rate: number;
}

/** How a plan's lines are placed in time, and which of them a schedule has. */
export interface StagesOptions {
  /** The most lines; no limit if absent. */
  count?: number | undefined;
  /** `uniform` if absent; `poisson`: independent of each other, as lines of many users are. */
  arrivals?: "uniform" | "poisson" | undefined;
  /** Repeats the arrivals of a `poisson` plan; the schedules of one plan need the same. */
  seed?: number | undefined;
  /** With several threads each has every `threads`th line from line number `thread`, from 0, on. */
  thread?: number | undefined;
  threads?: number | undefined;
}

/** A stage as a piece of the plan's course: in ms, lines, and lines per ms. */
interface Piece {
  from: number;
  duration: number;
  /** Lines planned before it, and before its end. */
  before: number;
  until: number;
  rate: number;
  /** What the rate gains per ms. */
  slope: number;
}

/**
 * Lines at a rate that follows stages. N(t), the integral of the rate, is the number of lines planned before t: line n
 * (from 0) is planned when N reaches n. Poisson arrivals have gaps of unit exponentials in N instead of gaps of 1, so
 * that their rate follows the stages as well.
 */
export class StagesSchedule implements Schedule {
  /** When the plan ends, in ms; Infinity if it does not. */
  readonly duration: number;
  readonly #pieces: Piece[] = [];
  readonly #count: number;
  readonly #random: Random | undefined;
  readonly #threads: number;
  #piece = 0;
  /** The number of the next line, and the N at which it is planned. */
  #line: number;
  #at: number;

  /** @param stages from a rate of 0 on. */
  constructor(stages: readonly Stage[], options: StagesOptions = {}) {
    let [from, before, rate] = [0, 0, 0];
    for (const stage of stages) {
      const end = stage.rate / 1000;
      const { duration } = stage;
      if (duration > 0) {
        const until = before + (duration === Infinity ? Infinity * end || 0 : duration * (rate + end) / 2);
        const slope = duration === Infinity ? 0 : (end - rate) / duration;
        this.#pieces.push({ from, duration, before, until, rate: duration === Infinity ? end : rate, slope });
        before = until;
      }
      from += duration;
      rate = end;
    }
    this.duration = from;
    this.#count = options.count ?? Infinity;
    this.#random = options.arrivals === "poisson" ? seededRandom(options.seed ?? 0) : undefined;
    this.#threads = options.threads ?? 1;
    this.#line = options.thread ?? 0;
    this.#at = this.#random === undefined ? this.#line : 0;
    for (let line = 0; this.#random !== undefined && line <= this.#line; line++) this.#at += this.#gap();
  }

  /** The schedule of one rate. @param duration in ms. */
  static constant(rate: number, duration = Infinity, options: StagesOptions = {}): StagesSchedule {
    return new StagesSchedule([{ duration: 0, rate }, { duration, rate }], options);
  }

  next(): number | undefined {
    if (this.#line >= this.#count) return undefined;
    const moment = this.#momentOf(this.#at);
    if (moment === undefined) return undefined;
    this.#line += this.#threads;
    if (this.#random === undefined) this.#at = this.#line; // no sum, whose rounding errors would add up
    else for (let i = 0; i < this.#threads; i++) this.#at += this.#gap();
    return moment;
  }

  /** Lines planned before a moment, on average where they are random: N(t), or the count where that is less. */
  planned(moment: number): number {
    let lines = 0;
    for (const { from, duration, before, rate, slope } of this.#pieces) {
      const passed = Math.min(moment - from, duration);
      if (passed > 0) lines = before + passed * (rate + slope * passed / 2);
    }
    return Math.min(lines, this.#count);
  }

  #gap(): number {
    return -Math.log(1 - this.#random!());
  }

  /** When N reaches a number. */
  #momentOf(lines: number): number | undefined {
    let piece = this.#pieces[this.#piece];
    // What rounding left of the last line is no line.
    while (piece !== undefined && lines >= piece.until - 1e-9 * Math.max(1, lines)) {
      piece = this.#pieces[++this.#piece];
    }
    if (piece === undefined) return undefined;
    const { from, before, rate, slope } = piece;
    const more = Math.max(0, lines - before);
    if (more === 0) return from;
    // The root of rate t + slope t² / 2 = more in the form that has no difference of near numbers.
    const root = rate + Math.sqrt(Math.max(0, rate * rate + 2 * slope * more));
    // Of whole nanoseconds: what rounding took from a full second would put the line into the second before.
    return Math.round((from + 2 * more / root) * 1e6) / 1e6;
  }
}
