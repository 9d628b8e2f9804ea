/** The width of a bin in the beginning, in seconds: the lines of a short run have a bin each. */
const FIRST_WIDTH = 2 ** -16;
/** The most bins, unless another number is asked for. */
const MAX_BINS = 1024;
/** Numbers of a bin. Times and values are sums; of the least and the largest value the time is kept as well. */
const FIELDS = 7;
const [COUNT, TIMES, VALUES, LEAST, LEAST_TIME, LARGEST, LARGEST_TIME] = [...Array(FIELDS).keys()] as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];

/** What was measured in a stretch of time. */
export interface Bin {
  /** Of the stretch, in seconds. */
  width: number;
  count: number;
  /** The average of the moments: a value that is alone in its bin has its own. */
  time: number;
  least: number;
  avg: number;
  largest: number;
}

/** A line that is taken from values: `base + slope * time`. */
export interface Line {
  base: number;
  slope: number;
}

/**
 * Values over time, in a bounded number of bins of equal width: when a value lies beyond the last one, each two
 * neighbours become one. Least and largest value, count and sum of each bin are kept.
 *
 * Values may lie above a line whose slope is known at the end alone, as delays do of which only the sums with a drifting
 * clock's offset are known. So the least and the largest are found above the likeliest line of that moment, and kept
 * with their own moments: whatever the line will be, each of them is then the exact delay of a value. Another value of
 * the bin may exceed it by no more than the change of slope times the width of the bin. Averages are exact for any line.
 */
export class BinnedSeries {
  readonly #maxBins: number;
  #width = FIRST_WIDTH;
  /** The time of the first value, from which bins count: they are as narrow as the series is short. */
  #origin: number | undefined;
  #used = 0;
  #values = new Float64Array(16 * FIELDS);
  #slope = 0;
  readonly #one = new Float64Array(FIELDS).fill(1);

  /** @param maxBins an even number. */
  constructor(maxBins: number = MAX_BINS) {
    this.#maxBins = maxBins;
  }

  /** @param time in seconds; one before the first value's counts in the first bin. @param slope of the likeliest line. */
  add(time: number, value: number, slope = 0): void {
    const one = this.#one;
    one[TIMES] = one[LEAST_TIME] = one[LARGEST_TIME] = time;
    one[VALUES] = one[LEAST] = one[LARGEST] = value;
    this.#slope = slope;
    this.#put(time, one);
  }

  /** Adds the values of another series, of which a line is taken. */
  addAll(other: BinnedSeries, { base, slope }: Line): void {
    const bin = new Float64Array(FIELDS);
    for (let at = 0; at < other.#used * FIELDS; at += FIELDS) {
      bin.set(other.#values.subarray(at, at + FIELDS));
      if (bin[COUNT] === 0) continue;
      bin[VALUES]! -= base * bin[COUNT]! + slope * bin[TIMES]!;
      bin[LEAST]! -= base + slope * bin[LEAST_TIME]!;
      bin[LARGEST]! -= base + slope * bin[LARGEST_TIME]!;
      this.#put(bin[TIMES]! / bin[COUNT]!, bin);
    }
  }

  /** The bins that hold values, in order: at most so many, if need be by making one of neighbours. */
  bins(most: number = this.#maxBins): Bin[] {
    const bins = this.#all();
    if (bins.length <= most) return bins;
    const coarser = new BinnedSeries(2 * Math.floor(most / 2));
    coarser.addAll(this, { base: 0, slope: 0 });
    return coarser.#all();
  }

  #all(): Bin[] {
    const bins: Bin[] = [];
    for (let at = 0; at < this.#used * FIELDS; at += FIELDS) {
      const count = this.#values[at + COUNT]!;
      if (count === 0) continue;
      bins.push({
        width: this.#width,
        count,
        time: this.#values[at + TIMES]! / count,
        least: this.#values[at + LEAST]!,
        avg: this.#values[at + VALUES]! / count,
        largest: this.#values[at + LARGEST]!,
      });
    }
    return bins;
  }

  #put(time: number, bin: Float64Array): void {
    this.#origin ??= time;
    const since = Math.max(0, time - this.#origin);
    while (since >= this.#width * this.#maxBins) this.#halve();
    const place = Math.floor(since / this.#width);
    this.#use(place + 1);
    this.#merge(place * FIELDS, bin);
  }

  /** Has so many bins in use, the new ones empty. */
  #use(bins: number): void {
    if (bins * FIELDS > this.#values.length) {
      const values = new Float64Array(Math.min(Math.max(2 * this.#used, bins), this.#maxBins) * FIELDS);
      values.set(this.#values.subarray(0, this.#used * FIELDS));
      this.#values = values;
    }
    this.#used = Math.max(this.#used, bins);
  }

  /** Makes one bin of each two neighbours. */
  #halve(): void {
    const values = this.#values;
    const used = this.#used * FIELDS;
    for (let from = 0, to = 0; from < used; from += 2 * FIELDS, to += FIELDS) {
      values.copyWithin(to, from, from + FIELDS);
      if (from + FIELDS < used) this.#merge(to, values.subarray(from + FIELDS, from + 2 * FIELDS));
    }
    this.#used = Math.ceil(this.#used / 2);
    values.fill(0, this.#used * FIELDS, used);
    this.#width *= 2;
  }

  /** Adds a bin's numbers to those of the bin at a place, which may be empty. */
  #merge(at: number, bin: Float64Array): void {
    if (bin[COUNT] === 0) return;
    const [values, slope] = [this.#values, this.#slope];
    const isFirst = values[at + COUNT] === 0;
    values[at + COUNT]! += bin[COUNT]!;
    values[at + TIMES]! += bin[TIMES]!;
    values[at + VALUES]! += bin[VALUES]!;
    const lower = bin[LEAST]! - values[at + LEAST]! - slope * (bin[LEAST_TIME]! - values[at + LEAST_TIME]!);
    if (isFirst || lower < 0) {
      values[at + LEAST] = bin[LEAST]!;
      values[at + LEAST_TIME] = bin[LEAST_TIME]!;
    }
    const higher = bin[LARGEST]! - values[at + LARGEST]! -
      slope * (bin[LARGEST_TIME]! - values[at + LARGEST_TIME]!);
    if (isFirst || higher > 0) {
      values[at + LARGEST] = bin[LARGEST]!;
      values[at + LARGEST_TIME] = bin[LARGEST_TIME]!;
    }
  }
}
