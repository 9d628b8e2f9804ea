import type { AdmittedConnection } from "../net/admission.ts";
import { reasonOfEnd } from "../net/errors.ts";
import { leanStream } from "../net/lean_stream.ts";
import { closeQuietly, type Stream, writeAll } from "../net/stream.ts";
import { type Prefix, Responder } from "../protocol.ts";
import { wallMicros } from "../time/clock.ts";
import {
  type ConnectionEvent,
  type ConnectionState,
  type EndedState,
  nextState,
  READING,
} from "./connection_state.ts";
import type { ConnectionFigures } from "./counters.ts";
import type { IdleClock } from "./idle_clock.ts";
import { LineAge } from "./line_age.ts";
import type { ReadTurns } from "./read_turns.ts";
import type { ServerSettings } from "./settings.ts";

/** A peer that was told of the end and keeps sending is listened to for this long at most ... */
const LINGER_MS = 30_000;
/** ... and for this long after its last byte, so that no reset destroys the replies on their way to it. */
const LINGER_QUIET_MS = 2_000;

const WRITE: ConnectionEvent = { type: "write" };
const WRITTEN: ConnectionEvent = { type: "written" };
const PEER_ENDED: ConnectionEvent = { type: "peer-ended" };
const LEAVE: ConnectionEvent = { type: "leave" };

/** What the connections of one server have in common. */
export interface Shared {
  readonly settings: ServerSettings;
  readonly prefix: Prefix;
  readonly idleClock: IdleClock;
  /** For bytes that are discarded. */
  readonly scratch: Uint8Array<ArrayBuffer>;
  /** Error lines. */
  readonly tooLong: Uint8Array;
  readonly lateLine: Uint8Array;
  readonly idle: Uint8Array;
  /** Is told of bytes that lines take, and with less than 0 of those that they give back. */
  readonly memory: { add(bytes: number): void; readonly isShort: boolean };
  readonly readTurns: ReadTurns;
  /** Milliseconds of silence after which a connection ends without an error line; undefined unless draining. */
  quietEnd: number | undefined;
  /** Reads so far, on all connections. */
  reads: number;
  /** Silence before this moment on the idle clock may be this server's: until then it was too busy to read. */
  busyUntil: number;
  /** Called at the first byte of a connection. */
  onOpen(connection: Connection): void;
  /** Called when a connection has sent bytes for a second, and no LF. */
  onNoLf(connection: Connection): void;
  /** Called once for each connection. */
  onEnd(connection: Connection, state: EndedState): void;
}

/** One connection, from its first byte to its close. */
// Long because the loop that serves and all that can end it share one state.
export class Connection implements ConnectionFigures {
  /** Counts those that sent a byte; 0 before that. */
  id = 0;
  bytesIn = 0;
  bytesOut = 0;
  held = 0; // of the memory for lines
  readonly #stream: Stream;
  readonly #shared: Shared;
  #state: ConnectionState = READING;
  #responder: Responder | undefined;
  /** When a byte was last read or written, and when lingering ends whatever the peer does, on the idle clock. */
  #active: number;
  #lingersUntil = Infinity;
  readonly #lineAge = new LineAge();
  /** Resolves when this side has ended, where that began while the peer's bytes were waited for. */
  #left: Promise<void> | undefined;

  /** @param openedAt on the server's clock. */
  constructor(readonly admitted: AdmittedConnection, shared: Shared, readonly openedAt: number) {
    this.#stream = leanStream(admitted.stream);
    this.#shared = shared;
    this.#active = shared.idleClock.next;
  }

  get lines(): number {
    return this.#responder?.lines ?? 0;
  }

  /** Bytes read of a line whose LF has not come, while more is read. */
  get unfinished(): number {
    return this.#state.phase === "reading" ? this.#responder!.unfinished : 0;
  }

