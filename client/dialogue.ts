import { Failure } from "../failure.ts";
import { isPeerGone, TlsFailure } from "../net/errors.ts";
import { READ_SIZE, type Stream, writeAll } from "../net/stream.ts";
import { concat } from "@std/bytes/concat";
import { errorReason, type Framing, LF } from "../protocol.ts";
import { formatMillis } from "../time/duration.ts";
import { TIMED_OUT, withTimeout } from "../time/timers.ts";

/** In chunk framing nothing marks a reply's end: one that does not end as the message did ends with such a silence. */
const CHUNK_QUIET_MS = 200;
/** A reply may be longer than its message by a prefix. A server that sends so much more is no line echo. */
const MAX_EXTRA = 64 * 1024;
/** How long the server may take to close after the last reply. */
export const CLOSE_WAIT_MS = 1000;

/** One message, one reply, in turn. */
export interface Dialogue {
  readonly framing: Framing;
  /**
   * Sends a message and waits for its reply, which is returned with its LF in line framing. Over UDP the reply is
   * empty if it is lost.
   *
   * @param message with its LF in line framing.
   * @throws {Failure} when the conversation cannot go on.
   */
  ask(message: Uint8Array): Promise<Uint8Array>;
  /** Waits for bytes; false when none will come. */
  more(): Promise<boolean>;
  /** Takes bytes that came without a question. */
  takeUnasked(): Uint8Array;
  /** Why the server has ended the conversation. */
  gone(): Failure;
  /** A failure of this conversation. */
  failure(reason: string): Failure;
  /** Ends the conversation in order. @throws {Failure} if not everything was answered. */
  end(): Promise<void>;
}

/** A dialogue over a connection. */
export class StreamDialogue implements Dialogue {
  readonly framing: Framing;
  readonly #conn: Stream;
  readonly #server: string;
  readonly #timeout: number;
  readonly #buffer = new Uint8Array(READ_SIZE);
  /** Bytes that have arrived and have not been taken. */
  #rest = new Uint8Array();
  #reading: Promise<boolean> | undefined;
  #end = "the server closed the connection";

  /** @param options the longest wait for a reply, in milliseconds, 0 for none; the server's framing. */
  constructor(conn: Stream, server: string, options: { timeout: number; framing: Framing }) {
    this.#conn = conn;
    this.#server = server;
    this.#timeout = options.timeout;
    this.framing = options.framing;
  }

  async ask(message: Uint8Array): Promise<Uint8Array> {
    const reply = await withTimeout(this.#exchange(message), this.#timeout);
    if (reply === TIMED_OUT) throw this.failure(`no reply in ${formatMillis(this.#timeout)}`);
    return reply;
  }

  more(): Promise<boolean> {
    return this.#reading ??= this.#read().finally(() => this.#reading = undefined);
  }

  /** Not the reason why the server is about to close: that is for {@linkcode gone}. */
  takeUnasked(): Uint8Array {
    if (errorReason(this.#rest) !== undefined && this.#rest.length < MAX_EXTRA) return new Uint8Array();
    return this.#take(this.#rest.length);
  }

  gone(): Failure {
    const reason = errorReason(this.#rest.subarray(0, this.#rest.indexOf(LF) + 1));
    return this.failure(reason === undefined ? this.#end : `the server says: ${reason}`);
  }

  failure(reason: string): Failure {
    return new Failure("talk to", this.#server, reason);
  }

  async end(): Promise<void> {
    // Over TLS a server takes a close without it for a stream that was cut off.
    await withTimeout(this.#conn.closeWrite().catch(() => {}), CLOSE_WAIT_MS);
  }

  async #exchange(message: Uint8Array): Promise<Uint8Array> {
    try {
      await writeAll(this.#conn, message);
    } catch (error) {
      if (!isPeerGone(error)) throw error;
      while (await this.more()); // the reason may still be on its way
      throw this.gone();
    }
    for (;;) {
      const length = this.framing === "line" ? this.#rest.indexOf(LF) + 1 : await this.#chunkLength(message);
      if (length > 0) return this.#checked(this.#take(length), message);
      if (this.#rest.length > message.length + MAX_EXTRA) {
        throw this.failure("what it sends is no reply to the message");
      }
      if (!await this.more()) throw this.gone();
    }
  }

  #checked(reply: Uint8Array, message: Uint8Array): Uint8Array {
    const reason = errorReason(reply);
    if (reason !== undefined && errorReason(message) === undefined) {
      throw this.failure(`the server says: ${reason}`);
    }
    return reply;
  }

  /** Waits for the rest of a reply in chunk framing of which something has arrived; its length then, 0 before. */
  async #chunkLength(message: Uint8Array): Promise<number> {
    while (this.#rest.length > 0 && !endsWith(this.#rest, message)) {
      if (await withTimeout(this.more(), CHUNK_QUIET_MS) !== true) break;
    }
    return this.#rest.length;
  }

  #take(length: number): Uint8Array {
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  async #read(): Promise<boolean> {
    try {
      const n = await this.#conn.read(this.#buffer);
      if (n === null) return false;
      this.#rest = concat([this.#rest, this.#buffer.subarray(0, n)]);
      return true;
    } catch (error) {
      if (!isPeerGone(error)) throw error;
      this.#end = howServerWent(error);
      return false;
    }
  }
}

/** Why a read has failed because of the server. */
export function howServerWent(error: unknown): string {
  if (error instanceof TlsFailure) return error.message;
  return error instanceof Deno.errors.UnexpectedEof
    ? "the connection was cut off, without the end that TLS asks for"
    : "the server reset the connection";
}

function endsWith(bytes: Uint8Array, end: Uint8Array): boolean {
  const from = bytes.length - end.length;
  return from >= 0 && end.every((byte, i) => bytes[from + i] === byte);
}
