/** When a load's lines had no right reply, as marks and as lines a second. */
import type { LoadInterval } from "../../stats/load_interval.ts";
import { sumOf } from "../../stats/reason_counts.ts";

/** A value from each x to the next; the last is repeated at the end. */
export interface Steps {
  x: number[];
  y: number[];
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
  readonly #marks: [from: number, to: number][] = [];

  /** @param timeout in seconds. */
  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** Adds what an interval tells. @param planEnd when the plan ended, as far as it has. */
  add(interval: LoadInterval, planEnd: number): void {
    const { lost, unsent, dropped, corrupt, errors, tail } = interval;
    const [from, to] = [interval.from / 1000, interval.to / 1000];
    const failed = dropped + corrupt + sumOf(errors);
    if (failed > 0) this.#marks.push([from, to]);
    if (!tail) step(this.failed, from, to, failed);
    // That a line is lost is known when its time-out has passed.
    const due = (moment: number) => Math.min(planEnd, Math.max(0, moment - this.#timeout));
    const overdue = lost + unsent;
    if (overdue > 0) this.#marks.push([due(from), due(to)]);
    step(this.overdue, due(from), due(to), overdue);
    this.lines += failed + overdue;
  }

  /** Lines in a time of the plan, as many of each mark's as belong to it. */
  linesIn(from: number, to: number): number {
    return [this.overdue, this.failed].reduce((sum, it) => sum + linesIn(it, from, to), 0);
  }

  /** Times in which there were any, those that touch in one. */
  spans(): [from: number, to: number][] {
    const spans: [from: number, to: number][] = [];
    for (const [from, to] of this.#marks.toSorted((a, b) => a[0] - b[0])) {
      const last = spans.at(-1);
      if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to);
      else spans.push([from, to]);
    }
    return spans;
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
