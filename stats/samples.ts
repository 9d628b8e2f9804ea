import type { ClockSample } from "./feasible_lines.ts";

/** Numbers in a {@linkcode ClockSample}. */
const FIELDS = 6;

/**
 * Clock samples in a typed array: as objects, those that outlive a garbage collection would make V8's heap grow all
 * through a long run.
 */
export class SampleArray {
  length = 0;
  readonly #max: number;
  #values = new Float64Array(64 * FIELDS);

  /** @param max the most samples that it will hold. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Writes a sample to a place, 0 to `length`. */
  set(place: number, { seq, sentAt, receivedAt, up, down, resolution }: ClockSample): void {
    if (place * FIELDS === this.#values.length) {
      const values = new Float64Array(Math.min(2 * place, this.#max) * FIELDS);
      values.set(this.#values);
      this.#values = values;
    }
    this.length = Math.max(this.length, place + 1);
    const at = place * FIELDS;
    this.#values[at] = seq;
    this.#values[at + 1] = sentAt;
    this.#values[at + 2] = receivedAt;
    this.#values[at + 3] = up;
    this.#values[at + 4] = down;
    this.#values[at + 5] = resolution;
  }

  *[Symbol.iterator](): Generator<ClockSample> {
    for (let place = 0; place < this.length; place++) {
      const at = place * FIELDS;
      const [seq, sentAt, receivedAt, up, down, resolution] = this.#values.subarray(at, at + FIELDS);
      yield {
        seq: seq!,
        sentAt: sentAt!,
        receivedAt: receivedAt!,
        up: up!,
        down: down!,
        resolution: resolution!,
      };
    }
  }
}
