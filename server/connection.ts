import type { AdmittedConnection } from "../net/admission.ts";
import { reasonOfEnd } from "../net/errors.ts";
import { closeQuietly, type Stream, writeAll } from "../net/stream.ts";
import { type Prefix, Responder } from "../protocol.ts";
import { wallMicros } from "../time/clock.ts";
import { type ConnectionEvent, type ConnectionState, nextState, READING } from "./connection_state.ts";
import type { ConnectionFigures } from "./counters.ts";
import type { IdleClock } from "./idle_clock.ts";
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
  readonly idle: Uint8Array;
  /** Milliseconds of silence after which a connection ends without an error line; undefined unless draining. */
  quietEnd: number | undefined;
  /** Called once for each connection. */
  onEnd(connection: Connection): void;
}

/** One connection, from its first byte to its close. */
export class Connection implements ConnectionFigures {
  bytesIn = 0;
  bytesOut = 0;
  readonly #stream: Stream;
  readonly #shared: Shared;
  #state: ConnectionState = READING;
  #responder: Responder | undefined;
  /** When a byte was last read or written, and when lingering ends whatever the peer does, on the idle clock. */
  #active: number;
  #lingersUntil = Infinity;
  /** Resolves when this side has ended, where that began while the peer's bytes were waited for. */
  #left: Promise<void> | undefined;

  /**
   * @param id counts the connections served; 0 for one that is rejected.
   * @param openedAt on the server's clock.
   */
  constructor(
    readonly admitted: AdmittedConnection,
    shared: Shared,
    readonly id: number,
    readonly openedAt: number,
  ) {
    this.#stream = admitted.stream;
    this.#shared = shared;
    this.#active = shared.idleClock.next;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get lines(): number {
    return this.#responder?.lines ?? 0;
  }

  /** Answers the peer's lines until one side ends. */
  async serve(): Promise<void> {
    const { settings, prefix, scratch, idleClock } = this.#shared;
    const stream = this.#stream;
    const responder = this.#responder = new Responder(settings.framing, settings.maxLine);
    try {
      let readAt = 0;
      for (;;) {
        const n = await stream.read(this.#isLeaving() ? scratch : responder.readBuffer());
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
          this.#active = idleClock.next;
          this.bytesIn += n;
          responder.commit(n);
        }
        // Other connections use the prefix while this one writes: it is made anew for each write.
        let replies = responder.next(prefix.at(readAt));
        while (replies !== undefined) {
          this.#apply(WRITE);
          let written = await stream.write(replies);
          this.bytesOut += written;
          while (written < replies.length) {
            this.#active = idleClock.next;
            const more = await stream.write(replies.subarray(written));
            this.bytesOut += more;
            written += more;
          }
          this.#apply(WRITTEN);
          replies = responder.next(prefix.at(readAt));
        }
        this.#active = idleClock.next;
        if (n === null) break;
        const farewell = responder.overlong ? this.#shared.tooLong : undefined;
        if (responder.overlong) this.#apply({ type: "finish", reason: "line too long" });
        if (this.#state.phase !== "reading") await this.#leave(farewell);
      }
      this.#end("closed by peer");
    } catch (error) {
      this.#end(reasonOfEnd(error));
    }
    responder.close();
  }

  /** Tells the peer why it is not served, and waits, shortly, until it has read that. */
  async reject(farewell: Uint8Array): Promise<void> {
    try {
      this.#apply({ type: "finish", reason: "rejected" });
      await this.#leave(farewell);
      this.#lingersUntil = this.#shared.idleClock.next + LINGER_QUIET_MS;
      while (await this.#stream.read(this.#shared.scratch) !== null);
    } catch {
      // Rejected is rejected, however the peer takes it.
    }
    this.#end("rejected");
  }

  /** To be called now and then: ends the connection when its time has come. @param now on the idle clock. */
  tick(now: number): void {
    const silence = now - this.#active;
    const { settings, quietEnd, idle } = this.#shared;
    const idleTimeout = settings.idleTimeout || Infinity;
    switch (this.#state.phase) {
      case "reading":
        if (silence >= idleTimeout) this.finish("idle", idle);
        else if (quietEnd !== undefined && silence >= quietEnd) this.finish("drain");
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
    if (phase === "reading") this.#left = this.#leave(farewell).catch(() => closeQuietly(this.#stream));
  }

  /** Ends the connection at once, even in the middle of a reply. */
  cut(reason: string): void {
    closeQuietly(this.#stream);
    // A Deno before 2.9.5 lets a write that blocks wait for the peer even now: nothing else may wait for it.
    this.#apply({ type: "cut", reason });
  }

  #end(reason: string): void {
    closeQuietly(this.#stream);
    this.#apply({ type: "end", reason });
  }

  /** Half-closes, after a last line to the peer if there is one, and lingers from then on. */
  async #leave(farewell?: Uint8Array): Promise<void> {
    this.#apply(LEAVE);
    this.#lingersUntil = this.#shared.idleClock.next + LINGER_MS;
    this.touch();
    if (farewell !== undefined) {
      await writeAll(this.#stream, farewell);
      this.bytesOut += farewell.length;
    }
    await this.#stream.closeWrite();
  }

  #isLeaving(): boolean {
    return this.#state.phase === "leaving";
  }

  #apply(event: ConnectionEvent): void {
    const before = this.#state;
    if (before.phase === "ended") return;
    this.#state = nextState(before, event);
    if (this.#state.phase === "ended") this.#shared.onEnd(this);
  }
}
