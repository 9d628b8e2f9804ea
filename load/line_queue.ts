/** What an entry holds: planned, handed, written, and how many lines. */
const FIELDS = 4;
const PLANNED = 0;
const HANDED = 1;
const WRITTEN = 2;
const LINES = 3;
const MIN_ENTRIES = 4;

/** The moments of a line that was written, in ms on the run's clock. */
export interface WrittenLine {
  planned: number;
  handed: number;
  written: number;
}

/** Lines that share their moments, which are in ms on the run's clock. */
export interface LineBatch {
  planned: number;
  handed: number;
  lines: number;
}

/**
 * The lines of a connection in their order: those written and not answered, then those that wait to be written. Lines
 * that were handed over and written together are one entry.
 */
export class LineQueue {
  /** Lines written and neither answered nor given up. */
  written = 0;
  /** Lines that wait to be written. */
  queued = 0;
  #data = new Float64Array(FIELDS * MIN_ENTRIES);
  #mask = MIN_ENTRIES - 1;
  // Entries by their number since the beginning: entry `n` is at `n & mask`.
  #head = 0;
  #unwritten = 0;
  #tail = 0;

  /** Adds lines to be written. @param handed Infinity if that is told later, by {@linkcode setHanded}. */
  hand(planned: number, handed: number, lines: number): void {
    if (this.#tail - this.#head > this.#mask) this.#grow();
    const at = this.#at(this.#tail++);
    this.#data[at + PLANNED] = planned;
    this.#data[at + HANDED] = handed;
    this.#data[at + WRITTEN] = NaN;
    this.#data[at + LINES] = lines;
    this.queued += lines;
  }

  /** The lines that were handed over at an unknown moment (Infinity) were handed over now. */
  setHanded(now: number): void {
    for (let entry = this.#tail - 1; entry >= this.#unwritten; entry--) {
      const at = this.#at(entry) + HANDED;
      if (this.#data[at] !== Infinity) break;
      this.#data[at] = now;
    }
  }

  /** The lines of the entry that is written next; 0 if none waits. */
  get nextLines(): number {
    return this.queued === 0 ? 0 : this.#data[this.#at(this.#unwritten) + LINES]!;
  }

  /** The planned moment of the entry that is written next. */
  get nextPlanned(): number {
    return this.#data[this.#at(this.#unwritten) + PLANNED]!;
  }

  /** When the entry that is written next was handed over; undefined if none waits. */
  get nextHanded(): number | undefined {
    return this.queued === 0 ? undefined : this.#data[this.#at(this.#unwritten) + HANDED];
  }

  /** Records that the next entry is written now. */
  write(now: number): void {
    const at = this.#at(this.#unwritten++);
    const lines = this.#data[at + LINES]!;
    this.#data[at + WRITTEN] = now;
    if (this.#data[at + HANDED] === Infinity) this.#data[at + HANDED] = now;
    this.queued -= lines;
    this.written += lines;
  }

  /** Records that the last lines of those written are written only now: entries that are whole among them. */
  rewrite(lines: number, now: number): void {
    for (let entry = this.#unwritten - 1; entry >= this.#head; entry--) {
      const at = this.#at(entry);
      lines -= this.#data[at + LINES]!;
      if (lines < 0) break;
      this.#data[at + WRITTEN] = now;
    }
  }

  /** When the oldest line was written; undefined if none is. */
  get oldestWritten(): number | undefined {
    return this.written === 0 ? undefined : this.#data[this.#at(this.#head) + WRITTEN];
  }

  /** The moments of the oldest line that was written. */
  get planned(): number {
    return this.#data[this.#at(this.#head) + PLANNED]!;
  }

  get handed(): number {
    return this.#data[this.#at(this.#head) + HANDED]!;
  }

  /** How many lines share the moments of the oldest. */
  get oldestLines(): number {
    return this.#data[this.#at(this.#head) + LINES]!;
  }

  /** Removes the oldest written lines, of one entry. @returns how many they were, at most `lines`. */
  shift(lines: number): number {
    const at = this.#at(this.#head) + LINES;
    const removed = Math.min(lines, this.#data[at]!);
    this.#data[at]! -= removed;
    this.written -= removed;
    if (this.#data[at] === 0) this.#head++;
    return removed;
  }

  /** Removes the oldest line that was written. @returns its moments. */
  take(): WrittenLine {
    const at = this.#at(this.#head);
    const [planned, handed, written] = [PLANNED, HANDED, WRITTEN].map((it) => this.#data[at + it]!);
    this.shift(1);
    return { planned: planned!, handed: handed!, written: written! };
  }

  /** Removes the lines that wait to be written, the oldest entry of them. */
  shiftQueued(): LineBatch {
    const at = this.#at(this.#unwritten);
    const [planned, handed, , lines] = this.#data.subarray(at, at + FIELDS) as unknown as number[];
    // The written ones move up by one, as a whole: this is rare.
    for (let entry = this.#unwritten; entry > this.#head; entry--) {
      this.#data.copyWithin(this.#at(entry), this.#at(entry - 1), this.#at(entry - 1) + FIELDS);
    }
    this.#head++;
    this.#unwritten++;
    this.queued -= lines!;
    return { planned: planned!, handed: handed!, lines: lines! };
  }

  #at(entry: number): number {
    return (entry & this.#mask) * FIELDS;
  }

  #grow(): void {
    const entries = this.#mask + 1;
    const data = new Float64Array(2 * entries * FIELDS);
    for (let entry = this.#head; entry < this.#tail; entry++) {
      const at = this.#at(entry);
      data.set(this.#data.subarray(at, at + FIELDS), (entry - this.#head) * FIELDS);
    }
    this.#data = data;
    this.#mask = 2 * entries - 1;
    this.#unwritten -= this.#head;
    this.#tail -= this.#head;
    this.#head = 0;
  }
}
