import { DelaySeries } from "./delay_series.ts";
import { Distribution } from "./distribution.ts";
import { CLIENT_STEP, type ClockSample, FeasibleLines } from "./feasible_lines.ts";
import { unsteadiness, type Unsteady } from "./steadiness.ts";
import { TimeBlocks } from "./time_blocks.ts";

/** Two distributions. */
export interface Directions {
  up: Distribution;
  down: Distribution;
}

/** The delay of each direction above its shortest, in µs. */
export class Delays {
  readonly all: Directions = newDirections();
  /** Lines that this machine held up. */
  busy = 0;
  #calm: Directions | undefined;

  /** The delays of the other lines. */
  get calm(): Directions {
    return this.#calm ?? this.all;
  }

  /** Adds a segment's delays. @param busy those of its lines that this machine held up. */
  add(record: (to: Directions) => void, busy: number, recordBusy: (to: Directions) => void): void {
    if (busy > 0) {
      this.#calm ??= merged(newDirections(), this.all);
      recordBusy(this.all);
    }
    this.busy += busy;
    record(this.all);
    if (this.#calm !== undefined) record(this.#calm);
  }

  /** Adds the delays of earlier lines. */
  addAll(other: Delays): void {
    if (other.busy > 0) this.#calm ??= merged(newDirections(), this.all);
    if (this.#calm !== undefined) merged(this.#calm, other.calm);
    this.busy += other.busy;
    merged(this.all, other.all);
  }
}

/** The shortest ways, each with the clock's offset at a moment, and how that offset drifts. */
export interface Baseline {
  /** The moment: seconds, monotonic. */
  from: number;
  /** In ppm. */
  drift: number;
  /** In µs. */
  up: number;
  down: number;
}

function newDirections(): Directions {
  return { up: new Distribution(), down: new Distribution() };
}

function merged(to: Directions, from: Directions): Directions {
  to.up.add(from.up);
  to.down.add(from.down);
  return to;
}

/** From this many replies on the likeliest drift is as good as a proven one. */
const MANY_REPLIES = 10_000;

/** Delays as they are summed up with the clock's offset. */
class Pair {
  readonly up = new DelaySeries();
  readonly down = new DelaySeries();
}

/** The replies between two breaks of a clock. */
export class Segment {
  readonly lines: FeasibleLines;
  /** When its first line was sent and its last reply arrived. */
  readonly from: number;
  until: number;
  lastSeq: number;
  /** The course of the lines that this machine did not hold up. */
  readonly blocks = new TimeBlocks();
  readonly #calm = new Pair();
  /** Made for the first line that was held up: there are few on most machines. */
  #busy: Pair | undefined;
  /** What was found of which blocks. */
  #judged: { full: number; size: number; verdict: Unsteady | undefined } = {
    full: 0,
    size: 1,
    verdict: undefined,
  };
  readonly #likeliest = () => this.lines.likeliestDrift();
  readonly #opposite = () => -this.lines.likeliestDrift();

  constructor(first: ClockSample, maxDrift: number) {
    this.lines = new FeasibleLines(first, maxDrift);
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

  /** As {@linkcode unsteadiness}; found anew only when another block is full, since it takes some ms of a run. */
  unsteadiness(maxDrift: number, wildDrift: number): Unsteady | undefined {
    const { full, size } = this.blocks;
    if (full !== this.#judged.full || size !== this.#judged.size) {
      this.#judged = { full, size, verdict: unsteadiness(this.blocks, maxDrift, wildDrift) };
    }
    return this.#judged.verdict;
  }

  /** Records the delays of each direction, without the drift of these lines. */
  record(lines: FeasibleLines, delays: Delays): void {
    const drift = this.drift(lines);
    const least = this.least(drift);
    const record = (pair: Pair, { up, down }: Directions) => {
      pair.up.addTo(up, drift, least.up);
      pair.down.addTo(down, -drift, least.down);
    };
    const busy = this.#busy;
    delays.add((to) => record(this.#calm, to), busy?.up.count ?? 0, (to) => busy && record(busy, to));
  }

  /**
   * The drift to take out of the delays, in ppm: the likeliest. Of few replies only if it is proven, because a drift
   * that is chosen to explain few delays explains more of them than there is.
   */
  drift(lines: FeasibleLines): number {
    const { lower, upper } = lines.drift();
    const proven = lower > 0 || upper < 0;
    return proven || this.#calm.up.added > MANY_REPLIES ? lines.likeliestDrift() : 0;
  }

  /** The shortest ways there and back, each with the offset that a line of this drift has where it began to count. */
  least(drift: number): { up: number; down: number } {
    const pairs = this.#busy === undefined ? [this.#calm] : [this.#calm, this.#busy];
    return {
      up: Math.min(...pairs.map(({ up }) => up.least(drift))),
      down: Math.min(...pairs.map(({ down }) => down.least(-drift))),
    };
  }

  /** What is taken from a reply's ways to get its delays. */
  baseline(lines: FeasibleLines): Baseline {
    const drift = this.drift(lines);
    return { from: this.from, drift, ...this.least(drift) };
  }

  #remember(sample: ClockSample): void {
    const pair = sample.busy ? this.#busy ??= new Pair() : this.#calm;
    // Moments count from the segment's first: small numbers keep their precision.
    pair.up.add(sample.sentAt - this.from, sample.up, this.#likeliest, sample.lines);
    pair.down.add(sample.receivedAt - this.from, sample.down, this.#opposite, sample.lines);
    // Stamps of whole seconds have no course that says anything.
    if (!sample.busy && sample.resolution <= CLIENT_STEP) this.blocks.add(sample, this.#likeliest);
  }
}
