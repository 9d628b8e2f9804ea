import { isVerdict, type ProbeEvent, type ReplyEvent } from "./events.ts";
import { nanos } from "./units.ts";

/** Lines beyond the latest whose fate is unknown; of more, what is missing between them counts as forgotten. */
const MAX_AHEAD = 65_536;

/** Lines lost one after the other. */
export interface Outage {
  /** The number of the first. */
  from: number;
  /** Lines that were lost in it. */
  lines: number;
  /**
   * How long no line was answered, in seconds: from when the first of them was sent to when the first was sent that was
   * answered, or to the end of the run.
   */
  duration: number;
}

/** How lost lines lie among the others (RFC 3357 calls a burst a loss period). */
export interface LossPatternSummary {
  /** Bursts of lost lines: one or more after the other. */
  bursts: number;
  /** The one that lasted longest. */
  longest: Outage;
}

/** When a line was sent. */
interface Sending {
  /** In seconds on the run's clock; undefined for a lost line. */
  at: number | undefined;
  /** In µs on the wall clock, if known. */
  wall: number | undefined;
}

/** Puts the fates of lines, which become known in any order, into the order of the lines. */
export class LossPattern {
  /** The line whose fate is the next to be put in order. */
  #next = 1;
  /** Lines beyond it whose fates are known. */
  readonly #ahead = new Map<number, Sending>();
  #bursts = 0;
  #longest: Outage | undefined;
  /** The lines of the burst that is not over, and when the first of them was sent. */
  #first = 0;
  #lines = 0;
  #firstAt: number | undefined;
  /** When the latest line was sent that was answered; when the run began, before the first. */
  #answered: Required<Sending> & { at: number } = { at: 0, wall: undefined };
  /** The latest event. */
  #until = 0;

  add(event: ProbeEvent): void {
    this.#until = Math.max(this.#until, event.at);
    if (!isVerdict(event) || event.fate === "pending") return;
    const { seq, sent: wall, rtt = 0 } = event as ReplyEvent;
    const at = event.fate === "lost" ? undefined : event.at - rtt / 1e6;
    if (seq === this.#next && this.#ahead.size === 0) return this.#put(at, wall);
    this.#ahead.set(seq, { at, wall });
    if (this.#ahead.size > MAX_AHEAD) this.#next = Math.min(...this.#ahead.keys());
    for (let sending; (sending = this.#ahead.get(this.#next)) !== undefined;) {
      this.#ahead.delete(this.#next);
      this.#put(sending.at, sending.wall);
    }
  }

  /** What is known so far; null if no line is lost. */
  summary(): LossPatternSummary | null {
    const longest = this.#lines === 0 ? this.#longest : this.#longer(this.#outage(this.#until));
    if (longest === undefined) return null;
    return { bursts: this.#bursts, longest: { ...longest, duration: nanos(longest.duration) } };
  }

  #put(at: number | undefined, wall: number | undefined): void {
    const seq = this.#next++;
    if (at !== undefined) {
      if (this.#lines > 0) this.#longest = this.#longer(this.#outage(at));
      this.#lines = 0;
      this.#answered.at = at;
      this.#answered.wall = wall;
    } else if (this.#lines++ === 0) {
      this.#first = seq;
      this.#bursts++;
      const before = this.#answered.wall;
      this.#firstAt = before === undefined || wall === undefined
        ? undefined
        : this.#answered.at + (wall - before) / 1e6;
    }
  }

  /** The burst so far. @param until when the first line after it was sent that was answered. */
  #outage(until: number): Outage {
    const { at } = this.#answered;
    // Without its moment the first line was sent a step after the one before, which all are taken to have.
    const even = this.#first === 1 ? at : at + (until - at) / (this.#lines + 1);
    const from = Math.min(Math.max(this.#firstAt ?? even, at), until); // the wall clock may have been stepped
    return { from: this.#first, lines: this.#lines, duration: until - from };
  }

  #longer(other: Outage): Outage {
    return (this.#longest?.duration ?? -1) >= other.duration ? this.#longest! : other;
  }
}
