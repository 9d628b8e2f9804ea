/** Lines remembered whose replies may still come out of turn. */
const MAX_REMEMBERED = 4096;

/** A line that was passed over by the reply to a later one: moments in ms on the run's clock. */
export interface PassedLine {
  planned: number;
  handed: number;
  written: number;
  isLost: boolean;
}

/** The lines of a connection that were not answered in their turn, in the order of passing. */
export class PassedLines {
  /** Those that are not lost. */
  waiting = 0;
  readonly #lines = new Map<number, PassedLine>();

  /** Whether none is remembered. */
  get isEmpty(): boolean {
    return this.#lines.size === 0;
  }

  add(number: number, line: PassedLine): void {
    this.#lines.set(number, line);
    if (!line.isLost) this.waiting++;
  }

  /** Takes the line with a number, for its reply has come; undefined if it is forgotten. */
  take(number: number): PassedLine | undefined {
    const line = this.#lines.get(number);
    this.#lines.delete(number);
    if (line?.isLost === false) this.waiting--;
    return line;
  }

  /** Takes the line that waits and was passed over first; there must be one. */
  takeOldest(): PassedLine {
    for (const [number, { isLost }] of this.#lines) {
      if (!isLost) return this.take(number)!;
    }
    throw new RangeError("no line waits");
  }

  /** Gives up the lines that were written before a moment. */
  expire(oldest: number, tell: (planned: number, written: number) => void): void {
    if (this.waiting > 0) {
      for (const line of this.#lines.values()) {
        if (line.isLost) continue;
        if (line.written >= oldest) break;
        line.isLost = true;
        this.waiting--;
        tell(line.planned, line.written);
      }
    }
    for (const [number, { isLost }] of this.#lines) {
      if (this.#lines.size <= MAX_REMEMBERED || !isLost) break;
      this.#lines.delete(number);
    }
  }

  /** No reply comes any more. */
  settle(tell: (planned: number) => void): void {
    for (const { planned, isLost } of this.#lines.values()) if (!isLost) tell(planned);
    this.#lines.clear();
    this.waiting = 0;
  }
}
