/** Distributions as few bytes, for another thread or to be kept. */

/** What is known exactly of values that are counted in bins. */
export interface Moments {
  count: number;
  min: number;
  max: number;
  avg: number;
  /** The sum of squared differences from the average. */
  squares: number;
}

/** A distribution: some hundred bytes to a few thousand. */
export interface EncodedDistribution {
  moments: Moments;
  /** The histogram's bins by {@linkcode packCounts}. */
  bins: Uint8Array<ArrayBuffer>;
}

/** The moments of all values of two distributions (Chan, Golub and LeVeque 1979). */
export function mergeMoments(one: Moments, other: Moments): Moments {
  if (one.count === 0) return other;
  if (other.count === 0) return one;
  const count = one.count + other.count;
  const delta = other.avg - one.avg;
  return {
    count,
    min: Math.min(one.min, other.min),
    max: Math.max(one.max, other.max),
    avg: one.avg + delta * other.count / count,
    squares: one.squares + other.squares + delta * delta * one.count * other.count / count,
  };
}

/** The distribution of the values of both. */
export function mergeEncoded(one: EncodedDistribution, other: EncodedDistribution): EncodedDistribution {
  if (other.moments.count === 0) return one;
  if (one.moments.count === 0) return other;
  const counts: number[] = [];
  for (const { bins } of [one, other]) {
    unpackCounts(bins, (index, count) => {
      while (counts.length <= index) counts.push(0);
      counts[index]! += count;
    });
  }
  return {
    moments: mergeMoments(one.moments, other.moments),
    bins: packCounts(counts.length, (index) => counts[index]!),
  };
}

/**
 * Packs counts by index, in rising order, as gaps and counts in turn, seven bits a byte (LEB128): those that are 0 take
 * no bytes.
 */
export function packCounts(length: number, countAt: (index: number) => number): Uint8Array<ArrayBuffer> {
  const bytes = new ByteWriter();
  let next = 0;
  for (let index = 0; index < length; index++) {
    const count = countAt(index);
    if (count === 0) continue;
    bytes.number(index - next);
    bytes.number(count);
    next = index + 1;
  }
  return bytes.written();
}

/** Calls back with each index and count that were packed. */
export function unpackCounts(bytes: Uint8Array, use: (index: number, count: number) => void): void {
  let at = 0;
  const take = () => {
    let value = 0;
    for (let factor = 1;; factor *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  for (let next = 0; at < bytes.length; next++) {
    next += take();
    use(next, take());
  }
}

/** Bytes that are written one after the other. */
class ByteWriter {
  #bytes = new Uint8Array(256);
  #used = 0;

  /** Writes a whole number from 0 up to 2^53, seven bits a byte, the lowest first (LEB128). */
  number(value: number): void {
    if (this.#used + 8 > this.#bytes.length) {
      const more = new Uint8Array(2 * this.#bytes.length);
      more.set(this.#bytes);
      this.#bytes = more;
    }
    for (; value > 127; value = Math.floor(value / 128)) this.#bytes[this.#used++] = 128 | value % 128;
    this.#bytes[this.#used++] = value;
  }

  written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#used);
  }
}
