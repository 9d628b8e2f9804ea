/** Runs `node:tls` over a Stream, and offers the result as a Stream: the one adapter, for both sides. */
import type { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import type { TLSSocket } from "node:tls";
import { leanStream } from "./lean_stream.ts";
import { closeQuietly, type Stream } from "./stream.ts";
import type { ServerHandle } from "./tls_handle.ts";
import { NativeRecords } from "./tls_native.ts";
import { freeNow, type Records } from "./tls_records.ts";
import { SocketRecords } from "./tls_socket.ts";
import { withTimeout } from "../time/timers.ts";

/** Bytes of one encrypted read: the buffer starts small, for idle connections, and grows while reads fill it. */
const MIN_READ_SIZE = 512;
const MAX_READ_SIZE = 64 * 1024;
/** After this many short reads in a row it shrinks. One alone may be the rest of a record that did not fit. */
const SHORT_READS_UNTIL_SMALLER = 16;
/** Milliseconds that a closing stream may take to send its close_notify. */
const CLOSE_NOTIFY_TIMEOUT_MS = 1_000;
const NOTHING: Uint8Array = new Uint8Array();

/**
 * A TLS connection over a stream.
 *
 * Reads are pulled: encrypted bytes are read only while a read for plaintext waits, because node:tls goes on
 * decrypting while nobody consumes its output. A write is done when the stream has taken its records, because
 * node:tls's return value says nothing about that. The end of the stream is orderly only after a close_notify.
 */
export class TlsStream implements Stream {
  readonly #raw: Stream;
  #records: Records;
  /** Where a socket does the handshake, until the first read or write after it: the same records. */
  #socket: SocketRecords | undefined;
  #buffer = new Uint8Array(MIN_READ_SIZE);
  #shortReads = 0;
  #closed = false;
  #endSent = false;
  #failure: Error | undefined;
  /** Rejects when a socket's handshake fails. */
  #failed: PromiseWithResolvers<never> | undefined;
  readonly #onClose: (closing: Promise<void>) => void;

  /**
   * @param raw owned by the TLS stream from now on; closed if that cannot be made.
   * @param tls makes the TLS socket from the Duplex, or is a server's part of one that does without.
   * @param onClose called when the stream is closed, with a promise that resolves once the close_notify is sent or
   *   cannot be.
   */
  constructor(
    raw: Stream,
    tls: ((wire: Duplex) => TLSSocket) | ServerHandle,
    onClose: (closing: Promise<void>) => void = () => {},
  ) {
    this.#raw = raw = leanStream(raw);
    this.#onClose = onClose;
    const onFailure = (error: Error) => this.#fail(error);
    try {
      if (typeof tls === "function") {
        this.#failed = Promise.withResolvers();
        this.#failed.promise.catch(() => {}); // it may reject when nobody waits
        this.#socket = this.#records = new SocketRecords(raw, tls, onFailure);
      } else {
        this.#records = NativeRecords.begin(raw, tls, onFailure);
      }
    } catch (error) {
      closeQuietly(raw);
      throw error;
    }
  }

  /**
   * Does a server's handshake without a socket.
   *
   * @param early bytes already read from the stream.
   * @returns this.
   * @throws the error that ended it; UnexpectedEof if the peer closed.
   */
  async accept(early: Uint8Array): Promise<this> {
    const records = this.#records as NativeRecords;
    try {
      records.decrypt(early, NOTHING);
      for (;;) {
        await records.flushed(); // if it failed, the alert that tells the peer why
        if (this.#failure !== undefined) throw this.#failure;
        if (records.secured) break;
        const n = await this.#raw.read(this.#buffer);
        if (!n) throw new Deno.errors.UnexpectedEof("the peer closed the connection");
        this.#decrypt(n);
      }
    } catch (error) {
      this.#fail(error as Error);
      this.destroy();
      throw this.#failure;
    }
    this.#begin();
    return this;
  }

  /**
   * Reads from the peer until the socket's event says that the handshake is over.
   *
   * @param early bytes already read from the stream.
   * @returns the socket, for what it knows about the peer, until the first read or write.
   * @throws the error that ended it; UnexpectedEof if the peer closed.
   */
  async handshake(event: "secure" | "secureConnect", early?: Uint8Array): Promise<TLSSocket> {
    const records = this.#socket!;
    records.socket.once(event, () => records.secured = true);
    await new Promise((resolve) => setImmediate(resolve)); // node:tls starts in the next turn
    if (early !== undefined && early.length > 0) records.decrypt(early);
    const failed = this.#failed!.promise;
    try {
      while (!records.secured) {
        if (this.#failure !== undefined) throw this.#failure;
        // A failure is reported a turn late, when the next read may already be waiting.
        const n = await Promise.race([this.#raw.read(this.#buffer), failed]);
        if (!n) {
          await new Promise((resolve) => setImmediate(resolve)); // a failure over the last bytes is reported now
          throw this.#failure ?? new Deno.errors.UnexpectedEof("the peer closed the connection");
        }
        this.#decrypt(n);
      }
    } catch (error) {
      this.#fail(error as Error);
      await withTimeout(records.flushed(), CLOSE_NOTIFY_TIMEOUT_MS); // the alert that tells the peer why
      this.destroy();
      throw this.#failure;
    }
    this.#begin();
    return records.socket;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    this.#takeOver();
    const { plain } = this.#records;
    while (plain.length === 0) {
      if (this.#closed) throw new Deno.errors.BadResource("the stream is closed");
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#records.ended) return null;
      const n = await this.#raw.read(this.#buffer);
      if (!n) throw new Deno.errors.UnexpectedEof("no close_notify");
      const filled = this.#decrypt(n, buffer);
      if (filled > 0) return filled;
    }
    const first = plain[0]!;
    if (first.length <= buffer.length) {
      const { length } = first;
      buffer.set(first);
      plain.shift();
      freeNow(first);
      return length;
    }
    buffer.set(first.subarray(0, buffer.length));
    plain[0] = first.subarray(buffer.length);
    return buffer.length;
  }

  // Not async: each promise more takes time from short lines.
  write(bytes: Uint8Array): Promise<number> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#closed) return Promise.reject(new Deno.errors.BadResource("the stream is closed"));
    this.#takeOver();
    return this.#records.write(bytes);
  }

  async closeWrite(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#endSent = true;
    await this.#records.end();
    await this.#raw.closeWrite();
  }

  /** Closes both ways, with a close_notify if no write is under way. */
  close(): void {
    if (this.#closed) throw new Deno.errors.BadResource("the stream is closed");
    this.#closed = true;
    if (this.#failure !== undefined || this.#endSent || this.#records.writing) return this.destroy();
    this.#endSent = true;
    const told = withTimeout(this.#records.end(), CLOSE_NOTIFY_TIMEOUT_MS);
    this.#onClose(told.then(() => this.destroy(), () => this.destroy()));
  }

  /** Closes both ways at once. */
  destroy(): void {
    this.#closed = true;
    closeQuietly(this.#raw);
    this.#fail(new Deno.errors.Interrupted("the stream is closed"));
    this.#records.destroy(this.#failure!);
  }

  /** Ends the handshake. */
  #begin(): void {
    this.#failed = undefined;
    // The handshake may have made it larger than an idle connection needs.
    if (this.#buffer.length > MIN_READ_SIZE) this.#buffer = new Uint8Array(MIN_READ_SIZE);
    this.#shortReads = 0;
  }

  /** Lets the native part of the socket do the rest, if it can. */
  #takeOver(): void {
    if (this.#socket === undefined) return;
    this.#records = NativeRecords.takeOver(this.#raw, this.#socket, (error) => this.#fail(error)) ??
      this.#socket;
    this.#socket = undefined;
  }

  /** Decrypts the first `length` bytes of the buffer, and adapts its size to them. */
  #decrypt(length: number, target = NOTHING): number {
    const { length: size } = this.#buffer;
    const filled = this.#records.decrypt(this.#buffer.subarray(0, length), target);
    this.#shortReads = length < size / 4 ? this.#shortReads + 1 : 0;
    if (length === size && size < MAX_READ_SIZE) {
      this.#buffer = new Uint8Array(2 * size);
    } else if (this.#shortReads >= SHORT_READS_UNTIL_SMALLER && size > MIN_READ_SIZE) {
      this.#buffer = new Uint8Array(size / 2);
    }
    return filled;
  }

  #fail(error: Error): Error {
    this.#failure ??= error;
    this.#failed?.reject(this.#failure);
    return this.#failure;
  }
}
