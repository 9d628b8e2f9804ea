import { reasonOf, RESET } from "../failure.ts";
import { isPeerGone, TlsFailure } from "../net/errors.ts";
import { closeQuietly, type Stream } from "../net/stream.ts";
import { acquireSlot, LARGE_SLOT, releaseSlot, SMALL_SLOT } from "../protocol.ts";
import type { Clock } from "../time/timers.ts";
import type { ConnectionEvents, LoadConnection } from "./connection.ts";
import { type ConnectionSignal, type ConnectionState, nextState, OPEN } from "./connection_state.ts";
import type { OutgoingLines } from "./outgoing_lines.ts";
import type { PendingLines } from "./pending_lines.ts";
import { TurnClock } from "./turn_clock.ts";

const NOTHING = new Uint8Array();
/** After so many wrong replies, or reads that answer no line, others have their turn: timers, signals, connections. */
const MAX_USELESS = 256;

/** A stream that lines are sent over. */
export class StreamConnection implements LoadConnection {
  readonly lines: PendingLines;
  readonly #stream: Stream;
  readonly #clock: Clock;
  readonly #turn: TurnClock;
  readonly #events: ConnectionEvents;
  #state: ConnectionState = OPEN;
  #isWriting = false;
  #piece: Uint8Array = NOTHING;
  #buffer = acquireSlot(SMALL_SLOT);
  /** Bytes of a reply that is not whole, at the buffer's beginning. */
  #held = 0;
  /** Wrong replies, and reads that answer no line, since others had their turn or all that was read was right. */
  #useless = 0;

  /**
   * @param stream whose reads give 0 or null at the end.
   * @param lines those of this connection, of which none is written.
   * @param turn the same clock, for what is read; connections share it.
   */
  constructor(
    stream: Stream,
    lines: PendingLines,
    clock: Clock,
    events: ConnectionEvents,
    turn: TurnClock = new TurnClock(clock),
  ) {
    this.#stream = stream;
    this.lines = lines;
    this.#clock = clock;
    this.#turn = turn;
    this.#events = events;
  }

  get outgoing(): OutgoingLines {
    return this.lines.outgoing;
  }

  flush(): void {
    if (this.#isWriting || !this.isOpen || this.outgoing.count === 0) return; // most calls follow a write
    const piece = this.outgoing.write(this.#clock.now());
    if (piece === undefined) return;
    this.#isWriting = true;
    this.#write(piece);
  }

  close(): void {
    this.#apply({ type: "close" });
    closeQuietly(this.#stream);
  }

  /** Writes a piece, then the others: without an async function, as most writes are one piece and done at once. */
  #write(piece: Uint8Array): void {
    this.#piece = piece;
    this.#stream.write(piece).then(this.#onWritten, this.#onWriteFailed);
  }

  readonly #onWritten = (written: number): void => {
    if (written < this.#piece.length) {
      const rest = this.#piece.subarray(written);
      this.outgoing.rewrite(rest.length, this.#clock.now());
      return this.#write(rest);
    }
    const next = this.outgoing.nextPiece();
    if (next !== undefined) return this.#write(next);
    this.#isWriting = false;
    this.flush();
  };

  readonly #onWriteFailed = (error: unknown): void => {
    this.#isWriting = false;
    // What the peer said before it went is still to be read.
    if (!isPeerGone(error)) this.#end(reasonOf(error));
  };

  get isOpen(): boolean {
    return this.#state.phase === "open";
  }

  async read(): Promise<void> {
    const stream = this.#stream;
    try {
      while (this.isOpen) {
        const n = await stream.read(this.#held === 0 ? this.#buffer : this.#buffer.subarray(this.#held));
        if (!n) this.#end("connection closed");
        else if (this.isOpen) this.#onBytes(n);
        // The runtime may complete many reads of a flood before it does anything else.
        if (this.#useless > MAX_USELESS) {
          this.#useless = 0;
          await this.#clock.sleep(0);
        }
      }
    } catch (error) {
      const isReset = isPeerGone(error) && !(error instanceof TlsFailure);
      this.#end(isReset ? RESET : reasonOf(error));
    }
    closeQuietly(stream);
    releaseSlot(this.#buffer);
    if (this.#state.phase !== "ended") return;
    const { reason } = this.#state;
    this.#events.onEnd(this, this.lines.fail(reason), reason);
  }

  #onBytes(n: number): void {
    const { lines } = this;
    const end = this.#held + n;
    const before = lines.waiting;
    const { wrong } = lines;
    const now = this.#turn.now();
    const taken = lines.receive(this.#buffer, end, now);
    this.#held = end - taken;
    if (this.#held > 0 && taken > 0) this.#buffer.copyWithin(0, taken, end);
    if (end === this.#buffer.length && lines.wrong === wrong) this.#enlarge();
    const freed = before - lines.waiting;
    // A read that answers nothing may be one of a line without an end.
    this.#useless = freed > 0 && lines.wrong === wrong ? 0 : this.#useless + 1 + lines.wrong - wrong;
    if (freed > 0) this.#events.onFreed(this, freed, now);
    if (lines.error !== undefined) this.#end(`server said: ${lines.error}`);
  }

  /** Takes more at once from now on. */
  #enlarge(): void {
    if (this.#buffer.length >= LARGE_SLOT) return;
    const larger = acquireSlot(LARGE_SLOT);
    larger.set(this.#buffer.subarray(0, this.#held));
    releaseSlot(this.#buffer);
    this.#buffer = larger;
  }

  /** Nothing more comes. */
  #end(reason: string): void {
    this.#apply({ type: "end", reason });
    closeQuietly(this.#stream);
  }

  #apply(signal: ConnectionSignal): void {
    this.#state = nextState(this.#state, signal);
  }
}
