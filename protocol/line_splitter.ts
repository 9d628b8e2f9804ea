import { LF } from "./lines.ts";

/** Splits a stream of bytes after each LF, or where a line exceeds a maximum length. */
export class LineSplitter {
  readonly #maxLength: number;
  /** Holds the beginning of a line whose LF has not arrived: #length bytes. */
  #buffer = new Uint8Array();
  #length = 0;
  /** Whether the last part ended no line, and whether it continued one. */
  #cut = false;
  #continued = false;

  /**
   * Begins with no bytes.
   *
   * @param maxLength the most bytes of a line, LF included. A longer line is given in parts of this length.
   */
  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  /** Whether the last part continues a line that was too long, after other parts of it. */
  get continued(): boolean {
    return this.#continued;
  }

  /** Whether a line has begun whose first part is still to come. */
  get begun(): boolean {
    return this.#length > 0 && !this.#cut;
  }

  /** The bytes of a line that have arrived without its LF, those of parts that were given not counted. */
  get length(): number {
    return this.#length;
  }

  /** These bytes themselves. Valid until the next call. */
  get rest(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /**
   * Gives the lines, LF included, that these bytes complete, and the parts of longer ones. Each is valid until the next
   * step, and all must be taken before the next call.
   */
  *split(bytes: Uint8Array): Generator<Uint8Array> {
    let lineEnd = 0;
    for (let from = 0, to; from < bytes.length; from = to) {
      if (from === lineEnd) lineEnd = bytes.indexOf(LF, from) + 1 || bytes.length;
      to = Math.min(lineEnd, from + this.#maxLength - this.#length);
      const part = bytes.subarray(from, to);
      const whole = part[part.length - 1] === LF;
      if (!whole && this.#length + part.length < this.#maxLength) {
        this.#append(part);
        continue;
      }
      this.#continued = this.#cut;
      this.#cut = !whole;
      if (this.#length === 0) {
        yield part;
      } else {
        this.#append(part);
        yield this.takeRest();
      }
    }
  }

  /** Takes what has arrived of a line without its LF. Valid until the next call. */
  takeRest(): Uint8Array {
    const { rest } = this;
    this.#length = 0;
    return rest;
  }

  #append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.min(this.#maxLength, Math.max(length, 2 * this.#buffer.length)));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = length;
  }
}
