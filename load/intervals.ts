import { LoadInterval } from "../stats/load_interval.ts";

/** How long an interval is, in ms. */
const INTERVAL_MS = 1000;
/** An interval that would be shorter, in ms, is none: rounding has made it of an end that two computed. */
const MIN_INTERVAL_MS = 0.001;

/** Ends an interval of a run each second, at its end, and when nothing is in flight any more. */
export class Intervals {
  /** When the measured part begins and when the plan ends, in ms on the run's clock. */
  from = Infinity;
  until = Infinity;
  /** Takes what happens now. */
  current: LoadInterval;
  /** Plans what is planned before a moment, at which an interval is going to end. */
  planBefore: (moment: number) => void = () => {};
  /** When the interval ends, on the clock and since the measured part began. */
  #cutAt = Infinity;
  #to = Infinity;
  #duration = Infinity;
  readonly #onInterval: (interval: LoadInterval, next: LoadInterval) => void;

  constructor(first: LoadInterval, onInterval: (interval: LoadInterval, next: LoadInterval) => void) {
    this.current = first;
    this.#onInterval = onInterval;
  }

  /** The measured part begins at a moment and lasts so many ms. */
  begin(from: number, duration: number): void {
    this.from = from;
    this.until = from + duration;
    this.#duration = duration;
    this.#setCut(INTERVAL_MS);
  }

  /** When the next interval ends. */
  get cutAt(): number {
    return this.#cutAt;
  }

  /** Ends the intervals that are over. To be called before what happened at that moment is recorded. */
  turn(now: number): void {
    while (now >= this.#cutAt) {
      const at = this.#cutAt;
      this.planBefore(at);
      if (this.#cutAt === at) this.#cut();
    }
  }

  /** The plan ends, earlier than it might have. What happens from now on is in a last interval. */
  end(now: number): void {
    if (now < this.until) {
      this.until = Math.max(now, this.from);
      this.#duration = this.until - this.from;
      // It may end where the latest interval did: what has happened since is after it.
      if (this.#isOver(this.current.from)) {
        this.#duration = this.current.from;
        this.current.tail = true;
        this.#cutAt = Infinity;
      } else if (this.#cutAt > this.until) {
        this.#setCut(this.#duration);
      }
    }
    this.turn(now);
  }

  /** Ends the last interval, which is told of only if something happened in it. */
  finish(now: number): void {
    if (this.from === Infinity) return;
    this.end(now);
    if (isEmpty(this.current)) return;
    this.#to = Math.max(this.#duration, now - this.from);
    this.#emit();
  }

  /** Whether nothing of the plan is left after a moment of the measured part. */
  #isOver(at: number): boolean {
    return at > this.#duration - MIN_INTERVAL_MS;
  }

  #setCut(to: number): void {
    this.#to = Math.min(to, this.#duration);
    this.#cutAt = this.from + this.#to;
  }

  #cut(): void {
    this.#emit();
    if (this.#isOver(this.#to)) this.#cutAt = Infinity;
    else this.#setCut(this.#to + INTERVAL_MS);
  }

  #emit(): void {
    const interval = this.current;
    interval.to = this.#to;
    this.current = new LoadInterval();
    this.current.from = interval.to;
    this.current.tail = this.#isOver(interval.to);
    this.#onInterval(interval, this.current);
  }
}

/** Whether nothing happened in an interval. */
function isEmpty(interval: LoadInterval): boolean {
  const { sent, received, lost, late, dropped, unsent, corrupt, duplicates, pending } = interval;
  const { errors, connectErrors, connect } = interval;
  return sent + received + lost + late + dropped + unsent + corrupt + duplicates + pending === 0 &&
    errors.size === 0 && connectErrors.size === 0 && connect.count === 0;
}
