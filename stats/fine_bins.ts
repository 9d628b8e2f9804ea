/** What one unit stands for: 0.1 µs. */
const PER_MICRO = 10;
/** Values below this many units have a bin each; from there on the bins of each doubling are half as many. */
const LINEAR = 4096;

/** Counts of durations in bins of 0.1 µs at first, and never wider than 0.05% of what they hold. */
export class FineBins {
  #counts = new Uint32Array(1024);

  /** Counts a duration of 0 µs or more. */
  add(micros: number, count: number): void {
    const units = Math.round(micros * PER_MICRO);
    let bin = units;
    if (units >= LINEAR) {
      let [doublings, width] = [1, 2];
      for (; units >= LINEAR * width; width *= 2) doublings++;
      bin = doublings * (LINEAR / 2) + Math.floor(units / width);
    }
    if (bin >= this.#counts.length) this.#grow(bin + 1);
    this.#counts[bin]! += count;
  }

  /** Calls back with the middle of each bin that is not empty, in µs, and its count. */
  each(use: (micros: number, count: number) => void): void {
    const counts = this.#counts;
    for (let bin = 0; bin < counts.length; bin++) {
      if (counts[bin] === 0) continue;
      const doublings = Math.max(0, Math.floor(bin / (LINEAR / 2)) - 1);
      const width = 2 ** doublings;
      const lowest = (bin - doublings * LINEAR / 2) * width;
      use((lowest + (width - 1) / 2) / PER_MICRO, counts[bin]!);
    }
  }

  #grow(least: number): void {
    const counts = new Uint32Array(Math.ceil(least * 1.25));
    counts.set(this.#counts);
    this.#counts = counts;
  }
}
