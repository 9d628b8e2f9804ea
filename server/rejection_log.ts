import type { Address } from "../net/endpoint.ts";
import type { TurnedAway } from "./events.ts";

/** Each reason is told at most once in this many milliseconds. */
const PAUSE_MS = 1_000;

/** The latest case of a reason. */
interface Case<Code> {
  code: Code;
  /** One of a limited number of texts. */
  reason: string;
  peer: Address | undefined;
  detail?: string;
}

interface Entry<Code> {
  total: number;
  untold: number;
  /** On the clock of the caller. */
  toldAt: number;
  latest: Case<Code>;
}

/** Tells what was turned away, each reason at most once a second. */
export class RejectionLog<Code> {
  readonly #tell: (turnedAway: TurnedAway<Code>) => void;
  readonly #now: () => number;
  readonly #reasons = new Map<string, Entry<Code>>();

  /** @param now milliseconds of a monotonic clock. */
  constructor(tell: (turnedAway: TurnedAway<Code>) => void, now: () => number) {
    this.#tell = tell;
    this.#now = now;
  }

  /** Counts one, and tells it unless its reason was told within the last second. */
  add(latest: Case<Code>): void {
    let entry = this.#reasons.get(latest.reason);
    if (entry === undefined) {
      this.#reasons.set(latest.reason, entry = { total: 0, untold: 0, toldAt: -Infinity, latest });
    }
    entry.total++;
    entry.untold++;
    entry.latest = latest;
    if (this.#now() - entry.toldAt >= PAUSE_MS) this.#tellEntry(entry);
  }

  /** Tells what was held back for a second. To be called now and then. */
  tick(): void {
    this.#flush(this.#now() - PAUSE_MS);
  }

  /** Tells all that was held back. */
  flush(): void {
    this.#flush(Infinity);
  }

  #flush(toldBefore: number): void {
    for (const entry of this.#reasons.values()) {
      if (entry.untold > 0 && entry.toldAt <= toldBefore) this.#tellEntry(entry);
    }
  }

  #tellEntry(entry: Entry<Code>): void {
    this.#tell({ ...entry.latest, count: entry.untold, total: entry.total });
    entry.untold = 0;
    entry.toldAt = this.#now();
  }
}
