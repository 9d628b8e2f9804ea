/** Beyond this many corners every second one is dropped: a hull of real delays has some dozens. */
const MAX_CORNERS = 2048;

/**
 * The convex hull below a series of points (time, value): it gives the least of `value - slope * time` over all points
 * for any slope, however many the points. With `sign` -1 it is the hull above, and gives the largest.
 */
export class Hull {
  /** Corners from left to right, their values times the sign: the hull is always the lower one. */
  #times = new Float64Array(16);
  #heights = new Float64Array(16);
  #length = 0;
  readonly #sign: 1 | -1;

  constructor(sign: 1 | -1) {
    this.#sign = sign;
  }

  /** Adds a point. Times mostly rise; for one that is out of order the hull is made again. */
  add(time: number, value: number): void {
    if (this.#length > 0 && time <= this.#times[this.#length - 1]!) this.#insert(time, this.#sign * value);
    else this.#append(time, this.#sign * value);
  }

  /** The least, or largest, of `value - slope * time`. */
  extreme(slope: number): number {
    let least = Infinity;
    for (let i = 0; i < this.#length; i++) {
      const height = this.#heights[i]! - this.#sign * slope * this.#times[i]!;
      if (height < least) least = height;
    }
    return this.#sign * least;
  }

  /** Adds a point to the right of all corners, and drops those that lie above the line to it. */
  #append(time: number, height: number): void {
    const times = this.#times;
    const heights = this.#heights;
    let length = this.#length;
    while (length > 1) {
      const last = length - 1;
      const before = length - 2;
      const along = times[last]! - times[before]!;
      const rise = heights[last]! - heights[before]!;
      if (rise * (time - times[before]!) < (height - heights[before]!) * along) break;
      length--;
    }
    if (length === times.length) {
      this.#length = length;
      this.#grow();
      length = this.#length;
    }
    this.#times[length] = time;
    this.#heights[length] = height;
    this.#length = length + 1;
  }

  #insert(time: number, height: number): void {
    if (this.#isAbove(time, height)) return;
    const corners = Array.from(
      { length: this.#length },
      (_, i) => [this.#times[i]!, this.#heights[i]!] as const,
    );
    const place = corners.findIndex(([it]) => it >= time);
    const same = corners[place]![0] === time;
    if (same && corners[place]![1] <= height) return;
    corners.splice(place, same ? 1 : 0, [time, height]);
    this.#length = 0;
    for (const corner of corners) this.#append(...corner);
  }

  /** Whether a point lies above the hull, or on it, between two corners: mostly one that is a little out of order. */
  #isAbove(time: number, height: number): boolean {
    const times = this.#times;
    const heights = this.#heights;
    let right = this.#length - 1;
    while (right > 0 && times[right - 1]! >= time) right--;
    const left = right - 1;
    if (left < 0 || times[right]! < time) return false;
    const along = times[right]! - times[left]!;
    const rise = heights[right]! - heights[left]!;
    return rise * (time - times[left]!) <= (height - heights[left]!) * along;
  }

  /** Makes room for more corners, or drops every second one. */
  #grow(): void {
    if (this.#length >= MAX_CORNERS) {
      const half = this.#length / 2;
      for (let i = 1; i < half; i++) {
        this.#times[i] = this.#times[2 * i]!;
        this.#heights[i] = this.#heights[2 * i]!;
      }
      this.#length = half;
      return;
    }
    const times = this.#times;
    const heights = this.#heights;
    this.#times = new Float64Array(2 * times.length);
    this.#heights = new Float64Array(2 * heights.length);
    this.#times.set(times);
    this.#heights.set(heights);
  }
}
