import type { WrittenLine } from "./line_queue.ts";
import type { SharedLines } from "./outgoing_lines.ts";

/** Lost lines remembered whose replies may still come: of all connections, and of one at least. */
const MAX_REMEMBERED = 256 * 1024;
const MIN_REMEMBERED = 4096;

/** The lines of a connection that were not answered in their turn. */
export class PassedLines {
  /** Those that are not lost, by their numbers and in the order of passing. */
  readonly #waiting = new Map<number, WrittenLine>();
  /** When those that are were planned. */
  readonly #lost = new Map<number, number>();
  readonly #timeout: number;
  /** How many lost lines are remembered. */
  readonly #most: number;
  readonly #forget: (number: number) => void;

  /** @param forget is told of a lost line that is remembered no more. */
  constructor({ connections, timeout }: SharedLines, forget: (number: number) => void) {
    this.#timeout = timeout;
    this.#most = Math.max(MIN_REMEMBERED, Math.floor(MAX_REMEMBERED / connections));
    this.#forget = forget;
  }

  /** How many are not lost. */
  get waiting(): number {
    return this.#waiting.size;
  }

  add(number: number, line: WrittenLine, isLost: boolean): void {
    if (isLost) this.#lost.set(number, line.planned);
    else this.#waiting.set(number, line);
  }

  /** Adds one that was lost before it was passed over: of the measured part, as far as is known. */
  addOwed(number: number): void {
    this.#lost.set(number, Infinity);
  }

  /** Takes the line with a number, for its reply has come; undefined if it is lost or forgotten. */
  take(number: number): WrittenLine | undefined {
    const line = this.#waiting.get(number);
    this.#waiting.delete(number);
    return line;
  }

  /** Likewise a lost one. @returns when it was planned. */
  takeLost(number: number): number | undefined {
    const planned = this.#lost.get(number);
    this.#lost.delete(number);
    return planned;
  }

  /** Takes the line that waits and was passed over first; there must be one. */
  takeOldest(): WrittenLine {
    const [number] = this.#waiting.keys();
    return this.take(number!)!;
  }

  /** Gives up the lines whose time-out has passed. */
  expire(now: number, tell: (planned: number, written: number) => void): void {
    if (this.#waiting.size + this.#lost.size === 0) return; // as it is after each read of most runs
    const oldest = now - this.#timeout;
    for (const [number, line] of this.#waiting) {
      if (line.written >= oldest) break;
      this.#waiting.delete(number);
      this.#lost.set(number, line.planned);
      tell(line.planned, line.written);
    }
    for (const number of this.#lost.keys()) {
      if (this.#lost.size <= this.#most) break;
      this.#lost.delete(number);
      this.#forget(number);
    }
  }

  /** No reply comes any more. */
  settle(tell: (planned: number) => void): void {
    for (const { planned } of this.#waiting.values()) tell(planned);
    this.#waiting.clear();
    this.#lost.clear();
  }
}
