import { isVerdict, type ProbeEvent, type ReplyEvent } from "./events.ts";

/** The wall clock is believed if it puts a line's sending no longer before its time-out began than this, in seconds. */
const MAX_LATENESS = 1;
/** The most spans; of more, those that are closest to each other become one. */
const MAX_SPANS = 400;

/** Lines that were lost one after the other, or close to each other. */
export interface LossSpan {
  /** When the first and the last of them were sent: seconds since the run began. */
  from: number;
  to: number;
  lines: number;
}

/** When lines were lost: every one of them is in a span, and the number of spans is bounded. */
export class LossSpans {
  readonly #timeout: number;
  readonly #maxSpans: number;
  #spans: LossSpan[] = [];
  /** The number of the latest lost line. */
  #latest = -1;
  /** When a line was sent that was answered: seconds on the run's clock, and µs on the wall clock. */
  #answered: { at: number; wall: number } | undefined;
  /** When the latest line was sent that was answered, in seconds since the run began; -1 if none was. */
  answeredUntil = -1;

  /** @param timeout of a line, in seconds. */
  constructor(timeout: number, maxSpans: number = MAX_SPANS) {
    this.#timeout = timeout;
    this.#maxSpans = maxSpans;
  }

  add(event: ProbeEvent): void {
    if (!isVerdict(event)) return;
    const { seq, at, sent: wall, rtt } = event as ReplyEvent;
    if (event.fate !== "lost") {
      if (rtt !== undefined) this.answeredUntil = Math.max(this.answeredUntil, at - rtt / 1e6);
      if (rtt !== undefined && wall !== undefined) this.#answered = { at: at - rtt / 1e6, wall };
      return;
    }
    this.#add(seq, Math.max(0, Math.min(this.#sentAt(event.reason, at, wall), at)));
  }

  /** The spans in the order of time. */
  spans(): LossSpan[] {
    this.#merge();
    return this.#spans;
  }

  /**
   * When a line was sent that has no reply: by the wall clock, unless that was stepped. A time-out is noticed when it has
   * passed, or somewhat later on a machine that is busy.
   */
  #sentAt(reason: string | undefined, at: number, wall: number | undefined): number {
    const latest = reason === undefined ? at - this.#timeout : at;
    if (this.#answered === undefined || wall === undefined) return latest;
    const told = this.#answered.at + (wall - this.#answered.wall) / 1e6;
    if (reason !== undefined) return told;
    return told <= latest && told >= latest - MAX_LATENESS ? told : latest;
  }

  #add(seq: number, at: number): void {
    const last = this.#spans.at(-1);
    if (last !== undefined && seq === this.#latest + 1) {
      last.from = Math.min(last.from, at); // the wall clock may have been stepped
      last.to = Math.max(last.to, at);
      last.lines++;
    } else {
      this.#spans.push({ from: at, to: at, lines: 1 });
      if (this.#spans.length >= 2 * this.#maxSpans) this.#merge();
    }
    this.#latest = seq;
  }

  /** Puts the spans in order, and makes one of those that are closest until there are few enough. */
  #merge(): void {
    this.#spans.sort((a, b) => a.from - b.from);
    this.#latest = -1; // the last one is no longer the latest
    const excess = this.#spans.length - this.#maxSpans;
    if (excess <= 0) return;
    const gaps = this.#spans.slice(1).map((it, i) => it.from - this.#spans[i]!.to);
    const widest = gaps.toSorted((a, b) => a - b)[excess - 1]!;
    let more = excess - gaps.filter((it) => it < widest).length; // of those that are as wide
    const [first, ...others] = this.#spans;
    const merged = [first!];
    others.forEach((it, i) => {
      const gap = gaps[i]!;
      if (gap > widest || (gap === widest && more-- <= 0)) return merged.push(it);
      const last = merged.at(-1)!;
      last.to = Math.max(last.to, it.to);
      last.lines += it.lines;
    });
    this.#spans = merged;
  }
}
