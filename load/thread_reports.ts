import { LoadInterval } from "../stats/load_interval.ts";
import type { Clock } from "../time/timers.ts";
import { SAMPLE_FIELDS, type ThreadExchanges, type ThreadInterval } from "./messages.ts";
import type { LoadPlan } from "./options.ts";
import type { LoadObserver } from "./recorder.ts";
import { figures } from "./rehearsal.ts";

/** Tells of what threads found as if it had been found here. */
export class ThreadReports {
  readonly #observer: LoadObserver;
  #current: LoadInterval;

  /** @param first the first interval. */
  constructor(observer: LoadObserver, first: LoadInterval) {
    this.#observer = observer;
    this.#current = first;
  }

  /** Tells of exchanges of an interval that goes on, of the only thread. */
  tellExchanges(found: ThreadExchanges): void {
    tellInOrder([found], this.#observer);
  }

  /** Tells of the same interval of all threads. @param tail whether it is what came after the plan's end. */
  tellInterval(found: readonly ThreadInterval[], tail = false): void {
    const current = this.#current;
    current.tail = tail;
    for (const { interval } of found) {
      current.add(LoadInterval.decode(interval));
      current.to = Math.max(current.to, interval.to);
    }
    tellInOrder(found, this.#observer);
    for (const { servers } of found) servers.forEach((tag) => this.#observer.onServer(tag));
    this.#current = new LoadInterval();
    this.#current.from = this.#current.to = current.to;
    this.#observer.onInterval(current, this.#current);
  }
}

/** Tells of exchanges in the order in which the replies were read. */
function tellInOrder(found: readonly ThreadExchanges[], observer: LoadObserver): void {
  const places = found.map(() => 0);
  for (;;) {
    let earliest = -1;
    let least = Infinity;
    found.forEach(({ samples }, i) => {
      const read = samples[places[i]! + 3];
      if (read === undefined || read >= least) return;
      [earliest, least] = [i, read];
    });
    if (earliest < 0) return;
    const { samples, tags } = found[earliest]!;
    const at = places[earliest]!;
    places[earliest]! += SAMPLE_FIELDS;
    observer.onExchange({
      tag: tags[samples[at]!]!,
      written: samples[at + 1]!,
      stamp: samples[at + 2]!,
      read: samples[at + 3]!,
      lines: samples[at + 4]!,
    });
  }
}

/** How often the main thread makes figures of an interval of the rehearsal, in ms. */
const STEP_MS = 40;

/**
 * Makes figures of what a thread has rehearsed, again and again, and forgets them. V8 compiles what makes figures when
 * that has run for a while, and on two cores it takes the time for it from the thread that sends.
 */
export class FiguresRehearsal {
  readonly #found: ThreadInterval[] = [];

  /** Keeps an interval of a rehearsal. */
  add(found: ThreadInterval): void {
    this.#found.push(found);
  }

  /** Rehearses until a moment or the signal. */
  async run(plan: LoadPlan, clock: Clock, until: number, signal: AbortSignal): Promise<void> {
    const found = this.#found.splice(0);
    if (found.length === 0) return;
    while (!signal.aborted) {
      const first = new LoadInterval();
      const reports = new ThreadReports(figures(plan, first), first);
      for (const it of found) {
        if (signal.aborted || until - clock.now() < STEP_MS) return;
        reports.tellInterval([it]);
        await clock.sleep(STEP_MS, signal);
      }
    }
  }
}
