// Named here, not in deno.json: who imports ping.ts by its path has another import map.
// deno-lint-ignore no-import-prefix
import hdr from "npm:hdr-histogram-js@3.0.1/dist/Float64Histogram.js";
import {
  type EncodedDistribution,
  mergeMoments,
  type Moments,
  packCounts,
  unpackCounts,
} from "./encoded_distribution.ts";

/** What one unit of the histogram stands for: 0.1 µs, the step of `performance.now()`. */
const PER_MICRO = 10;
/** Significant digits: a value is exact to a thousandth of itself. */
const DIGITS = 3;
/** An hour; longer values count as an hour in percentiles. The histogram grows up to what was recorded. */
const MAX_MICROS = 3.6e9;
/** The first 2^11 bins hold a unit each, the following 2^10 two, the next 2^10 four, and so on. */
const HALF_BITS = 10;
/** Below it integers of 32 bits find a bin, which takes a tenth of the time that the library's logarithm does. */
const MAX_FAST_UNITS = 2 ** 31;

/**
 * Durations in microseconds, in memory that does not depend on their number: an HDR histogram for percentiles (to
 * 0.1%), exact sums for the rest.
 */
export class Distribution {
  /** How many values there are. */
  count = 0;
  /** The least value; Infinity of none. */
  min: number = Infinity;
  /** The largest value; -Infinity of none. */
  max: number = -Infinity;
  /** The average. */
  avg = 0;
  /** The sum of squared differences from the average (Welford 1962): no cancellation, however long the run. */
  #squares = 0;
  #made: HdrHistogram | undefined;

  /** Records a value, `count` times. Negative ones, which only clocks that disagree give, rule out percentiles. */
  record(micros: number, count = 1): void {
    this.count += count;
    const delta = micros - this.avg;
    this.avg += delta * count / this.count;
    this.#squares += delta * (micros - this.avg) * count;
    if (micros < this.min) this.min = micros;
    if (micros > this.max) this.max = micros;
    this.#count(micros, count);
  }

