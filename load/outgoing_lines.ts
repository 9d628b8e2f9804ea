import type { LineRing } from "../protocol.ts";
import type { LineBatch, LineQueue } from "./line_queue.ts";
import type { Recorder } from "./recorder.ts";

/** The most bytes handed to one write. */
const MAX_WRITE = 128 * 1024;

/** What the connections of a run share. */
export interface SharedLines {
  ring: LineRing;
  recorder: Recorder;
  /** How many there are. */
  connections: number;
  /** How long a line waits for its reply, or to be written, in ms. */
  timeout: number;
  /** Whether each line has a connection of its own, with whose beginning it counts as sent. */
  hasOwnConnections: boolean;
  /** Whether replies may come in any order. */
  datagrams: boolean;
}

/** The lines that wait for a connection to take them. */
export class OutgoingLines {
  /** The number after the last line written. */
  end: number;
  /** Where the latest piece of what is written ends, and all of it, in bytes since line 0. */
  #pieceEnd = 0;
  #piecesEnd = 0;
  readonly #first: number;
  /** The number of the first line of the measured part; Infinity before it is written. */
  #firstMeasured = Infinity;
  readonly #shared: SharedLines;
  readonly #recorder: Recorder;
  readonly #queue: LineQueue;
  /** Where a line gets its own number. It is written before the next one is. */
  #room: Uint8Array<ArrayBuffer> | undefined;
  /** The most bytes and lines of one write. */
  readonly #batchBytes: number;
  readonly #batchLines: number;

  /** @param queue all lines of the connection. @param first the number of its first line. */
  constructor(shared: SharedLines, queue: LineQueue, first: number) {
    this.#shared = shared;
    this.#recorder = shared.recorder;
    this.#queue = queue;
    this.end = this.#first = first;
    // A datagram has one line, and so has its own connection.
    this.#batchBytes = shared.datagrams || shared.hasOwnConnections ? 0 : MAX_WRITE;
    this.#batchLines = Math.max(1, Math.floor(this.#batchBytes / shared.ring.longest));
  }

  /** Whether no line was written. */
  get isUnused(): boolean {
    return this.end === this.#first;
  }

  /** Whether a line that was written is of the measured part. */
  isMeasured(line: number): boolean {
    return line >= this.#firstMeasured;
  }

  get count(): number {
    return this.#queue.queued;
  }

  /** Takes lines to be written. */
  hand(planned: number, handed: number, lines: number): void {
    this.#recorder.hand(lines);
    for (let left = lines; left > 0; left -= this.#batchLines) {
      this.#queue.hand(planned, handed, Math.min(left, this.#batchLines));
    }
  }

  /** The lines that were handed over at an unknown moment (Infinity) were handed over now. */
  setHanded(now: number): void {
    this.#queue.setHanded(now);
  }

  /**
   * Records that the next lines are written now: as many as one write takes.
   *
   * @returns the first piece of their bytes; undefined if none waits, or the plan is over.
   */
  write(now: number): Uint8Array | undefined {
    const { ring } = this.#shared;
    const queue = this.#queue;
    if (queue.queued === 0) return undefined;
    // One with its own connection counts as sent already.
    if (!this.#shared.hasOwnConnections && this.#isOver(now)) return undefined;
    this.#recorder.turn(now);
    const first = this.end;
    const from = ring.positionOf(first);
    const at = ring.startOf(first);
    let end = at;
    // Whole entries, and no further than to the ring's end, unless that is within the first.
    do {
      const lines = queue.nextLines;
      const position = ring.positionOf(this.end + lines) - from;
      if (end > at && (position > this.#batchBytes || at + position > ring.bytes.length)) break;
      if (this.#firstMeasured > this.end && queue.nextPlanned >= this.#recorder.from) {
        this.#firstMeasured = this.end;
      }
      if (!this.#shared.hasOwnConnections) this.#recorder.send(queue.nextPlanned, lines);
      queue.write(now);
      this.end += lines;
      end = at + position;
    } while (queue.queued > 0);
    this.#piecesEnd = from + end - at;
    this.#pieceEnd = from;
    if (this.end > first + 1) return this.nextPiece();
    this.#pieceEnd = this.#piecesEnd;
    return ring.isNumbered ? ring.copy(first, this.#room ??= new Uint8Array(ring.longest)) : ring.line(first);
  }

  /** The bytes of the next lines that {@linkcode write} has recorded, up to the ring's end; undefined after all. */
  nextPiece(): Uint8Array | undefined {
    const length = this.#piecesEnd - this.#pieceEnd;
    if (length === 0) return undefined;
    const { bytes } = this.#shared.ring;
    const at = this.#pieceEnd % bytes.length;
    const end = Math.min(at + length, bytes.length);
    this.#pieceEnd += end - at;
    return bytes.subarray(at, end);
  }

  /** Only now the last bytes of a piece are written: lines that are whole from there on count as written now. */
  rewrite(bytes: number, now: number): void {
    const { ring } = this.#shared;
    let left = bytes + this.#piecesEnd - this.#pieceEnd;
    let lines = 0;
    for (let line = this.end - 1; (left -= ring.endOf(line) - ring.startOf(line)) >= 0; line--) lines++;
    this.#queue.rewrite(lines, now);
  }

  /** Gives up the lines whose time-out has passed: nobody would wait for them. */
  expire(now: number): void {
    // In a closed loop each line that is given up would have to be replaced.
    if (this.#recorder.isPatient(now)) return;
    const oldest = now - this.#shared.timeout;
    for (let handed; (handed = this.#queue.nextHanded) !== undefined && handed < oldest;) {
      const { planned, lines } = this.#unsend();
      this.#recorder.expire(planned, handed + this.#shared.timeout, now, lines);
    }
  }

  /** Gives up all lines. */
  unsend(): void {
    while (this.#queue.queued > 0) this.#unsend();
  }

  #unsend(): LineBatch {
    const batch = this.#queue.shiftQueued();
    this.#recorder.unsend(batch.planned, batch.handed, batch.lines);
    return batch;
  }

  /** Whether nothing is sent any more: then what waits is given up. */
  #isOver(now: number): boolean {
    if (!this.#recorder.isOver(now)) return false;
    this.#recorder.turn(now);
    this.#recorder.cutShort();
    this.unsend();
    return true;
  }

  /** Takes the next line back, for a connection of its own; undefined as {@linkcode write} does. */
  takeNext(now: number): LineBatch | undefined {
    if (this.count === 0 || this.#isOver(now)) return undefined;
    const batch = this.#queue.shiftQueued();
    this.#recorder.takeBack(batch.lines);
    return batch;
  }

  /** Takes all lines back, for another connection. */
  takeBack(): LineBatch[] {
    const batches = [];
    while (this.#queue.queued > 0) batches.push(this.#queue.shiftQueued());
    for (const { lines } of batches) this.#recorder.takeBack(lines);
    return batches;
  }
}
