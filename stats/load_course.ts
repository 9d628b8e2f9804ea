import { Distribution, type EncodedDistribution } from "./distribution.ts";
import { type EncodedLoadInterval, LoadInterval } from "./load_interval.ts";

/** The most entries that are kept. */
export const MAX_ENTRIES = 600;

/**
 * The intervals of a run in memory that does not grow with its length: encoded, and when there would be more than
 * {@linkcode MAX_ENTRIES}, each two neighbours become one.
 */
export class LoadCourse {
  #entries: EncodedLoadInterval[] = [];
  /** How many intervals make an entry, and the entry that has fewer so far. */
  #perEntry = 1;
  #begun: { interval: LoadInterval; parts: number } | undefined;
  readonly #most: number;

  /** @param most entries, an even number. */
  constructor(most = MAX_ENTRIES) {
    this.#most = most;
  }

  add(interval: LoadInterval): void {
    if (interval.tail) {
      this.#endEntry();
      this.#endEntry(); // it may have become half of one
      if (this.#entries.length === this.#most) this.#halve();
      this.#entries.push(interval.encode());
      return;
    }
    if (this.#begun === undefined) {
      const copy = this.#perEntry === 1 ? interval : LoadInterval.decode(interval.encode());
      this.#begun = { interval: copy, parts: 1 };
    } else {
      this.#begun.interval.extend(interval);
      this.#begun.parts++;
    }
    if (this.#begun.parts === this.#perEntry) this.#endEntry();
  }

  /** The entries in order, each made when it is asked for. */
  *[Symbol.iterator](): Generator<LoadInterval> {
    for (const entry of this.#all()) yield LoadInterval.decode(entry);
  }

  /** When the last interval of the plan ended, in ms. */
  get until(): number {
    const last = this.#begun?.interval ?? this.#entries.findLast((it) => !it.tail);
    return last?.to ?? 0;
  }

  /**
   * The values of one kind in equal parts of the plan's time. An entry belongs to the part that has its middle; what
   * came after the plan's end belongs to the last.
   */
  parts(
    count: number,
    values: (entry: EncodedLoadInterval) => EncodedDistribution | undefined,
  ): Distribution[] {
    const parts = Array.from({ length: count }, () => new Distribution());
    const until = this.until;
    for (const entry of this.#all()) {
      const encoded = values(entry);
      const part = Math.floor(count * (entry.from + entry.to) / 2 / until);
      if (encoded !== undefined) parts[Math.min(part, count - 1)]!.addEncoded(encoded);
    }
    return parts;
  }

  #all(): EncodedLoadInterval[] {
    return this.#begun === undefined ? this.#entries : [...this.#entries, this.#begun.interval.encode()];
  }

  #endEntry(): void {
    if (this.#begun === undefined) return;
    const { interval, parts } = this.#begun;
    this.#begun = undefined;
    if (this.#entries.length === this.#most) {
      this.#halve();
      // A full entry is half of one now.
      if (2 * parts === this.#perEntry) {
        this.#begun = { interval: LoadInterval.decode(interval.encode()), parts };
        return;
      }
    }
    this.#entries.push(interval.encode());
  }

  /** Makes one entry of each two neighbours. */
  #halve(): void {
    this.#entries = Array.from({ length: this.#most / 2 }, (_, i) => {
      const merged = LoadInterval.decode(this.#entries[2 * i]!);
      merged.extend(LoadInterval.decode(this.#entries[2 * i + 1]!));
      return merged.encode();
    });
    this.#perEntry *= 2;
  }
}
