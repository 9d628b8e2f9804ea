/**
 * The native part of node:tls's sockets. Deno promises none of it: what is not there as it is used here is not used,
 * and the sockets do it all.
 */
import { Duplex } from "node:stream";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";

/** The methods of a handle. A socket hides some of them behind properties of the handle. */
export interface Native {
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
  /** Frees everything but the handle itself. */
  destroySsl(): void;
}

/** What a handle without a socket needs as well, before its handshake. */
interface Beginning {
  /** Sets the certificate and the key, which are parsed for each handle anew. Not 0 if it fails. */
  initServerTls(context: ServerContext): number;
  /** Leaves reading and writing to the caller. Not 0 if it fails. */
  attachJsStream(): number;
  /** Calls `onread` and the others on this object from now on, and keeps it in memory until `destroySsl`. */
  setHandle(handle: Handle): void;
  setAlpnProtocols(protocols: string[]): void;
  /** Begins the handshake. Not 0 if it fails. */
  start(): number;
}

/** A handle: what its methods call, and the properties that a socket has given it. */
export interface Handle {
  onread?: () => void;
  onerror?: (error: Error) => void;
  onhandshakedone?: () => void;
  [property: PropertyKey]: unknown;
}

/** A handle without a socket. */
export type ServerHandle = Handle & Native & Beginning;

type HandleClass = new (kind: number, provider: number) => ServerHandle;

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
const FIRST_METHODS: (keyof Beginning)[] = [
  "initServerTls",
  "attachJsStream",
  "setHandle",
  "setAlpnProtocols",
  "start",
];
const SERVER = 1;
const NO_PROVIDER = 0;

/** What the handles of a server are made from: PEM, and whether clients are asked for certificates. */
interface ServerContext {
  readonly cert: string;
  readonly key: string;
  readonly requestCert: false;
  readonly rejectUnauthorized: false;
}

/** The handle of a socket, and its methods; undefined if this Deno makes it in another way. */
export function nativeOf(socket: TLSSocket): { handle: Handle; native: Native } | undefined {
  const { _handle: handle } = socket as TLSSocket & { _handle?: Handle };
  if (!handle) return undefined;
  const native = Object.getPrototypeOf(handle);
  return hasAll(native, METHODS) ? { handle, native } : undefined;
}

/** Makes the handles of a server that asks its clients for no certificates, without sockets. */
export class HandleMaker {
  readonly #class: HandleClass;
  readonly #context: ServerContext;
  readonly #alpn: string[];

  private constructor(handleClass: HandleClass, context: ServerContext, alpn: string[]) {
    this.#class = handleClass;
    this.#context = context;
    this.#alpn = alpn;
  }

  /** Returns undefined if this Deno makes handles in another way. */
  static of(secureContext: SecureContext, alpn: string[]): HandleMaker | undefined {
    const { context } = secureContext as { context?: Partial<ServerContext> };
    if (typeof context?.cert !== "string" || typeof context.key !== "string") return undefined;
    const { cert, key } = context;
    try {
      const handleClass = findClass();
      if (!hasAll(handleClass.prototype, [...METHODS, ...FIRST_METHODS])) return undefined;
      const asked = { ...context, cert, key, requestCert: false, rejectUnauthorized: false } as const;
      const maker = new HandleMaker(handleClass, asked, alpn);
      maker.make().destroySsl();
      return maker;
    } catch {
      return undefined;
    }
  }

  /** Makes a handle that has not begun its handshake. */
  make(): ServerHandle {
    const handle = new this.#class(SERVER, NO_PROVIDER);
    if (handle.initServerTls(this.#context) !== 0 || handle.attachJsStream() !== 0) {
      throw new Error("node:tls does not take the certificate");
    }
    handle.setAlpnProtocols(this.#alpn);
    return handle;
  }
}

/** The class of handles, to which only a handle leads. */
function findClass(): HandleClass {
  const nowhere = new Duplex({ read() {}, write() {} });
  const socket = new TLSSocket(nowhere, { isServer: true, secureContext: createSecureContext() });
  const { _handle: handle } = socket as unknown as { _handle: { constructor: HandleClass } };
  socket.destroy();
  return handle.constructor;
}

function hasAll(prototype: object, methods: string[]): boolean {
  return methods.every((method) => typeof (prototype as Record<string, unknown>)[method] === "function");
}
