import { TlsFailure } from "./errors.ts";
import { type Stream, writeAll } from "./stream.ts";
import { type Handle, type Native, nativeOf, type ServerHandle } from "./tls_handle.ts";
import { freeNow, type OnFailure, type Records } from "./tls_records.ts";
import type { SocketRecords } from "./tls_socket.ts";

/** Bytes that are encrypted at once: the content of three records. */
const MAX_PART = 48 * 1024;
const NOTHING: Uint8Array = new Uint8Array();
/** What a write is called by; nothing is to be called when it is done. */
const REQUEST = {};
/** Where the plaintext of all connections arrives; it is taken from there before anything else happens. */
const arrived = new Uint8Array(64 * 1024);

/** A handle that knows its records: all handles share their callbacks, which would take memory for each of them. */
interface OwnHandle extends Handle {
  records?: NativeRecords;
}

/**
 * Records by the native part of a TLSSocket, without the rest of the socket: that takes a third of the CPU time of
 * pipelined lines, and, from the handshake on, 10 KiB of each connection.
 */
export class NativeRecords implements Records {
  readonly plain: Uint8Array[];
  ended: boolean;
  writing = false;
  /** Whether the handshake is over. */
  secured: boolean;
  readonly #raw: Stream;
  readonly #handle: OwnHandle;
  readonly #native: Native;
  readonly #onFailure: OnFailure;
  #failed = false;
  /** Records that no write has made, while they are being sent: others have to wait. */
  #sending: Promise<void> | undefined;
  /** Whether records may have been made while others were being sent: whoever sends those sends them next. */
  #unsent = false;
  /** Where plaintext is put, and how much of it is there. */
  #target = NOTHING;
  #filled = 0;
  /** Bytes of plaintext that have been taken, as {@linkcode Native.getBytesRead} counts them. */
  #taken: number;

  private constructor(
    raw: Stream,
    handle: OwnHandle,
    native: Native,
    onFailure: OnFailure,
    from?: SocketRecords,
  ) {
    this.#raw = raw;
    this.#handle = handle;
    this.#native = native;
    this.#onFailure = onFailure;
    this.plain = from?.plain ?? [];
    this.ended = from?.ended ?? false;
    this.secured = from !== undefined;
    handle.records = this;
    handle.onread = onRead;
    handle.onerror = onError;
    this.#taken = native.getBytesRead.call(handle);
    native.useUserBuffer.call(handle, arrived);
    native.readStart.call(handle);
  }

  /**
   * Begins a handshake as a server.
   *
   * @param raw the stream below.
   * @param onFailure called with an error of TLS.
   */
  static begin(raw: Stream, handle: ServerHandle, onFailure: OnFailure): NativeRecords {
    const own: OwnHandle = handle;
    own.onhandshakedone = onHandshakeDone;
    const records = new NativeRecords(raw, own, Object.getPrototypeOf(handle), onFailure);
    handle.setHandle(handle);
    if (handle.start() === 0) return records;
    records.destroy();
    throw new Error("node:tls does not begin a handshake");
  }

  /**
   * Takes over from a socket whose handshake is over, and which must not be used afterwards.
   *
   * @returns undefined, and the socket stays what it was, if this Deno makes it in another way.
   */
  static takeOver(raw: Stream, from: SocketRecords, onFailure: OnFailure): NativeRecords | undefined {
    const found = nativeOf(from.socket);
    if (found === undefined) return undefined;
    const { handle, native } = found;
    // Deno lists all sockets that have a handle, and the handle's properties lead to the rest: both keep them in memory.
    for (const socket of [from.socket, handle["_parentWrap"]]) {
      (socket as { _handle: unknown })._handle = null;
    }
    for (const property of Reflect.ownKeys(handle)) handle[property] = undefined;
    const records = new NativeRecords(raw, handle, native, onFailure, from);
    records.#sending = records.#finish(from.written()); // the last ones of its handshake
    return records;
  }

