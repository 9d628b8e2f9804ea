import type { ClockSample } from "./feasible_lines.ts";

/** The most blocks that replies are put into. */
export const MAX_BLOCKS = 128;
/** Numbers in a block. */
const FIELDS = 9;
const [COUNT, UP, UP_TIME, DOWN, DOWN_TIME, LEAST_UP, LEAST_UP_TIME, LEAST_DOWN, LEAST_DOWN_TIME] = [
  ...Array(FIELDS).keys(),
] as [number, number, number, number, number, number, number, number, number];

/** The averages of each direction over a block's replies, above a line of the clock's offset, in µs. */
export interface Block {
  up: number;
  down: number;
}

/** The least of a block's replies in each direction, in µs, and their moments. */
export interface Minima {
  up: Float64Array;
  upTime: Float64Array;
  down: Float64Array;
  downTime: Float64Array;
}

/**
 * The replies in the order of their arrival, in at most {@linkcode MAX_BLOCKS} blocks of equal size: what can be asked
 * about the course of a run in memory that does not depend on its length. Up to that many replies each is a block.
 */
export class TimeBlocks {
  /** Replies in a block; the last may have fewer. */
  size = 1;
  #used = 0;
  #values = new Float64Array(16 * FIELDS);
  /** A block of one reply. */
  readonly #one = new Float64Array(FIELDS).fill(1);
  /** The likeliest drift when the latest block began. */
  #drift = 0;

  /** @param drift tells the likeliest drift so far, in ppm: asked for now and then, since it takes a while. */
  add({ sentAt, receivedAt, up, down }: ClockSample, drift: () => number): void {
    const one = this.#one;
    one[UP] = one[LEAST_UP] = up;
    one[UP_TIME] = one[LEAST_UP_TIME] = sentAt;
    one[DOWN] = one[LEAST_DOWN] = down;
    one[DOWN_TIME] = one[LEAST_DOWN_TIME] = receivedAt;
    if (this.#used > 0 && this.#values[(this.#used - 1) * FIELDS + COUNT]! < this.size) {
      this.#merge((this.#used - 1) * FIELDS, one);
      return;
    }
    if (this.size > 1) this.#drift = drift();
    if (this.#used === MAX_BLOCKS) this.#halve(drift());
    const at = this.#used++ * FIELDS;
    if (at === this.#values.length) {
      const values = new Float64Array(2 * at);
      values.set(this.#values);
      this.#values = values;
    }
    this.#values.set(one, at);
  }

  /** Blocks in use. */
  get length(): number {
    return this.#used;
  }

  /** Replies in all blocks. */
  get count(): number {
    return this.#used === 0
      ? 0
      : (this.#used - 1) * this.size + this.#values[(this.#used - 1) * FIELDS + COUNT]!;
  }

  /** The averages of the blocks that are full, above a line of this drift. */
  above(drift: number): Block[] {
    return Array.from({ length: this.full }, (_, block) => {
      const at = block * FIELDS;
      const values = this.#values;
      return {
        up: (values[at + UP]! - drift * values[at + UP_TIME]!) / this.size,
        down: (values[at + DOWN]! + drift * values[at + DOWN_TIME]!) / this.size,
      };
    });
  }

  /** The least replies of the blocks that are full. */
  minima(): Minima {
    const all = (field: number) =>
      Float64Array.from({ length: this.full }, (_, block) => this.#values[block * FIELDS + field]!);
    return {
      up: all(LEAST_UP),
      upTime: all(LEAST_UP_TIME),
      down: all(LEAST_DOWN),
      downTime: all(LEAST_DOWN_TIME),
    };
  }

  /** Blocks that are full. */
  get full(): number {
    const last = this.#values[(this.#used - 1) * FIELDS + COUNT];
    return last === this.size || this.#used === 0 ? this.#used : this.#used - 1;
  }

  /** Adds a block's numbers to those of another. */
  #merge(at: number, other: Float64Array): void {
    const [values, drift] = [this.#values, this.#drift];
    for (let field = COUNT; field <= DOWN_TIME; field++) values[at + field]! += other[field]!;
    const up = other[LEAST_UP]! - values[at + LEAST_UP]! -
      drift * (other[LEAST_UP_TIME]! - values[at + LEAST_UP_TIME]!);
    if (up < 0) {
      values[at + LEAST_UP] = other[LEAST_UP]!;
      values[at + LEAST_UP_TIME] = other[LEAST_UP_TIME]!;
    }
    const down = other[LEAST_DOWN]! - values[at + LEAST_DOWN]! +
      drift * (other[LEAST_DOWN_TIME]! - values[at + LEAST_DOWN_TIME]!);
    if (down < 0) {
      values[at + LEAST_DOWN] = other[LEAST_DOWN]!;
      values[at + LEAST_DOWN_TIME] = other[LEAST_DOWN_TIME]!;
    }
  }

  /** Makes one block of each two neighbours. */
  #halve(drift: number): void {
    this.#drift = drift;
    for (let block = 0; block < MAX_BLOCKS; block += 2) {
      const [from, to] = [block * FIELDS, block / 2 * FIELDS];
      this.#values.copyWithin(to, from, from + FIELDS);
      this.#merge(to, this.#values.slice(from + FIELDS, from + 2 * FIELDS));
    }
    this.#used = MAX_BLOCKS / 2;
    this.size *= 2;
  }
}
