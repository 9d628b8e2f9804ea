/** The search for the highest rate that keeps a condition. It runs trials, whatever they are, one after the other. */
import { FIND_DEFAULTS } from "../probe/load_defaults.ts";
import type { LoadStats } from "../stats/load_stats.ts";
import {
  cannotPass,
  isOfGenerator,
  judgeTrial,
  type LoadFound,
  type LoadTrial,
} from "../stats/load_trial.ts";
import { type Reason, reasonFields, type TrialReasonCode } from "../stats/reasons.ts";
import type { LoadThreshold } from "../stats/threshold.ts";

/** What is searched for, and how. */
export interface FindOptions {
  /** What shall hold. */
  condition: LoadThreshold;
  /** The first rate, in lines a second. */
  rate?: number | undefined;
  /** How long a trial takes, in ms. */
  trial?: number | undefined;
  /** Ends the search. */
  signal?: AbortSignal | undefined;
}

/**
 * Runs a load of an open loop on new connections, and resolves when nothing of it is in flight.
 *
 * @param rate in lines a second. @param duration in ms.
 * @param hopeless is asked after each interval: true ends the plan.
 */
export type RunTrial = (
  rate: number,
  duration: number,
  hopeless: (stats: LoadStats) => boolean,
) => Promise<LoadStats>;

/** The search ends when the lowest rate that fails is this many times the highest that passes, or less. */
const NEAR = 1.05;
/** From here on the two are a border, where chance decides a single trial. */
const BORDER = 1.2;
/** Trials of a rate that decide, if they agree. */
const MAJORITY = 2;
/** No slower and no faster rate is tried. */
const MIN_RATE = 0.1;
const MAX_RATE = 1e7;
/** How long the rate found has to hold, in ms, and what is tried if it does not. */
const CONFIRM_MS = 30_000;
const LESS = 0.95;
const MAX_LESS = 3;
/** How many of the lower rates that passed a trial are tried then. */
const MAX_LOWER = 3;

const INTERRUPTED: Reason<TrialReasonCode> = { code: "interrupted", text: "it was interrupted" };

/** What trials of one rate say. */
type Decision = "passes" | "fails" | "limited" | "interrupted";

/**
 * Searches for the highest rate at which the condition holds, all is sent, and nothing is lost or dropped: it doubles the
 * rate until that fails, halves the distance until it is 5%, and holds the last rate that passed for 30 s, or else lower
 * ones.
 *
 * A trial that fails, or in which the generator was limited or so late that the condition broke by that, is repeated, and
 * so is any at the border: two that agree decide. Such a generator ends the search with what trials have shown of the
 * server until then.
 *
 * @param report is told of each trial when it has ended.
 * @ignore not for users of the library
 */
export function find(
  options: FindOptions,
  run: RunTrial,
  report: (trial: LoadTrial) => void = () => {},
): Promise<LoadFound> {
  return new Search(options, run, report).find();
}

class Search {
  readonly #options: FindOptions;
  readonly #run: RunTrial;
  readonly #report: (trial: LoadTrial) => void;
  readonly #bracket: Bracket;
  readonly #trials: LoadTrial[] = [];

  constructor(options: FindOptions, run: RunTrial, report: (trial: LoadTrial) => void) {
    this.#options = options;
    this.#run = run;
    this.#report = report;
    this.#bracket = new Bracket(options.rate ?? FIND_DEFAULTS.rate);
  }

