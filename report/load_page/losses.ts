/** When a load's lines had no right reply: as lines a second, and as spans in which that is more than single lines. */
import type { LoadInterval } from "../../stats/load_interval.ts";
import { sumOf } from "../../stats/reason_counts.ts";

/** A value from each x to the next; the last is repeated at the end. */
export interface Steps {
  x: number[];
  y: number[];
}

/**
 * From this share of its lines on, an entry is marked: it has an outage, or one of a few servers has, and not the loss of
 * single lines that a network may always have.
 */
const MARKED_SHARE = 0.2;

/** An entry of the course. */
interface Entry {
  from: number;
  to: number;
  received: number;
  /** Of what came after the plan's end: the lines that failed then. */
  failedLater: number | undefined;
}

/** Lines without a right reply. Times are in seconds since the measured part began. */
export class Losses {
  /** Lines in all. */
  lines = 0;
  /** Lines a second that waited for a time-out, when they were due: lost, or never written. */
  readonly overdue: Steps = { x: [], y: [] };
  /** Lines a second that failed, were dropped or were answered wrongly, in the plan's time. */
  readonly failed: Steps = { x: [], y: [] };
  readonly #timeout: number;
  readonly #entries: Entry[] = [];
  #spans: [from: number, to: number][] | undefined;

  /** @param timeout in seconds. */
  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** Adds what an interval tells. @param planEnd when the plan ended, as far as it has. */
  add(interval: LoadInterval, planEnd: number): void {
    const { received, lost, unsent, dropped, corrupt, errors, tail } = interval;
    const [from, to] = [interval.from / 1000, interval.to / 1000];
    const failed = dropped + corrupt + sumOf(errors);
    this.#entries.push({ from, to, received, failedLater: tail ? failed : undefined });
    if (!tail) step(this.failed, from, to, failed);
    // That a line is lost is known when its time-out has passed.
    const due = (moment: number) => Math.min(planEnd, Math.max(0, moment - this.#timeout));
    const overdue = lost + unsent;
    step(this.overdue, due(from), due(to), overdue);
    this.lines += failed + overdue;
  }

  /** Lines in a time of the plan, as many of each mark's as belong to it. */
  linesIn(from: number, to: number): number {
    return [this.overdue, this.failed].reduce((sum, it) => sum + linesIn(it, from, to), 0);
  }

  /** Times in which many lines had no right reply, those that touch in one. To be asked for at the end. */
  spans(): readonly [from: number, to: number][] {
    if (this.#spans !== undefined) return this.#spans;
    this.#spans = [];
    for (const { from, to, received, failedLater } of this.#entries) {
      const lines = failedLater ?? this.linesIn(from, to);
      if (lines === 0 || lines < MARKED_SHARE * (lines + received)) continue;
      const last = this.#spans.at(-1);
      if (last !== undefined && from <= last[1]) last[1] = to;
      else this.#spans.push([from, to]);
    }
    return this.#spans;
  }
}

function step({ x, y }: Steps, from: number, to: number, lines: number): void {
  if (to <= from) return;
  x.splice(-1, 1, from, to);
  y.splice(-1, 1, lines / (to - from), lines / (to - from));
}

function linesIn({ x, y }: Steps, from: number, to: number): number {
  return x.slice(1).reduce((sum, end, place) => {
    const shared = Math.min(end, to) - Math.max(x[place]!, from);
    return shared > 0 ? sum + shared * y[place]! : sum;
  }, 0);
}
