import { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import type { TLSSocket } from "node:tls";
import { TlsFailure } from "./errors.ts";
import { type Stream, writeAll } from "./stream.ts";
import { freeNow, type OnFailure, type Records } from "./tls_records.ts";

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

  /** Resolves when the records that are being written are, or cannot be. */
  async written(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
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
      await writeAll(this.#raw, bytes);
    } catch (error) {
      this.#writing = undefined;
      return this.#onFailure(error as Error);
    }
    this.#writing = undefined;
    freeNow(bytes);
    done();
  }
}

/** Records by a `TLSSocket` over a Duplex, from the first byte of its handshake. */
export class SocketRecords implements Records {
  readonly socket: TLSSocket;
  readonly plain: Uint8Array[] = [];
  ended = false;
  writing = false;
  /** Whether the handshake is over. */
  secured = false;
  readonly #wire: Wire;
  readonly #onFailure: OnFailure;
  #rejectWrite: ((error: Error) => void) | undefined;

  /**
   * @param wrap makes the TLS socket from the Duplex.
   * @param onFailure called with each error, also when nothing is being read or written.
   */
  constructor(raw: Stream, wrap: (wire: Duplex) => TLSSocket, onFailure: OnFailure) {
    this.#onFailure = onFailure;
    this.#wire = new Wire(raw, (error) => this.#fail(error));
    this.socket = wrap(this.#wire);
    // Plaintext is queued here: node's own queue is slower, and its events come later.
    this.socket.push = (chunk: Uint8Array | null) => {
      if (chunk === null) this.ended = true;
      else this.plain.push(chunk);
      return true;
    };
    const failed = (error: Error) => this.#fail(this.secured ? new TlsFailure(error) : error);
    this.socket.on("error", failed);
    this.socket.on("_tlsError", failed); // on a server the only event for errors after the handshake
  }

  decrypt(bytes: Uint8Array): number {
    this.#wire.feed(bytes);
    return 0;
  }

  async write(bytes: Uint8Array): Promise<number> {
    this.writing = true;
    try {
      return await new Promise((resolve, reject) => {
        this.#rejectWrite = reject;
        // Its return value says nothing about the stream below, the callback does.
        this.socket.write(bytes, (error) => {
          this.#rejectWrite = undefined;
          if (error) reject(error);
          else resolve(bytes.length);
        });
      });
    } catch (error) {
      throw this.#onFailure(error as Error);
    } finally {
      this.writing = false;
    }
  }

  async end(): Promise<void> {
    await new Promise<void>((resolve) => this.socket.end(resolve));
    await this.flushed();
  }

  /** Resolves when the records that are being sent are, or cannot be. */
  written(): Promise<void> {
    return this.#wire.written();
  }

  /** Resolves when all records that TLS has produced are sent, or cannot be. */
  flushed(): Promise<void> {
    return this.#wire.flushed();
  }

  destroy(error: Error): void {
    this.#rejectWrite?.(error);
    this.#rejectWrite = undefined;
    this.socket.destroy();
  }

  #fail(error: Error): void {
    this.#rejectWrite?.(error);
    this.#rejectWrite = undefined;
    this.#onFailure(error);
  }
}