  async find(): Promise<LoadFound> {
    const bracket = this.#bracket;
    for (let rate = bracket.next(); rate !== undefined; rate = bracket.next()) {
      const decision = await this.#decide(rate);
      if (decision === "interrupted") return this.#end("interrupted");
      if (decision === "limited") return this.#end("at least", this.#shown());
      // Who answers nothing at all does not do so at a lower rate either.
      if (decision === "fails" && this.#trials.every((it) => it.received === 0)) return this.#end("none");
      bracket[decision === "passes" ? "low" : "high"] = rate;
    }
    if (bracket.high === Infinity) return this.#end("at least");
    return bracket.low === 0 ? this.#end("none") : await this.#confirm();
  }

  /** Tries a rate until it is known whether it passes. */
  async #decide(rate: number): Promise<Decision> {
    const votes = { passes: 0, fails: 0, limited: 0 };
    for (let trials = 1;; trials++) {
      if (this.#interrupted) return "interrupted";
      const trial = await this.#try(rate, "search");
      if (this.#interrupted) return "interrupted";
      const vote = isOfGenerator(trial) ? "limited" : trial.passed ? "passes" : "fails";
      if (++votes[vote] === MAJORITY) return vote;
      if (vote === "passes" && trials === 1 && !this.#bracket.isBorder) return vote;
    }
  }

  /** Holds the rate that was found for longer, or else somewhat less, or else a lower one that has passed. */
  async #confirm(): Promise<LoadFound> {
    const less = [this.#bracket.low];
    while (less.length <= MAX_LESS) less.push(rounded(less.at(-1)! * LESS));
    const lower = this.#trials.filter(({ passed, rate }) => passed && rate < less.at(-1)!).map((it) =>
      it.rate
    );
    const kept = [...new Set(lower)].sort((a, b) => b - a).slice(0, MAX_LOWER);
    for (const rate of [...less, ...kept]) {
      if (this.#interrupted) return this.#end("interrupted");
      let trial = await this.#try(rate, "confirm");
      if (isOfGenerator(trial) && !this.#interrupted) trial = await this.#try(rate, "confirm");
      if (this.#interrupted) return this.#end("interrupted");
      if (isOfGenerator(trial)) return this.#end("at least", this.#shown());
      if (trial.passed) return this.#end("found", rate);
    }
    return this.#end("unconfirmed");
  }

  /**
   * The highest rate that a trial has shown to be kept, and none has shown to fail: one that the generator kept to; or
   * else what was received, since a limited generator did not send as planned. 0 for none.
   */
  #shown(): number {
    const failed = this.#trials.filter((it) => it.purpose === "confirm" && !it.passed && !isOfGenerator(it));
    const least = Math.min(this.#bracket.high, ...failed.map(({ rate }) => rate));
    const passed = this.#trials.filter((it) => it.passed && it.rate < least);
    const sound = passed.filter((it) => !isOfGenerator(it)).map(({ rate }) => rate);
    const received = passed.map((it) => Math.min(it.rate, it.received_rate ?? 0));
    return Math.max(0, ...sound.length > 0 ? sound : received);
  }

  async #try(rate: number, purpose: LoadTrial["purpose"]): Promise<LoadTrial> {
    const { condition, trial = FIND_DEFAULTS.trial } = this.#options;
    const duration = purpose === "search" ? trial : Math.max(trial, CONFIRM_MS);
    const lines = rate * duration / 1000;
    let hopeless = false;
    const stats = await this.#run(
      rate,
      duration,
      (stats) => hopeless ||= cannotPass(stats, condition, lines),
    );
    const judged = judgeTrial(
      { rate, purpose, cutShort: hopeless && stats.elapsed < duration, stats },
      condition,
    );
    // What the user broke off proves nothing.
    if (this.#interrupted) {
      Object.assign(judged, { passed: false }, reasonFields([INTERRUPTED]));
    }
    this.#trials.push(judged);
    this.#report(judged);
    return judged;
  }

  get #interrupted(): boolean {
    return this.#options.signal?.aborted ?? false;
  }

  #end(outcome: LoadFound["outcome"], rate: number = this.#bracket.low): LoadFound {
    return { outcome, rate: rate > 0 ? rate : null, trials: this.#trials };
  }
}

/** What is known of the rate that is searched for: it is between the highest that passes and the lowest that fails. */
class Bracket {
  low = 0;
  high = Infinity;
  readonly #start: number;

  constructor(start: number) {
    this.#start = start;
  }

  /** Whether both are known, and near each other. */
  get isBorder(): boolean {
    return this.low > 0 && this.high <= BORDER * this.low;
  }

  /** The rate to try next; undefined if the search is at its end. */
  next(): number | undefined {
    const { low, high } = this;
    if (high === Infinity) {
      const faster = low === 0 ? this.#start : 2 * low;
      return faster <= MAX_RATE || low === 0 ? faster : undefined;
    }
    if (high <= NEAR * low || high <= MIN_RATE) return undefined;
    const middle = rounded((low + high) / 2);
    return middle > low && middle < high ? middle : undefined;
  }
}

/** A rate of four digits at most: more are beyond what trials can tell. */
function rounded(rate: number): number {
  return Number(rate.toPrecision(4));
}
