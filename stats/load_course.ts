import { Distribution } from "./distribution.ts";
import type { EncodedDistribution } from "./encoded_distribution.ts";
import { type EncodedLoadInterval, LoadInterval, mergeEncodedIntervals } from "./load_interval.ts";

/** The most entries that are kept. */
export const MAX_ENTRIES = 600;

/**
 * The intervals of a run in memory that does not grow with its length: encoded, and when there would be more than
 * {@linkcode MAX_ENTRIES}, each two neighbours become one.
 */
export class LoadCourse {
  readonly #entries: EncodedLoadInterval[] = [];
  /** How many intervals make an entry, and the entry that has fewer so far. */
  #perEntry = 1;
  #begun: { entry: EncodedLoadInterval; parts: number } | undefined;
  /** Where the next two entries are that are still to become one; Infinity for nowhere. */
  #toMerge = Infinity;
  readonly #most: number;

  /** @param most entries, an even number. */
  constructor(most = MAX_ENTRIES) {
    this.#most = most;
  }

  add(interval: LoadInterval): void {
    const entry = interval.encode();
    // All at once would hold up the lines of this moment.
    this.#mergeTwo();
    if (interval.tail) {
      if (this.#begun !== undefined) this.#push(this.#begun.entry);
      this.#begun = undefined;
      this.#push(entry);
      return;
    }
    if (this.#begun === undefined) {
      this.#begun = { entry, parts: 1 };
    } else {
      this.#begun.entry = mergeEncodedIntervals(this.#begun.entry, entry);
      this.#begun.parts++;
    }
    if (this.#begun.parts < this.#perEntry) return;
    // A full entry may be half of one now.
    if (this.#begun.parts < this.#makeRoom()) return;
    this.#push(this.#begun.entry);
    this.#begun = undefined;
  }

  /** The entries in order, each made when it is asked for. */
  *[Symbol.iterator](): Generator<LoadInterval> {
    while (this.#toMerge !== Infinity) this.#mergeTwo();
    for (const entry of this.#all()) yield LoadInterval.decode(entry);
  }

  /** When the last interval of the plan ended, in ms. */
  get until(): number {
    const last = this.#begun?.entry ?? this.#entries.findLast((it) => !it.tail);
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
    return this.#begun === undefined ? this.#entries : [...this.#entries, this.#begun.entry];
  }

  #push(entry: EncodedLoadInterval): void {
    this.#makeRoom();
    this.#entries.push(entry);
  }

  /** Begins to merge entries if there is no room for one more. @returns how many intervals make one from now on. */
  #makeRoom(): number {
    if (this.#entries.length === this.#most) {
      while (this.#toMerge !== Infinity) this.#mergeTwo();
    }
    if (this.#entries.length === this.#most) {
      this.#toMerge = 0;
      this.#mergeTwo();
      this.#perEntry *= 2;
    }
    return this.#perEntry;
  }

  /** Makes one entry of two neighbours, if any are still to be merged. */
  #mergeTwo(): void {
    const at = this.#toMerge;
    if (at === Infinity) return;
    const merged = mergeEncodedIntervals(this.#entries[at]!, this.#entries[at + 1]!);
    this.#entries.splice(at, 2, merged);
    this.#toMerge = at + 1 < this.#most / 2 ? at + 1 : Infinity;
  }
}
