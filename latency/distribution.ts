import hdr from "hdr-histogram-js";

/** What one unit of the histogram stands for: 0.1 µs, the step of `performance.now()`. */
const PER_MICRO = 10;
/** Values are known to a thousandth of themselves. */
const DIGITS = 3;
/** The histogram grows by itself up to what was recorded; an hour here, beyond which values count as an hour. */
const LONGEST_MICROS = 3.6e9;

/**
 * Durations in microseconds, in memory that does not depend on how many there are: an HDR histogram for percentiles
 * (to 0.1 %), and exact sums for the rest.
 */
export class Distribution {
  count = 0;
  min = Infinity;
  max = -Infinity;
  avg = 0;
  /** The sum of squared differences from the average (Welford 1962): no cancellation, however long the run. */
  #squares = 0;
  readonly #histogram = newHistogram();

  /** Takes a value in; with negative ones, which only clocks that disagree can give, there are no percentiles. */
  record(micros: number, count = 1): void {
    this.count += count;
    const delta = micros - this.avg;
    this.avg += delta * count / this.count;
    this.#squares += delta * (micros - this.avg) * count;
    if (micros < this.min) this.min = micros;
    if (micros > this.max) this.max = micros;
    const units = Math.round(Math.min(Math.max(micros, 0), LONGEST_MICROS) * PER_MICRO);
    this.#histogram.recordValueWithCount(units, count);
  }

  /** Mean deviation as ping(8) prints it: the root of the mean of squares less the square of the mean. */
  get mdev(): number {
    return this.count === 0 ? NaN : Math.sqrt(this.#squares / this.count);
  }

  /** The value that `percent` of all values do not exceed, by nearest rank; NaN of nothing and of negative values. */
  percentile(percent: number): number {
    if (this.count === 0 || this.min < 0) return NaN;
    const value = this.#histogram.getValueAtPercentile(percent) / PER_MICRO;
    return Math.min(Math.max(value, this.min), this.max);
  }

  /** Whether this percentile is known, and there are so many values that it is more than the largest of them. */
  tells(percent: number): boolean {
    return this.count > 0 && this.min >= 0 && this.count * (100 - percent) >= 100 - 1e-6;
  }

  /** Forgets all values. */
  clear(): void {
    this.count = 0;
    this.min = Infinity;
    this.max = -Infinity;
    this.avg = 0;
    this.#squares = 0;
    this.#histogram.reset();
  }

  /** Takes in all values of another one. */
  add(other: Distribution): void {
    if (other.count === 0) return;
    const count = this.count + other.count;
    const delta = other.avg - this.avg;
    this.#squares += other.#squares + delta * delta * this.count * other.count / count;
    this.avg += delta * other.count / count;
    this.count = count;
    this.min = Math.min(this.min, other.min);
    this.max = Math.max(this.max, other.max);
    for (const [micros, times] of other.values()) {
      this.#histogram.recordValueWithCount(Math.round(micros * PER_MICRO), times);
    }
  }

  /** The values recorded, in rising order and to the histogram's precision, each with how often it occurred. */
  *values(): Generator<[micros: number, count: number]> {
    const iterator = this.#histogram.recordedValuesIterator;
    iterator.reset();
    while (iterator.hasNext()) {
      const { valueIteratedTo, countAtValueIteratedTo } = iterator.next();
      yield [valueIteratedTo / PER_MICRO, countAtValueIteratedTo];
    }
  }
}

function newHistogram() {
  // The package is CommonJS, whose `exports.default` is one level further down.
  const histogram = new hdr.default(1, 2, DIGITS);
  histogram.autoResize = true;
  return histogram;
}