  /** Whether the peer has not taken a reply for a tick of the idle clock. */
  get isStuck(): boolean {
    return /^(?:writing|finishing)$/.test(this.#state.phase) && this.#active < this.#shared.idleClock.next;
  }

  /** Answers the peer's lines until one side ends. */
  // Long because each further function that waits would take time from every line.
  async serve(): Promise<void> {
    const { settings, prefix, scratch, idleClock, memory, readTurns } = this.#shared;
    const stream = this.#stream;
    const responder = this.#responder = new Responder(settings.framing, settings.maxLine);
    try {
      let readAt = 0;
      let turn;
      for (;;) {
        // A lean stream says 0 at its end.
        let buffer = scratch;
        if (!this.#isLeaving()) {
          buffer = responder.readBuffer(memory.isShort);
          this.#hold(responder.held);
        }
        const n = await stream.read(buffer) || null;
        if (this.#state.phase === "ended") break;
        if (this.#isLeaving()) {
          if (n !== null) {
            this.#active = idleClock.next;
            continue;
          }
          await this.#left;
          break;
        }
        if (n === null) {
          this.#apply(PEER_ENDED);
          responder.end();
        } else {
          readAt = wallMicros();
          this.#shared.reads++;
          readTurns.count(turn !== undefined);
          this.#active = idleClock.next;
          if (this.bytesIn === 0) this.#shared.onOpen(this);
          this.bytesIn += n;
          responder.commit(n);
        }
        // Other connections use the prefix while this one writes: it is made anew for each write.
        const linesBefore = responder.lines;
        for (let replies; (replies = responder.next(prefix.at(readAt))) !== undefined;) {
          this.#apply(WRITE);
          this.#hold(responder.held);
          let written = await stream.write(replies);
          this.bytesOut += written;
          while (written < replies.length) {
            this.#active = idleClock.next;
            const more = await stream.write(replies.subarray(written));
            this.bytesOut += more;
            written += more;
          }
          this.#apply(WRITTEN);
        }
        this.#active = idleClock.next;
        if (n === null) break;
        this.#lineAge.update(responder, linesBefore, this.#active);
        this.#finishIfDue(responder);
        if (this.#left !== undefined) await this.#left;
        turn = readTurns.next();
        if (turn !== undefined) await turn;
      }
      this.#end("closed by peer");
    } catch (error) {
      this.#end(reasonOfEnd(error));
    }
    responder.close();
  }

  /** Tells the peer why it is not served, and waits, shortly, until it has read that. */
  async reject(farewell: Uint8Array): Promise<void> {
    this.#apply({ type: "finish", reason: "rejected" });
    await this.#leave(farewell);
    this.#lingersUntil = this.#active + LINGER_QUIET_MS;
    try {
      while (await this.#stream.read(this.#shared.scratch));
    } catch { /* Rejected is rejected, however the peer takes it. */ }
    this.#end("rejected");
  }

  /** To be called at each tick: ends the connection when its time has come. @param now on the idle clock. */
  tick(now: number): void {
    const silence = now - this.#active;
    const { settings, quietEnd = Infinity, busyUntil, idle } = this.#shared;
    const idleTimeout = settings.idleTimeout || Infinity;
    switch (this.#state.phase) {
      case "reading":
        this.#checkLine(now);
        if (silence >= idleTimeout) this.finish("idle", idle);
        else if (Math.min(silence, now - busyUntil) >= quietEnd) this.finish("drain");
        break;
      case "writing":
      case "finishing":
        if (silence >= idleTimeout) this.cut("idle: the peer does not read");
        break;
      case "leaving":
        if (silence >= LINGER_QUIET_MS || now >= this.#lingersUntil) closeQuietly(this.#stream);
    }
  }

  /** Counts what happened until now as activity. */
  touch(): void {
    this.#active = this.#shared.idleClock.next;
  }

  /** Ends the connection once what has been read is answered. @param farewell a last line, if nothing is being written. */
  finish(reason: string, farewell?: Uint8Array): void {
    const { phase } = this.#state;
    this.#apply({ type: "finish", reason });
    if (phase === "reading") this.#left = this.#leave(farewell);
  }

  /** Ends the connection at once, even in the middle of a reply. */
  cut(reason: string): void {
    closeQuietly(this.#stream);
    // A Deno before 2.9.5 lets a write that blocks wait for the peer even now: nothing else may wait for it.
    this.#apply({ type: "cut", reason });
  }

  /** Ends the connection when a line takes too long, and tells when the first one has no LF. */
  #checkLine(now: number): void {
    const { settings, lateLine, onNoLf } = this.#shared;
    if (this.#lineAge.isHintDue(now, this.lines)) onNoLf(this);
    if (this.#lineAge.at(now) >= (settings.lineTimeout || Infinity)) {
      this.finish("line not finished", lateLine);
    }
  }

  #hold(bytes: number): void {
    if (bytes === this.held) return;
    const before = this.held;
    this.held = bytes;
    this.#shared.memory.add(bytes - before);
  }

  #end(reason: string): void {
    closeQuietly(this.#stream);
    this.#apply({ type: "end", reason });
  }

  /** Ends the connection, if it is to end, when all lines of a read are answered. */
  #finishIfDue({ overlong, held }: Responder): void {
    const farewell = overlong ? this.#shared.tooLong : undefined;
    if (this.#state.phase === "finishing") this.#left = this.#leave(farewell);
    else if (overlong) this.finish("line too long", farewell);
    else this.#hold(held);
  }

  /** Half-closes, after a last line to the peer if there is one, and lingers from then on. */
  async #leave(farewell?: Uint8Array): Promise<void> {
    this.#apply(LEAVE);
    this.#lingersUntil = this.#shared.idleClock.next + LINGER_MS;
    this.touch();
    try {
      if (farewell !== undefined) await writeAll(this.#stream, farewell);
      this.bytesOut += farewell?.length ?? 0;
      await this.#stream.closeWrite();
    } catch {
      closeQuietly(this.#stream);
    }
  }

  #isLeaving(): boolean {
    return this.#state.phase === "leaving";
  }

  #apply(event: ConnectionEvent): void {
    const before = this.#state;
    if (before.phase === "ended") return;
    this.#state = nextState(before, event);
    if (this.#state.phase === "ended") this.#shared.onEnd(this, this.#state);
  }
}