  decrypt(bytes: Uint8Array, target: Uint8Array): number {
    const { secured } = this; // accept() sends the records of a handshake
    this.#target = target;
    this.#filled = 0;
    this.#native.readBuffer.call(this.#handle, bytes);
    this.#target = NOTHING;
    // TLS makes its alert as it fails, and nothing encrypted later may go out before it or counts after it: the replies to
    // sound records of the same read are lost. To answer those first, each record would have to be a read of its own.
    if (this.#failed && this.secured) void this.flushed().catch(() => {}); // tells the peer, if it can be told at once
    // TLS may have answered by itself, as when it declines a renegotiation. A look takes 0.3 µs, which plaintext does not
    // pay: a write follows it mostly, and takes such records along.
    else if (secured && this.#filled === 0 && this.plain.length === 0) this.#answer();
    return this.#filled;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const part = bytes.length > MAX_PART ? bytes.subarray(0, MAX_PART) : bytes;
    this.writing = true;
    try {
      if (this.#sending !== undefined) await this.#sending;
      if (this.#native.writeBuffer.call(this.#handle, REQUEST, part) !== 0) {
        throw new Deno.errors.BadResource("the stream is closed");
      }
      // Records are longer than what they hold: while they are not, there are more to come.
      for (let encrypted = 0; encrypted < part.length;) {
        if (encrypted > 0) this.#native.readBuffer.call(this.#handle, NOTHING);
        const records = this.#native.drainEncOut.call(this.#handle);
        if (records.length === 0) throw new Error("TLS encrypts only a part");
        encrypted += records.length;
        let written = await this.#raw.write(records);
        while (written < records.length) written += await this.#raw.write(records.subarray(written));
        freeNow(records);
      }
      while (this.#unsent) await this.#sendNext();
      return part.length;
    } catch (error) {
      throw this.#onFailure(error as Error);
    } finally {
      this.writing = false;
    }
  }

  async end(): Promise<void> {
    this.writing = true;
    try {
      if (this.#sending !== undefined) await this.#sending;
      this.#native.shutdown.call(this.#handle, REQUEST);
      await this.flushed();
      while (this.#unsent) await this.#sendNext();
    } finally {
      this.writing = false;
    }
  }

  /** Sends the records that wait for it, those of a handshake or an alert. */
  async flushed(): Promise<void> {
    const records = this.#native.drainEncOut.call(this.#handle);
    if (records.length > 0) await writeAll(this.#raw, records);
  }

  /** Sends the records that TLS has made by itself, at once or after those that are being sent. */
  #answer(): void {
    if (this.writing || this.#sending !== undefined) {
      this.#unsent = true;
      return;
    }
    const records = this.#native.drainEncOut.call(this.#handle);
    if (records.length > 0) this.#sending = this.#finish(writeAll(this.#raw, records));
  }

  /** Waits until records are sent, and sends those made meanwhile. Where the stream fails, a read or write will say so. */
  async #finish(sent: Promise<void>): Promise<void> {
    try {
      await sent;
      while (this.#unsent) await this.#sendNext();
    } catch {
      // Only what TLS says by itself is lost.
    } finally {
      this.#sending = undefined;
    }
  }

  async #sendNext(): Promise<void> {
    this.#unsent = false;
    await this.flushed();
  }

  destroy(): void {
    this.#native.destroySsl.call(this.#handle);
  }

  /** Takes plaintext that has arrived, or the peer's end. */
  take(): void {
    const length = Math.min(this.#native.getBytesRead.call(this.#handle) - this.#taken, arrived.length);
    if (length === 0) {
      this.ended = true;
      return;
    }
    this.#taken += length;
    const room = Math.min(length, this.#target.length - this.#filled);
    if (room > 0) this.#target.set(arrived.subarray(0, room), this.#filled);
    this.#filled += room;
    if (room < length) this.plain.push(arrived.slice(room, length));
  }

  fail(error: Error): void {
    this.#failed = true;
    this.#onFailure(this.secured ? new TlsFailure(error) : error);
  }
}

function onRead(this: OwnHandle): void {
  this.records!.take();
}

function onError(this: OwnHandle, error: Error): void {
  this.records!.fail(error);
}

function onHandshakeDone(this: OwnHandle): void {
  this.records!.secured = true;
}
