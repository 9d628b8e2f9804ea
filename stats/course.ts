/** The course of a run, for charts: how its figures went over time, in memory that does not depend on its length. */
import { type Bin, BinnedSeries } from "./binned_series.ts";
import type { ProbeEvent, ReplyEvent } from "./events.ts";
import type { Bounds, ClockSample } from "./feasible_lines.ts";
import { LossSpans } from "./loss_spans.ts";
import type { Baseline } from "./segment.ts";
import type { ServerClock } from "./server_clock.ts";

/** The most moments at which an offset is kept; of more, every second one is dropped. */
const MAX_OFFSETS = 256;
/** An offset is kept this often in the beginning, in seconds. */
const OFFSET_STEP = 0.01;

/** What was known of a clock's offset at a moment. */
export interface OffsetAt {
  /** Seconds since the run began. */
  at: number;
  /** Server minus client, in µs. */
  offset: Bounds;
  /** Whether the clock has broken since the moment before: it was stepped, or its rate changed. */
  isBroken: boolean;
}

/** The course of a run's lines and connections. Moments are those of sending, in seconds since the run began. */
export class Course {
  readonly losses: LossSpans;
  /** In µs. */
  readonly connect: BinnedSeries = new BinnedSeries();
  readonly handshake: BinnedSeries = new BinnedSeries();

  /** @param timeout of a line, in seconds. */
  constructor(timeout: number) {
    this.losses = new LossSpans(timeout);
  }

  add(event: ProbeEvent): void {
    this.losses.add(event);
    const { at, connect, handshake, rtt = 0 } = event as ReplyEvent;
    if (connect === undefined) return;
    const began = Math.max(0, at - (rtt + connect + (handshake ?? 0)) / 1e6);
    this.connect.add(began, connect);
    if (handshake !== undefined) this.handshake.add(began, handshake);
  }
}

/** The course of one server's replies, which its clock is told of as well. */
export class ServerCourse {
  /** Round trips, in µs. */
  readonly rtt: BinnedSeries = new BinnedSeries();
  readonly #clock: ServerClock;
  /** The ways there and back, each with the clock's offset, since the clock's latest break. */
  #up = new BinnedSeries();
  #down = new BinnedSeries();
  /** The delays before it. */
  readonly #ended = { up: new BinnedSeries(), down: new BinnedSeries() };
  #breaks = 0;
  #offsets: { at: number; together: Bounds; alone: Bounds; isBroken: boolean }[] = [];
  #offsetStep = OFFSET_STEP;
  #latest = 0;
  /** The likeliest drift when the latest offset was kept, in ppm. */
  #drift = 0;

  constructor(clock: ServerClock) {
    this.#clock = clock;
  }

  /** Records the round trip of a reply. */
  add({ at, rtt }: ReplyEvent): void {
    if (rtt !== undefined) this.rtt.add(at - rtt / 1e6, rtt);
  }

  /** Records a sample that the clock has taken. */
  addSample({ sentAt, receivedAt, up, down }: ClockSample): void {
    const isBreak = this.#clock.breakCount !== this.#breaks;
    if (isBreak) this.#endSegment();
    this.#latest = Math.max(this.#latest, receivedAt);
    const last = this.#offsets.at(-1);
    if (last === undefined || isBreak || receivedAt >= last.at + this.#offsetStep) {
      this.#keepOffset(isBreak);
    }
    this.#up.add(sentAt, up, this.#drift);
    this.#down.add(receivedAt, down, -this.#drift);
  }

  /** The delay of each direction above its best, in µs: at most so many bins. */
  delays(most: number): { up: Bin[]; down: Bin[] } {
    const [up, down] = [new BinnedSeries(), new BinnedSeries()];
    up.addAll(this.#ended.up, NO_LINE);
    down.addAll(this.#ended.down, NO_LINE);
    const baseline = this.#clock.baseline();
    if (baseline !== undefined) {
      up.addAll(this.#up, upLine(baseline));
      down.addAll(this.#down, downLine(baseline));
    }
    return { up: up.bins(most), down: down.bins(most) };
  }

  /**
   * What was known of the offset in the course of the run, and at its end: where the clocks kept to no line, what single
   * replies proved.
   */
  offsets(): OffsetAt[] {
    const estimate = this.#clock.estimate();
    if (estimate === undefined) return [];
    const { offset, withdrawn } = estimate;
    const before = this.#offsets.filter(({ at }) => at < this.#latest).map((
      { together, alone, ...rest },
    ) => ({
      ...rest,
      offset: withdrawn === undefined ? together : alone,
    }));
    const isBroken = this.#offsets.some((it) => it.at === this.#latest && it.isBroken);
    return [...before, { at: this.#latest, offset, isBroken }];
  }

  #endSegment(): void {
    const baseline = this.#clock.endedBaseline!;
    this.#ended.up.addAll(this.#up, upLine(baseline));
    this.#ended.down.addAll(this.#down, downLine(baseline));
    this.#up = new BinnedSeries();
    this.#down = new BinnedSeries();
    this.#breaks = this.#clock.breakCount;
  }

  #keepOffset(isBroken: boolean): void {
    const { drift, ...bounds } = this.#clock.bounds();
    this.#offsets.push({ at: this.#latest, isBroken, ...bounds });
    this.#drift = drift;
    if (this.#offsets.length < MAX_OFFSETS) return;
    const all = this.#offsets;
    this.#offsets = all.filter((_, i) => i % 2 === 0);
    for (let i = 1; i < this.#offsets.length; i++) this.#offsets[i]!.isBroken ||= all[2 * i - 1]!.isBroken;
    this.#offsetStep *= 2;
  }
}

const NO_LINE = { base: 0, slope: 0 };

/** The line above which the delays of a direction lie: it begins with the shortest way where the segment began. */
function upLine({ from, drift, up }: Baseline): { base: number; slope: number } {
  return { base: up - drift * from, slope: drift };
}

function downLine({ from, drift, down }: Baseline): { base: number; slope: number } {
  return { base: down + drift * from, slope: -drift };
}
