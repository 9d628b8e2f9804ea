/** What each transport offers, and what it is asked for. The transports themselves are listed in `transports.ts`. */
import type { Identity } from "./certificates.ts";
import type { Address, Endpoint } from "./endpoint.ts";
import type { Stream } from "./stream.ts";

/** A stream that was accepted; nothing has been read from it. */
export interface Accepted {
  stream: Stream;
  /** Undefined on a Unix socket, whose clients have no address. */
  peer: Address | undefined;
}

/** A socket that accepts streams. One `accept` at a time; it throws as that of `Deno.Listener` does. */
export interface StreamListener {
  accept(): Promise<Accepted>;
  close(): void;
}

/** A bound socket, and the endpoint that it really has. */
export interface BoundListener {
  endpoint: Endpoint;
  listener: StreamListener;
  /** Something about it that the user should know, such as an address family that is missing. */
  warning?: string;
  /** What an accepted stream has to go through before it is used, where the transport asks for that. */
  security?: ServerTls;
}

/** What a TLS server shows its clients, and whom it lets in. */
export interface ServerTlsOptions {
  identity: Identity;
  /** The certificates (PEM) one of which has to have signed a client's; undefined where clients need none. */
  clientCa?: string;
}

/** The server's side of TLS. */
export interface ServerTls {
  /**
   * Makes a secure stream of an accepted one. Closing the accepted stream gives up, and frees all that was taken.
   *
   * @param early bytes that have been read from it already.
   * @throws what the handshake throws; {@linkcode ClientRefused} after a handshake.
   */
  secure(stream: Stream, early: Uint8Array): Promise<Stream>;
  /** Uses other options for handshakes from now on. */
  renew(options: ServerTlsOptions): void;
  /** Waits until closed streams have told their peers, for a second at most. */
  close(): Promise<void>;
}

/** A client that was let in by TLS, but whose certificate is refused. */
export class ClientRefused extends Error {
  /**
   * @param reason one of a few fixed texts.
   * @param subject whom the certificate names.
   * @param stream still open, to tell the client.
   */
  constructor(readonly reason: string, readonly subject: string | undefined, readonly stream: Stream) {
    super(reason);
    this.name = "ClientRefused";
  }
}

/** A stream to a server, and what it took to get it. */
export interface Connected {
  stream: Stream;
  /** Milliseconds until the connection stood, the look-up of its name included. */
  connectMs: number;
  /** Milliseconds that the TLS handshake took after that; undefined without TLS. */
  handshakeMs?: number;
}

/** A socket for datagrams with one peer: what others send is not received. */
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

/** A bound socket for datagrams with anybody. */
export interface DatagramSocket {
  endpoint: Endpoint;
  warning?: string;
  /** Waits for the next datagram, whose bytes are put into the buffer. */
  receive(buffer: Uint8Array): Promise<[Uint8Array, Address]>;
  send(bytes: Uint8Array, to: Address): Promise<void>;
  close(): void;
}

/** What can be given up. */
export interface Cancellable {
  /** Gives up when aborted, with the signal's reason. */
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
