import { counted, Failure } from "../failure.ts";
import { isPeerGone, TlsFailure } from "../net/errors.ts";
import { READ_SIZE, type Stream, writeAll } from "../net/stream.ts";
import { errorReason, type Framing, quoteLine, serversWord } from "../protocol.ts";
import { durationText } from "../time/duration.ts";
import { TIMED_OUT, withTimeout } from "../time/timers.ts";

/** A reply may be longer than its message by a stamp. A server that sends so much more is no line echo. */
export const MAX_EXTRA = 64 * 1024;
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

/** How a dialogue over a connection goes. */
export interface DialogueOptions {
  /** The longest wait for a reply, in milliseconds; 0 for none. */
  timeout: number;
  /** Whether a reply must be what was sent, behind a stamp or alone. */
  verify: boolean;
}

/** A dialogue over a connection, in a framing that tells where a reply ends. */
export abstract class StreamDialogue implements Dialogue {
  abstract readonly framing: Framing;
  readonly #conn: Stream;
  readonly #server: string;
  readonly #timeout: number;
  protected readonly verify: boolean;
  readonly #buffer = new Uint8Array(READ_SIZE);
  #reading: Promise<boolean> | undefined;
  #end = "the server closed the connection";

  constructor(conn: Stream, server: string, { timeout, verify }: DialogueOptions) {
    this.#conn = conn;
    this.#server = server;
    this.#timeout = timeout;
    this.verify = verify;
  }

  /** Keeps bytes that have arrived. They are valid until it returns. */
  protected abstract keep(bytes: Uint8Array): void;
  /** Takes the reply to a message, as soon as it is whole. @throws {Failure} */
  protected abstract reply(message: Uint8Array): Promise<Uint8Array>;
  /** The line in which the server has said why it closes, if it has. */
  protected abstract lastWords(): Uint8Array;
  abstract takeUnasked(): Uint8Array;

  async ask(message: Uint8Array): Promise<Uint8Array> {
    const reply = await withTimeout(this.#exchange(message), this.#timeout);
    if (reply === TIMED_OUT) throw this.failure(`no reply in ${durationText(this.#timeout)}`);
    return reply;
  }

  more(): Promise<boolean> {
    return this.#reading ??= this.#read().finally(() => this.#reading = undefined);
  }

  gone(): Failure {
    const reason = errorReason(this.lastWords());
    return this.failure(reason === undefined ? this.#end : serversWord(reason));
  }

  failure(reason: string): Failure {
    return new Failure("talk to", this.#server, reason);
  }

  async end(): Promise<void> {
    // Over TLS a server takes a close without it for a stream that was cut off.
    await withTimeout(this.#conn.closeWrite().catch(() => {}), CLOSE_WAIT_MS);
  }

  /** Why what came instead of a message's echo is none: the server's error, or anything else, which may be allowed. */
  protected refusal(reply: Uint8Array, message: Uint8Array): Failure | undefined {
    const reason = errorReason(reply);
    if (reason !== undefined) return this.failure(serversWord(reason));
    if (!this.verify) return undefined;
    return this.failure(noEcho(`"${quoteLine(message)}" was answered by`, quoteLine(reply)));
  }

  async #exchange(message: Uint8Array): Promise<Uint8Array> {
    try {
      await writeAll(this.#conn, message);
    } catch (error) {
      if (!isPeerGone(error)) throw error;
      while (await this.more()); // the reason may still be on its way
      throw this.gone();
    }
    return await this.reply(message);
  }

  async #read(): Promise<boolean> {
    try {
      const n = await this.#conn.read(this.#buffer);
      if (n === null) return false;
      this.keep(this.#buffer.subarray(0, n));
      return true;
    } catch (error) {
      if (!isPeerGone(error)) throw error;
      this.#end = howServerWent(error);
      return false;
    }
  }
}

/** Why what a server sends makes no conversation with an echo. @param reply as it is quoted. */
export function noEcho(what: string, reply: string): string {
  return `this does not look like an echo server: ${what} "${reply}"; --no-verify accepts any reply`;
}

/** How many lines were not answered, of so many that were sent. */
export function notAnswered(missing: number, sent: number): string {
  return `${missing} of ${counted(sent, "line")} sent ${missing === 1 ? "was" : "were"} not answered`;
}

/** Why a read has failed because of the server. */
export function howServerWent(error: unknown): string {
  if (error instanceof TlsFailure) return error.message;
  return error instanceof Deno.errors.UnexpectedEof
    ? "the connection was cut off, without the end that TLS asks for"
    : "the server reset the connection";
}
