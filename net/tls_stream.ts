/** TLS of `node:tls` over one of our streams, as one of our streams: the one adapter, for both sides. */
import { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import type { TLSSocket } from "node:tls";
import { TlsFailure } from "./errors.ts";
import { closeQuietly, type Stream } from "./stream.ts";
import { withTimeout } from "../time/timers.ts";

/** Encrypted bytes of one read: the buffer begins small, for idle connections, and grows while reads fill it. */
const MIN_READ_SIZE = 512;
const MAX_READ_SIZE = 64 * 1024;
/** Milliseconds that the last record of a stream that is being closed may take to get out. */
const FAREWELL_MS = 1_000;

/** What `node:tls` takes for its connection. It is fed encrypted bytes, and writes its own to the stream. */
class Wire extends Duplex {
  readonly #raw: Stream;
  readonly #onFailure: (error: Error) => void;
  #writing: Promise<void> | undefined;

  constructor(raw: Stream, onFailure: (error: Error) => void) {
    super({ allowHalfOpen: true });
    this.#raw = raw;
    this.#onFailure = onFailure;
  }

  /** Hands encrypted bytes over. They are decrypted before this returns, and may be overwritten then. */
  feed(bytes: Uint8Array): void {
    this.emit("data", bytes); // `push` would keep them in a queue
  }

  /** Resolves when all records that TLS has made have been written, or cannot be. */
  async flushed(): Promise<void> {
    do {
      await this.#writing;
      await new Promise((resolve) => setImmediate(resolve)); // TLS hands on what is left in a microtask of its own
    } while (this.#writing !== undefined);
  }

  override _read(): void {}

  // Not `_write`: of the queue that calls it, TLS uses nothing, as it has one write under way at a time.
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
    done();
  }
}

/**
 * A TLS connection over a stream.
 *
 * Reading is pulled: the peer's bytes are read only while somebody waits for plaintext, because node:tls goes on
 * decrypting while nobody takes what it has. A write is done when the stream has taken its records, because
 * node:tls's own return value says nothing about that. The end of the stream is in order only after a close_notify.
 */
export class TlsStream implements Stream {
  readonly socket: TLSSocket;
  readonly #raw: Stream;
  readonly #wire: Wire;
  #buffer = new Uint8Array(MIN_READ_SIZE);
  /** Plaintext that has not been read yet. */
  readonly #plain: Uint8Array[] = [];
  /** Whether the handshake is over. */
  #secured = false;
  /** Whether the peer has ended its side with a close_notify. */
  #ended = false;
  #closed = false;
  #endSent = false;
  #failure: Error | undefined;
  /** Rejects in a handshake that has failed. */
  #failed: PromiseWithResolvers<never> | undefined = Promise.withResolvers();
  #rejectWrite: ((error: Error) => void) | undefined;
  readonly #onClose: (farewell: Promise<void>) => void;

  /**
   * @param raw is the TLS stream's from now on, and is closed if it cannot be made.
   * @param wrap makes the TLS socket of the Duplex.
   * @param onClose is given, when the stream is closed, what resolves once the peer has been told or cannot be.
   */
  constructor(
    raw: Stream,
    wrap: (wire: Duplex) => TLSSocket,
    onClose: (farewell: Promise<void>) => void = () => {},
  ) {
    this.#raw = raw;
    this.#onClose = onClose;
    this.#wire = new Wire(raw, (error) => this.#fail(error));
    this.#failed!.promise.catch(() => {}); // it may come when nobody waits for it
    try {
      this.socket = wrap(this.#wire);
    } catch (error) {
      closeQuietly(raw);
      throw error;
    }
    // Plaintext is kept here instead of in node's queue, whose events come later and cost more.
    this.socket.push = (chunk: Uint8Array | null) => {
      if (chunk === null) this.#ended = true;
      else this.#plain.push(chunk);
      return true;
    };
    const failed = (error: Error) => this.#fail(this.#secured ? new TlsFailure(error) : error);
    this.socket.on("error", failed);
    this.socket.on("_tlsError", failed); // alone tells a server what happens after the handshake
  }

  /**
   * Reads from the peer until an event of the socket says that the handshake is over.
   *
   * @param early bytes that have been read already.
   * @throws what ended it; UnexpectedEof if the peer did.
   */
  async handshake(event: "secure" | "secureConnect", early?: Uint8Array): Promise<void> {
    this.socket.once(event, () => this.#secured = true);
    await new Promise((resolve) => setImmediate(resolve)); // node:tls starts in the next turn
    if (early !== undefined && early.length > 0) this.#wire.feed(early);
    const failed = this.#failed!.promise;
    try {
      while (!this.#secured) {
        if (this.#failure !== undefined) throw this.#failure;
        // What fails is told after the turn in which it does, when the next read may be waiting.
        const n = await Promise.race([this.#raw.read(this.#buffer), failed]);
        if (n === null) {
          await new Promise((resolve) => setImmediate(resolve)); // what came before may be no TLS
          throw this.#failure ?? new Deno.errors.UnexpectedEof("the peer closed the connection");
        }
        this.#decrypt(n);
      }
    } catch (error) {
      this.#fail(error as Error);
      await withTimeout(this.#wire.flushed(), FAREWELL_MS); // the alert that tells the peer why
      this.destroy();
      throw this.#failure;
    }
    this.#failed = undefined;
    this.#buffer = new Uint8Array(MIN_READ_SIZE); // a handshake's messages are longer than an idle connection's
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
      buffer.set(first);
      this.#plain.shift();
      return first.length;
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

  /** Closes both ways; the peer is told so if no write is under way. */
  close(): void {
    if (this.#closed) throw new Deno.errors.BadResource("the stream is closed");
    this.#closed = true;
    if (this.#failure !== undefined || this.#endSent || this.#rejectWrite !== undefined) {
      return this.destroy();
    }
    const told = withTimeout(this.#sendEnd(), FAREWELL_MS);
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

  /** Has the bytes decrypted that the buffer begins with, and fits the buffer to them. */
  #decrypt(length: number): void {
    const { length: size } = this.#buffer;
    this.#wire.feed(this.#buffer.subarray(0, length));
    if (length === size && size < MAX_READ_SIZE) this.#buffer = new Uint8Array(2 * size);
    else if (length < size / 4 && size > MIN_READ_SIZE) this.#buffer = new Uint8Array(size / 2);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#failed?.reject(this.#failure);
    this.#rejectWrite?.(this.#failure);
    this.#rejectWrite = undefined;
  }
}
