/** Runs `node:tls` over a Stream, and offers the result as a Stream: the one adapter, for both sides. */
import { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import type { TLSSocket } from "node:tls";
import { TlsFailure } from "./errors.ts";
import { closeQuietly, type Stream } from "./stream.ts";
import { withTimeout } from "../time/timers.ts";

/** Bytes of one encrypted read: the buffer starts small, for idle connections, and grows while reads fill it. */
const MIN_READ_SIZE = 512;
const MAX_READ_SIZE = 64 * 1024;
/** After this many short reads in a row it shrinks. One alone may be the rest of a record that did not fit. */
const SHORT_READS_UNTIL_SMALLER = 16;
/** Milliseconds that a closing stream may take to send its close_notify. */
const CLOSE_NOTIFY_TIMEOUT_MS = 1_000;

/** The connection as `node:tls` sees it: encrypted bytes are fed in, and those that it writes go to the stream. */
class Wire extends Duplex {
  readonly #raw: Stream;
  readonly #onFailure: (error: Error) => void;
  #writing: Promise<void> | undefined;

  constructor(raw: Stream, onFailure: (error: Error) => void) {
    super({ allowHalfOpen: true });
    this.#raw = raw;
    this.#onFailure = onFailure;
  }

  /** Hands encrypted bytes over. They are decrypted before this returns, and may be overwritten afterwards. */
  feed(bytes: Uint8Array): void {
    this.emit("data", bytes); // `push` would keep them in a queue
  }

  /** Resolves when all records that TLS has produced are written, or cannot be. */
  async flushed(): Promise<void> {
    do {
      await this.#writing;
      await new Promise((resolve) => setImmediate(resolve)); // TLS hands over the rest in a microtask of its own
    } while (this.#writing !== undefined);
  }

  override _read(): void {}

  // Not `_write`: TLS has one write under way at a time, and needs no queue in front of it.
  override write(bytes: Uint8Array, ...rest: unknown[]): boolean {
    this.#writing = this.#write(bytes, rest.at(-1) as () => void);
    return true;
  }

  async #write(bytes: Uint8Array, done: () => void): Promise<void> {
    try {
      let written = await this.#raw.write(bytes);
      while (written < bytes.length) written += await this.#raw.write(bytes.subarray(written));
    } catch (error) {
      this.#writing = undefined;
      return this.#onFailure(error as Error);
    }
    this.#writing = undefined;
    freeNow(bytes);
    done();
  }
}

/**
 * Frees the memory of bytes that nothing uses any more, unless it holds others too. TLS allocates a buffer for each
 * record: left to the garbage collector, they take a third of the speed of large batches.
 */
function freeNow({ buffer, length }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}

/**
 * A TLS connection over a stream.
 *
 * Reads are pulled: encrypted bytes are read only while a read for plaintext waits, because node:tls goes on
 * decrypting while nobody consumes its output. A write is done when the stream has taken its records, because
 * node:tls's return value says nothing about that. The end of the stream is orderly only after a close_notify.
 */
export class TlsStream implements Stream {
  readonly socket: TLSSocket;
  readonly #raw: Stream;
  readonly #wire: Wire;
  #buffer = new Uint8Array(MIN_READ_SIZE);
  #shortReads = 0;
  /** Plaintext that has not been read yet. */
  readonly #plain: Uint8Array[] = [];
  /** Whether the handshake is over. */
  #secured = false;
  /** Whether the peer has ended its side with a close_notify. */
  #ended = false;
  #closed = false;
  #endSent = false;
  #failure: Error | undefined;
  /** Rejects when the handshake fails. */
  #failed: PromiseWithResolvers<never> | undefined = Promise.withResolvers();
  #rejectWrite: ((error: Error) => void) | undefined;
  readonly #onClose: (closing: Promise<void>) => void;

  /**
   * @param raw owned by the TLS stream from now on; closed if that cannot be made.
   * @param wrap makes the TLS socket from the Duplex.
   * @param onClose called when the stream is closed, with a promise that resolves once the close_notify is sent or
   *   cannot be.
   */
  constructor(
    raw: Stream,
    wrap: (wire: Duplex) => TLSSocket,
    onClose: (closing: Promise<void>) => void = () => {},
  ) {
    this.#raw = raw;
    this.#onClose = onClose;
    this.#wire = new Wire(raw, (error) => this.#fail(error));
    this.#failed!.promise.catch(() => {}); // it may reject when nobody waits
    try {
      this.socket = wrap(this.#wire);
    } catch (error) {
      closeQuietly(raw);
      throw error;
    }
    // Plaintext is queued here: node's own queue is slower, and its events come later.
    this.socket.push = (chunk: Uint8Array | null) => {
      if (chunk === null) this.#ended = true;
      else this.#plain.push(chunk);
      return true;
    };
    const failed = (error: Error) => this.#fail(this.#secured ? new TlsFailure(error) : error);
    this.socket.on("error", failed);
    this.socket.on("_tlsError", failed); // on a server the only event for errors after the handshake
  }

  /**
   * Reads from the peer until the socket's event says that the handshake is over.
   *
   * @param early bytes already read from the stream.
   * @throws the error that ended it; UnexpectedEof if the peer closed.
   */
  async handshake(event: "secure" | "secureConnect", early?: Uint8Array): Promise<void> {
    this.socket.once(event, () => this.#secured = true);
    await new Promise((resolve) => setImmediate(resolve)); // node:tls starts in the next turn
    if (early !== undefined && early.length > 0) this.#wire.feed(early);
    const failed = this.#failed!.promise;
    try {
      while (!this.#secured) {
        if (this.#failure !== undefined) throw this.#failure;
        // A failure is reported a turn late, when the next read may already be waiting.
        const n = await Promise.race([this.#raw.read(this.#buffer), failed]);
        if (n === null) {
          await new Promise((resolve) => setImmediate(resolve)); // a failure over the last bytes is reported now
          throw this.#failure ?? new Deno.errors.UnexpectedEof("the peer closed the connection");
        }
        this.#decrypt(n);
      }
    } catch (error) {
      this.#fail(error as Error);
      await withTimeout(this.#wire.flushed(), CLOSE_NOTIFY_TIMEOUT_MS); // the alert that tells the peer why
      this.destroy();
      throw this.#failure;
    }
    this.#failed = undefined;
    this.#buffer = new Uint8Array(MIN_READ_SIZE); // the handshake made it larger than an idle connection needs
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#plain.length === 0) {
      if (this.#closed) throw new Deno.errors.BadResource("the stream is closed");
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return null;
      const n = await this.#raw.read(this.#buffer);
      if (n === null) throw new Deno.errors.UnexpectedEof("no close_notify");
      this.#decrypt(n);
    }
    const first = this.#plain[0]!;
    if (first.length <= buffer.length) {
      const { length } = first;
      buffer.set(first);
      this.#plain.shift();
      freeNow(first);
      return length;
    }
    buffer.set(first.subarray(0, buffer.length));
    this.#plain[0] = first.subarray(buffer.length);
    return buffer.length;
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      if (this.#closed) return reject(new Deno.errors.BadResource("the stream is closed"));
      this.#rejectWrite = reject;
      this.socket.write(bytes, (error) => {
        this.#rejectWrite = undefined;
        if (error) reject(this.#failure ?? error);
        else resolve(bytes.length);
      });
    });
  }

  async closeWrite(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    await this.#sendEnd();
    await this.#raw.closeWrite();
  }

  /** Closes both ways, with a close_notify if no write is under way. */
  close(): void {
    if (this.#closed) throw new Deno.errors.BadResource("the stream is closed");
    this.#closed = true;
    if (this.#failure !== undefined || this.#endSent || this.#rejectWrite !== undefined) {
      return this.destroy();
    }
    const told = withTimeout(this.#sendEnd(), CLOSE_NOTIFY_TIMEOUT_MS);
    this.#onClose(told.then(() => this.destroy(), () => this.destroy()));
  }

  /** Closes both ways at once. */
  destroy(): void {
    this.#closed = true;
    closeQuietly(this.#raw);
    this.#fail(new Deno.errors.Interrupted("the stream is closed"));
    this.socket.destroy();
  }

  async #sendEnd(): Promise<void> {
    this.#endSent = true;
    await new Promise<void>((resolve) => this.socket.end(resolve));
    await this.#wire.flushed();
  }

  /** Decrypts the first `length` bytes of the buffer, and adapts its size to them. */
  #decrypt(length: number): void {
    const { length: size } = this.#buffer;
    this.#wire.feed(this.#buffer.subarray(0, length));
    this.#shortReads = length < size / 4 ? this.#shortReads + 1 : 0;
    if (length === size && size < MAX_READ_SIZE) {
      this.#buffer = new Uint8Array(2 * size);
    } else if (this.#shortReads >= SHORT_READS_UNTIL_SMALLER && size > MIN_READ_SIZE) {
      this.#buffer = new Uint8Array(size / 2);
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#failed?.reject(this.#failure);
    this.#rejectWrite?.(this.#failure);
    this.#rejectWrite = undefined;
  }
}