  #count(micros: number, count: number): void {
    const units = Math.round(Math.min(Math.max(micros, 0), MAX_MICROS) * PER_MICRO);
    const { histogram } = this;
    const index = units < MAX_FAST_UNITS ? binOf(units) : Infinity;
    if (index >= histogram.countsArrayLength) return histogram.recordValueWithCount(units, count); // it may grow
    histogram.addToCountAtIndex(index, count);
    histogram.addToTotalCount(count);
    if (units > histogram.maxValue) histogram.maxValue = units;
    if (units < histogram.minNonZeroValue && units > 0) histogram.minNonZeroValue = units;
  }

  /**
   * The HDR histogram beneath, in units of 0.1 µs, for those who write it in HDR's own format or add one to it. It is
   * this distribution's own: what is done to it is seen here. It is made when first used: most runs leave some of
   * their distributions empty.
   *
   * @ignore not for users of the library
   */
  get histogram(): HdrHistogram {
    return this.#made ??= newHistogram();
  }

  /** Mean deviation as ping(8) prints it: the root of the mean of squares less the square of the mean. */
  get mdev(): number {
    return this.count === 0 ? NaN : Math.sqrt(this.#squares / this.count);
  }

  /** The value that `percent` of all values do not exceed, by nearest rank; NaN of nothing and of negative values. */
  percentile(percent: number): number {
    if (this.count === 0 || this.min < 0) return NaN;
    // The middle of the bin is half as far from its values as its end, which HDR gives.
    const value = this.histogram.medianEquivalentValue(this.histogram.getValueAtPercentile(percent)) /
      PER_MICRO;
    return Math.min(Math.max(value, this.min), this.max);
  }

  /** Whether this percentile is known, and the values are enough to tell it from the largest of them. */
  hasPercentile(percent: number): boolean {
    return this.count > 0 && this.min >= 0 && this.count * (100 - percent) >= 100 - 1e-6;
  }

  /** How many values are above a limit, to the histogram's precision: those in its bin are not counted. */
  countAbove(micros: number): number {
    const histogram = this.#made;
    if (histogram === undefined || micros >= MAX_MICROS) return 0;
    let count = 0;
    const first = histogram.countsArrayIndex(Math.round(Math.max(micros, 0) * PER_MICRO)) + 1;
    for (let index = first; index < histogram.countsArrayLength; index++) {
      count += histogram.getCountAtIndex(index);
    }
    return count;
  }

  /** Removes all values. */
  clear(): void {
    this.count = 0;
    this.min = Infinity;
    this.max = -Infinity;
    this.avg = 0;
    this.#squares = 0;
    this.#made?.reset();
  }

  /** Adds all values of another distribution. */
  add(other: Distribution): void {
    this.#addMoments(other.#moments);
    if (other.count === 0) return;
    const { histogram } = other;
    this.#addBins((add) => {
      for (let index = histogram.countsArrayLength - 1; index >= 0; index--) {
        const times = histogram.getCountAtIndex(index);
        if (times > 0) add(index, times);
      }
    });
  }

  /**
   * Adds values of which the moments are exact, and those that `each` gives close enough for percentiles.
   *
   * @ignore not for users of the library
   */
  addBinned(moments: Moments, each: (record: (micros: number, count: number) => void) => void): void {
    this.#addMoments(moments);
    if (moments.count > 0) each((micros, times) => this.#count(micros, times));
  }

  #addMoments(moments: Moments): void {
    const { squares, ...rest } = mergeMoments(this.#moments, moments);
    Object.assign(this, rest);
    this.#squares = squares;
  }

  get #moments(): Moments {
    const { count, min, max, avg } = this;
    return { count, min, max, avg, squares: this.#squares };
  }

  /** Adds counts to the histogram's bins: all histograms here have the same, as many as their values need. */
  #addBins(each: (add: (index: number, count: number) => void) => void): void {
    const histogram = this.histogram;
    let [most, added] = [0, 0];
    each((index, count) => {
      if (index >= histogram.countsArrayLength) {
        histogram.recordValueWithCount(histogram.valueFromIndex(index), count); // it grows
        return;
      }
      histogram.addToCountAtIndex(index, count);
      added += count;
      if (index > most) most = index;
    });
    histogram.addToTotalCount(added);
    histogram.maxValue = Math.max(histogram.maxValue, histogram.valueFromIndex(most));
  }

  /**
   * What {@linkcode decode} makes the same distribution of; it can be cloned to another thread.
   *
   * @ignore not for users of the library
   */
  encode(): EncodedDistribution {
    const histogram = this.#made;
    return {
      moments: this.#moments,
      bins: histogram === undefined
        ? new Uint8Array(0)
        : packCounts(histogram.countsArrayLength, (index) => histogram.getCountAtIndex(index)),
    };
  }

  /**
   * Adds all values of an encoded distribution.
   *
   * @ignore not for users of the library
   */
  addEncoded({ moments, bins }: EncodedDistribution): void {
    this.#addMoments(moments);
    if (moments.count > 0) this.#addBins((add) => unpackCounts(bins, add));
  }

  /**
   * The distribution that was encoded.
   *
   * @ignore not for users of the library
   */
  static decode(encoded: EncodedDistribution): Distribution {
    const distribution = new Distribution();
    distribution.addEncoded(encoded);
    return distribution;
  }

  /** The recorded values in rising order, to the histogram's precision, each with its count. */
  *values(): Generator<[micros: number, count: number]> {
    const histogram = this.#made;
    if (histogram === undefined) return;
    // The library's own iterator takes ten times as long.
    for (let index = 0; index < histogram.countsArrayLength; index++) {
      const count = histogram.getCountAtIndex(index);
      if (count === 0) continue;
      yield [histogram.highestEquivalentValue(histogram.valueFromIndex(index)) / PER_MICRO, count];
    }
  }
}

type HdrHistogram = InstanceType<typeof hdr.default>;

/** The library's `countsArrayIndex` of fewer than 2^31 units. */
function binOf(units: number): number {
  const doublings = Math.max(0, 31 - HALF_BITS - Math.clz32(units));
  return (doublings << HALF_BITS) + (units >>> doublings);
}

function newHistogram(): HdrHistogram {
  // The package is CommonJS, whose `exports.default` is one level further down.
  const histogram = new hdr.default(1, 2, DIGITS);
  histogram.autoResize = true;
  return histogram;
}
