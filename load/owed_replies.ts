/** Lost lines of a stream whose replies would come before those of the lines that wait. */
export class OwedReplies {
  // Of lines of the warm-up, which come first, and of measured ones.
  #before = 0;
  #measured = 0;

  get isEmpty(): boolean {
    return this.#measured + this.#before === 0;
  }

  add(lines: number, isMeasured: boolean): void {
    if (isMeasured) this.#measured += lines;
    else this.#before += lines;
  }

  /** Takes the oldest, so many at most. */
  take(lines: number): { all: number; measured: number } {
    const before = Math.min(lines, this.#before);
    const measured = Math.min(lines - before, this.#measured);
    this.#before -= before;
    this.#measured -= measured;
    return { all: before + measured, measured };
  }
}
