import type { Distribution } from "./distribution.ts";
import { FineBins } from "./fine_bins.ts";
import { Hull } from "./hull.ts";

/** Numbers of a value: its time, itself, and how often it is counted. */
const FIELDS = 3;
/** So many of the first values are kept as they are. */
const MAX_KEPT = 32_768;
/** Later ones are kept until there are so many, and are then counted in windows. */
const CHUNK = 4096;
/** Windows of time; when there are so many, each two neighbours become one. */
const MAX_WINDOWS = 64;

/** An error of this size in µs does not matter. */
const TOLERANCE = 0.05;

/** Values of a stretch of time, counted by how far they lie above a line: `base + slope * time`. */
interface Window {
  slope: number;
  base: number;
  count: number;
  /** Chunks in it. */
  chunks: number;
  /** The average of their times. */
  time: number;
  bins: FineBins;
}

/**
 * The delays of one direction, of which only the sums with a clock's offset are known: `value = delay + slope * time`
 * and a constant, with a slope that is told when the run ends.
 *
 * Memory does not depend on their number. Count, average, deviation, least and largest are exact for any slope. For
 * percentiles the first values are kept, and the others counted above the line that was the likeliest then, in windows
 * of time short enough that shifting each by what the line has moved since is as good as shifting each value.
 */
export class DelaySeries {
  /** How many values there are, as often as each is counted, and how many were added. */
  count = 0;
  added = 0;
  readonly #lower = new Hull(1);
  readonly #upper = new Hull(-1);
  /** Averages, and sums of products of the differences from them (Welford 1962). */
  #time = 0;
  #value = 0;
  #timeTime = 0;
  #timeValue = 0;
  #valueValue = 0;
  #kept = new Float64Array(64 * FIELDS);
  #chunk = new Float64Array(0);
  #chunked = 0;
  #windows: Window[] = [];
  #perWindow = 1;

  /** @param slope tells the likeliest slope so far. @param times how often the value is counted. */
  add(time: number, value: number, slope: () => number, times = 1): void {
    this.#lower.add(time, value);
    this.#upper.add(time, value);
    const weight = times / (this.count + times);
    const timeBefore = time - this.#time;
    const valueBefore = value - this.#value;
    this.#time += timeBefore * weight;
    this.#value += valueBefore * weight;
    this.#timeTime += timeBefore * (time - this.#time) * times;
    this.#timeValue += timeBefore * (value - this.#value) * times;
    this.#valueValue += valueBefore * (value - this.#value) * times;
    this.count += times;
    if (this.added++ < MAX_KEPT) this.#keep(time, value, times);
    else this.#append(time, value, times, slope);
  }

  /** The least of `value - slope * time`: what all are above. */
  least(slope: number): number {
    return this.#lower.extreme(slope);
  }

  /** Adds what the values are above `base + slope * time` to a distribution. None may be below. */
  addTo(distribution: Distribution, slope: number, base: number): void {
    const squares = this.#valueValue + slope * (slope * this.#timeTime - 2 * this.#timeValue);
    distribution.addBinned({
      count: this.count,
      min: Math.max(0, this.#lower.extreme(slope) - base),
      max: Math.max(0, this.#upper.extreme(slope) - base),
      avg: this.#value - slope * this.#time - base,
      squares: Math.max(0, squares),
    }, (record) => this.#each(slope, base, record));
  }

  #each(slope: number, base: number, use: (micros: number, count: number) => void): void {
    const kept = this.#kept.subarray(0, FIELDS * Math.min(this.added, MAX_KEPT));
    for (const values of [kept, this.#chunk.subarray(0, this.#chunked)]) {
      for (let i = 0; i < values.length; i += FIELDS) {
        use(values[i + 1]! - slope * values[i]! - base, values[i + 2]!);
      }
    }
    for (const window of this.#windows) {
      const shift = window.base - base + (window.slope - slope) * window.time;
      window.bins.each((micros, count) => use(Math.max(0, micros + shift), count));
    }
  }

  #keep(time: number, value: number, times: number): void {
    const at = FIELDS * (this.added - 1);
    if (at === this.#kept.length) {
      const kept = new Float64Array(2 * at);
      kept.set(this.#kept);
      this.#kept = kept;
    }
    this.#kept[at] = time;
    this.#kept[at + 1] = value;
    this.#kept[at + 2] = times;
  }

  #append(time: number, value: number, times: number, slope: () => number): void {
    if (this.#chunk.length === 0) this.#chunk = new Float64Array(FIELDS * CHUNK);
    this.#chunk[this.#chunked++] = time;
    this.#chunk[this.#chunked++] = value;
    this.#chunk[this.#chunked++] = times;
    if (this.#chunked === this.#chunk.length) this.#fold(slope());
  }

  /** Counts the chunk in the latest window, or in a new one. */
  #fold(slope: number): void {
    const base = this.least(slope);
    let [time, count] = [0, 0];
    for (let i = 0; i < this.#chunk.length; i += FIELDS) {
      count += this.#chunk[i + 2]!;
      time += (this.#chunk[i]! - time) * this.#chunk[i + 2]! / count;
    }
    const latest = this.#windows.at(-1);
    let shift = latest === undefined ? -1 : base - latest.base + (slope - latest.slope) * time;
    let window = latest!;
    // Below a window's line there are no bins: where the least has fallen since, another window begins.
    if (!(shift > -TOLERANCE && window.chunks < this.#perWindow)) {
      window = { slope, base, count: 0, chunks: 0, time: 0, bins: new FineBins() };
      shift = 0;
      this.#windows.push(window);
    }
    for (let i = 0; i < this.#chunk.length; i += FIELDS) {
      const micros = Math.max(0, this.#chunk[i + 1]! - slope * this.#chunk[i]! - base + shift);
      window.bins.add(micros, this.#chunk[i + 2]!);
    }
    window.chunks++;
    window.count += count;
    window.time += (time - window.time) * count / window.count;
    this.#chunked = 0;
    if (this.#windows.length < MAX_WINDOWS) return;
    this.#windows = this.#windows.flatMap((it, i) => i % 2 === 0 ? [merged(it, this.#windows[i + 1]!)] : []);
    this.#perWindow *= 2;
  }
}

/** Counts an earlier window's values in a later one, above the line of the later, which is the better known. */
function merged(earlier: Window, later: Window): Window {
  const shift = earlier.base - later.base + (earlier.slope - later.slope) * earlier.time;
  earlier.bins.each((micros, count) => later.bins.add(Math.max(0, micros + shift), count));
  const count = earlier.count + later.count;
  const time = (earlier.time * earlier.count + later.time * later.count) / count;
  return { ...later, count, chunks: earlier.chunks + later.chunks, time };
}
