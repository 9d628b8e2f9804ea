const LF = 10;

/** Splits a stream of bytes after each LF, or where a line becomes longer than is wanted. */
export class LineSplitter {
  readonly #maxLength: number;
  /** Holds the beginning of a line whose LF has not come: #length bytes. */
  #buffer = new Uint8Array();
  #length = 0;

  /** @param maxLength the most bytes of a line, its LF included: a longer one is given in parts of this length. */
  constructor(maxLength: number) {
    this.#maxLength = maxLength;
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
      const complete = part.at(-1) === LF || this.#length + part.length === this.#maxLength;
      if (complete && this.#length === 0) {
        yield part;
      } else {
        this.#append(part);
        if (complete) yield this.takeRest();
      }
    }
  }

  /** Takes what has come of a line without its LF; valid until the next call. */
  takeRest(): Uint8Array {
    const rest = this.#buffer.subarray(0, this.#length);
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
