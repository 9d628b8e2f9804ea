import type { Responder } from "../protocol.ts";

/** A client that has not ended its first line after this many milliseconds may not know of LF. */
const NO_LF_MS = 1_000;

/** Since when a connection has been sending a line that is not complete. */
export class LineAge {
  /** On the idle clock; Infinity if there is no such line. */
  #since = Infinity;
  #hinted = false;

  /** To be called after each read, when what is complete is answered. @param linesBefore those answered before it. */
  update({ unfinished, lines }: Responder, linesBefore: number, now: number): void {
    if (unfinished === 0) this.#since = Infinity;
    else if (this.#since === Infinity || lines > linesBefore) this.#since = now;
  }

  /** Milliseconds since the first byte of that line; less than 0 without one. */
  at(now: number): number {
    return now - this.#since;
  }

  /** Whether the first line has had no LF for long; once. @param lines those answered so far. */
  isHintDue(now: number, lines: number): boolean {
    const isDue = !this.#hinted && lines === 0 && this.at(now) >= NO_LF_MS;
    if (isDue) this.#hinted = true;
    return isDue;
  }
}
