import type { TLSSocket } from "node:tls";
import { TlsFailure } from "./errors.ts";
import { type Stream, writeAll } from "./stream.ts";
import { freeNow, type Records } from "./tls_records.ts";
import type { SocketRecords } from "./tls_socket.ts";

/** Bytes that are encrypted at once: the content of three records. */
const MAX_PART = 48 * 1024;

/**
 * The native part of a TLSSocket over a Duplex, its `_handle`. Deno promises none of it, so that each method is looked
 * for before it is used.
 */
interface Native {
  /** Takes encrypted bytes, calls `onread` for their plaintext and `onerror` if they are no TLS. */
  readBuffer(bytes: Uint8Array): void;
  /** Puts plaintext into a buffer from now on, before each call of `onread`, instead of allocating one for it. */
  useUserBuffer(buffer: Uint8Array): void;
  /** Bytes of plaintext since the connection began, with those for which `onread` has not been called yet. */
  getBytesRead(): number;
  /** Uses the `onread` that the handle has now. */
  readStart(): void;
  /**
   * Encrypts bytes, as many as its buffers hold; an empty {@linkcode readBuffer} encrypts the next. Not 0 if it fails.
   */
  writeBuffer(request: object, bytes: Uint8Array): number;
  /** The records that wait to be sent. */
  drainEncOut(): Uint8Array;
  /** Makes a close_notify. */
  shutdown(request: object): number;
  destroySsl(): void;
}

/** What the native part calls, and the properties that the socket has given it. */
interface Handle {
  onread?: () => void;
  onerror?: (error: Error) => void;
  [property: PropertyKey]: unknown;
}

const METHODS: (keyof Native)[] = [
  "readBuffer",
  "useUserBuffer",
  "getBytesRead",
  "readStart",
  "writeBuffer",
  "drainEncOut",
  "shutdown",
  "destroySsl",
];

const NOTHING: Uint8Array = new Uint8Array();
const REQUEST = { oncomplete() {} };
/** Where the plaintext of all connections arrives; it is taken from there before anything else happens. */
const arrived = new Uint8Array(64 * 1024);

/**
 * Records by the native part of a TLSSocket whose handshake is over. The rest of the socket takes a third of the CPU
 * time of pipelined lines, and 7 KiB of each connection.
 */
export class NativeRecords implements Records {
  readonly plain: Uint8Array[];
  ended: boolean;
  readonly #raw: Stream;
  readonly #handle: Handle;
  readonly #native: Native;
  readonly #onFailure: (error: Error) => void;
  #failed = false;
  /** The last records of the handshake, while they are being sent: others have to wait. */
  #handshake: Promise<void> | undefined;
  /** Where plaintext is put, and how much of it is there. */
  #target = NOTHING;
  #filled = 0;
  /** Bytes of plaintext that have been taken, as {@linkcode Native.getBytesRead} counts them. */
  #taken: number;

  private constructor(
    raw: Stream,
    from: SocketRecords,
    handle: Handle,
    native: Native,
    onFailure: (error: Error) => void,
  ) {
    this.#raw = raw;
    this.#handle = handle;
    this.#native = native;
    this.#onFailure = onFailure;
    this.plain = from.plain;
    this.ended = from.ended;
    this.#handshake = from.written().then(() => this.#handshake = undefined);
    // Deno lists all sockets that have a handle, and the handle's properties lead to the rest: both keep them in memory.
    for (const socket of [from.socket, handle["_parentWrap"]]) {
      (socket as { _handle: unknown })._handle = null;
    }
    for (const property of Reflect.ownKeys(handle)) handle[property] = undefined;
    handle.onread = () => this.#take();
    handle.onerror = (error) => {
      this.#failed = true;
      this.#onFailure(new TlsFailure(error));
    };
    this.#taken = native.getBytesRead.call(handle);
    native.useUserBuffer.call(handle, arrived);
    native.readStart.call(handle);
  }

  /**
   * Takes over from a socket, which must not be used afterwards.
   *
   * @param raw the stream below.
   * @param onFailure called with an error of TLS.
   * @returns undefined, and the socket stays what it was, if this Deno makes it in another way.
   */
  static takeOver(
    raw: Stream,
    from: SocketRecords,
    onFailure: (error: Error) => void,
  ): NativeRecords | undefined {
    const { _handle: handle } = from.socket as TLSSocket & { _handle?: Handle };
    if (!handle) return undefined;
    // The socket hides some methods behind properties of the handle.
    const native: Native = Object.getPrototypeOf(handle);
    if (METHODS.some((method) => typeof native[method] !== "function")) return undefined;
    return new NativeRecords(raw, from, handle, native, onFailure);
  }

  decrypt(bytes: Uint8Array, target: Uint8Array): number {
    this.#target = target;
    this.#filled = 0;
    this.#native.readBuffer.call(this.#handle, bytes);
    this.#target = NOTHING;
    if (this.#failed) this.#sendAlert();
    return this.#filled;
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#handshake !== undefined) await this.#handshake;
    const part = bytes.length > MAX_PART ? bytes.subarray(0, MAX_PART) : bytes;
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
    return part.length;
  }

  async end(): Promise<void> {
    if (this.#handshake !== undefined) await this.#handshake;
    this.#native.shutdown.call(this.#handle, REQUEST);
    await writeAll(this.#raw, this.#native.drainEncOut.call(this.#handle));
  }

  destroy(): void {
    this.#native.destroySsl.call(this.#handle);
  }

  /** Takes plaintext that has arrived, or the peer's end. */
  #take(): void {
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

  /** Tells the peer what is wrong, if it can be told at once. */
  #sendAlert(): void {
    const alert = this.#native.drainEncOut.call(this.#handle);
    if (alert.length > 0) void this.#raw.write(alert).catch(() => {});
  }
}
