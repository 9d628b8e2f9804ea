/** The interface of a transport. `transports.ts` lists them. A connection takes one descriptor, whatever the transport. */
import type { Identity } from "./certificates.ts";
import type { Address, Endpoint } from "./endpoint.ts";
import type { Stream } from "./stream.ts";

/** An accepted stream; nothing has been read from it. */
export interface Accepted {
  stream: Stream;
  /** Undefined on a Unix socket, whose clients have no address. */
  peer: Address | undefined;
}

/** A socket that accepts streams, one `accept` at a time. Its errors are those of `Deno.Listener`. */
export interface StreamListener {
  accept(): Promise<Accepted>;
  close(): void;
}

/** A bound socket, and its endpoint with the real port. */
export interface BoundListener {
  endpoint: Endpoint;
  listener: StreamListener;
  /** What the user should know about it, such as a missing address family. */
  warning?: string;
  /** What secures an accepted stream before it is used; undefined for plain transports. */
  security?: ServerTls;
}

/** The certificate of a TLS server, and the clients that it accepts. */
export interface ServerTlsOptions {
  identity: Identity;
  /** The CAs (PEM) of clients' certificates; undefined where clients need none. */
  clientCa?: string;
}

/** The server's side of TLS. */
export interface ServerTls {
  /**
   * Runs the handshake on an accepted stream. Closing the accepted stream ends it, and frees everything.
   *
   * @param early bytes already read from the stream.
   * @throws what the handshake throws; {@linkcode ClientRefused} after a handshake.
   */
  secure(stream: Stream, early: Uint8Array): Promise<Stream>;
  /** Uses these options from the next handshake on. */
  renew(options: ServerTlsOptions): void;
  /** Waits until closed streams have sent their close_notify, at most a second. */
  close(): Promise<void>;
}

/** A client whose handshake succeeded, but whose certificate is refused. */
export class ClientRefused extends Error {
  /**
   * @param reason one of a few fixed texts.
   * @param subject the certificate's subject.
   * @param stream still open, so that the client can be told.
   */
  constructor(readonly reason: string, readonly subject: string | undefined, readonly stream: Stream) {
    super(reason);
    this.name = "ClientRefused";
  }
}

/** A stream to a server, and how long it took to connect. */
export interface Connected {
  stream: Stream;
  /** Milliseconds until the connection was established, the look-up of the name included. */
  connectMs: number;
  /** Milliseconds of the TLS handshake after that; undefined without TLS. */
  handshakeMs?: number;
}

/** A socket for datagrams with one peer; datagrams from others are dropped. */
export interface DatagramPeer {
  /** The peer's address, for people. */
  address: string;
  /** The most bytes that one datagram carries to this peer. */
  maxSize: number;
  /** Sends a datagram, of no byte up to `maxSize`. */
  send(bytes: Uint8Array): Promise<void>;
  /** Waits for the peer's next datagram; the bytes are the caller's. Throws Interrupted or BadResource once closed. */
  receive(): Promise<Uint8Array>;
  close(): void;
}

/** A bound socket for datagrams with any peer. */
export interface DatagramSocket {
  endpoint: Endpoint;
  warning?: string;
  /** Waits for the next datagram; its bytes are a view of the buffer. */
  receive(buffer: Uint8Array): Promise<[Uint8Array, Address]>;
  send(bytes: Uint8Array, to: Address): Promise<void>;
  close(): void;
}

/** Options of what can be cancelled. */
export interface Cancellable {
  /** Cancels when aborted: the call throws the signal's reason. */
  signal?: AbortSignal | undefined;
}

interface CommonTransport {
  /** Whether its endpoints are `name://host:port` or `name:/path`. */
  addressing: "host" | "path";
}

/** A transport of streams. Each has options of its own for listening and connecting. */
export interface StreamTransport<ListenOptions = unknown, ConnectOptions = unknown> extends CommonTransport {
  kind: "stream";
  /** Listens; "all interfaces" may take two sockets. @throws the errors of `Deno.listen`. */
  listen(endpoint: Endpoint, options: ListenOptions & Cancellable): Promise<BoundListener[]>;
  /** Connects. @throws the errors of `Deno.connect`. */
  connect(endpoint: Endpoint, options: ConnectOptions & Cancellable): Promise<Connected>;
}

/** A transport of datagrams. */
export interface DatagramTransport<ListenOptions = unknown, ConnectOptions = unknown>
  extends CommonTransport {
  kind: "datagram";
  listen(endpoint: Endpoint, options: ListenOptions & Cancellable): Promise<DatagramSocket[]>;
  connect(endpoint: Endpoint, options: ConnectOptions & Cancellable): Promise<DatagramPeer>;
}
