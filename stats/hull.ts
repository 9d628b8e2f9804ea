/** Beyond this many corners every second one is dropped: a hull of real delays has some dozens. */
const MAX_CORNERS = 2048;

/**
 * The convex hull below a series of points (time, value): it gives the least of `value - slope * time` over all points
 * for any slope, however many the points. With `sign` -1 it is the hull above, and gives the largest.
 */
export class Hull {
  readonly #times: number[] = [];
  /** Values times the sign: the hull is always the lower one. */
  readonly #values: number[] = [];
  readonly #sign: 1 | -1;

  constructor(sign: 1 | -1) {
    this.#sign = sign;
  }

  /** Adds a point. Times mostly rise; one that is out of order costs a search. */
  add(time: number, value: number): void {
    const [times, values] = [this.#times, this.#values];
    const height = this.#sign * value;
    let place = times.length;
    while (place > 0 && times[place - 1]! > time) place--;
    if (place > 0 && times[place - 1] === time) {
      if (values[place - 1]! <= height) return;
      place--;
      times.splice(place, 1);
      values.splice(place, 1);
    }
    if (place > 0 && place < times.length && !this.#isBelow(place - 1, time, height, place)) return;
    if (place === times.length) {
      while (place > 1 && !this.#turns(place - 2, place - 1, time, height)) {
        times.pop();
        values.pop();
        place--;
      }
      times.push(time);
      values.push(height);
    } else {
      this.#insert(place, time, height);
    }
    if (times.length > MAX_CORNERS) this.#thin();
  }

  /** The least, or largest, of `value - slope * time`. */
  extreme(slope: number): number {
    let least = Infinity;
    for (let i = 0; i < this.#times.length; i++) {
      const height = this.#values[i]! - this.#sign * slope * this.#times[i]!;
      if (height < least) least = height;
    }
    return this.#sign * least;
  }

  /** Puts a point between others, or before them, and drops those that are no corners any more. */
  #insert(at: number, time: number, height: number): void {
    const [times, values] = [this.#times, this.#values];
    let place = at;
    times.splice(place, 0, time);
    values.splice(place, 0, height);
    while (place > 1 && !this.#turns(place - 2, place - 1, time, height)) this.#drop(--place);
    while (
      place + 2 < times.length && !this.#turns(place, place + 1, times[place + 2]!, values[place + 2]!)
    ) {
      this.#drop(place + 1);
    }
  }

  #drop(place: number): void {
    this.#times.splice(place, 1);
    this.#values.splice(place, 1);
  }

  /** Whether a point lies below the line from one corner to another. */
  #isBelow(one: number, time: number, height: number, other: number): boolean {
    const [t0, v0] = [this.#times[one]!, this.#values[one]!];
    const [t1, v1] = [this.#times[other]!, this.#values[other]!];
    return (height - v0) * (t1 - t0) < (v1 - v0) * (time - t0);
  }

  /** Whether corner `middle` is below the line from corner `first` to a point, and so is a corner. */
  #turns(first: number, middle: number, time: number, height: number): boolean {
    const [t0, v0] = [this.#times[first]!, this.#values[first]!];
    return (this.#values[middle]! - v0) * (time - t0) < (height - v0) * (this.#times[middle]! - t0);
  }

  #thin(): void {
    for (let i = this.#times.length - 2; i > 0; i -= 2) this.#drop(i);
  }
}
