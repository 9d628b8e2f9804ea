import { type HostEndpoint, isIpv4, isIpv6 } from "./endpoint.ts";
import { isResetBeforeAccept } from "./accept.ts";
import { Failure, reasonOfFile } from "../failure.ts";
import { closeQuietly, type Stream, writeAll } from "./stream.ts";
import { connectTcp, listenTcp } from "./tcp.ts";
import type { Duplex } from "node:stream";
import type { ConnectionOptions } from "node:tls";
import type { Connected, ConnectOptions, Security, StreamTransport } from "./transport.ts";

/** The application protocol that both sides name (RFC 7301). A client that names none is served as well. */
const ALPN = ["tsecho"];

/** Where systems keep the certificates that they trust, in one file: Debian, Red Hat, SUSE, Alpine and BSD. */
const SYSTEM_ROOTS = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** Descriptors that a connection takes in the server: the client's, and both ends of the one to the inner listener. */
export const DESCRIPTORS_PER_CONN = 3;

/** Bytes in transit between a client and TLS: the buffer begins small and grows while reads fill it. */
const SMALL_RELAY = 2 * 1024;
const LARGE_RELAY = 64 * 1024;
/** The last bytes of a closed stream may take as long as they like to go out, but not stand still for so long. */
const FLUSH_QUIET_MS = 10_000;
const NOTHING = new Uint8Array();

export const tls: StreamTransport = {
  kind: "stream",
  addressing: "host",

  listen(endpoint: HostEndpoint, options) {
    const { identity } = options;
    if (identity === undefined) throw new TypeError("a TLS listener needs an identity");
    const security = new TlsSide(identity);
    try {
      return Promise.resolve(listenTcp(endpoint, options).map((bound) => ({ ...bound, security })));
    } catch (error) {
      void security.close();
      throw error;
    }
  },

  async connect(endpoint: HostEndpoint, options) {
    const start = performance.now();
    const { insecure = false, ca = "", serverName = endpoint.hostname } = options.tls ?? {};
    const trusted = insecure ? [] : [await systemRoots(), ca].filter((pem) => pem !== "");
    if (insecure) return await connectInsecure(endpoint, serverName, options);
    const conn = await connectTcp(endpoint, options);
    const connectMs = performance.now() - start;
    const stream = await handshake(conn, serverName, trusted);
    return { stream, connectMs, handshakeMs: performance.now() - start - connectMs };
  },
};

async function handshake(conn: Deno.TcpConn, serverName: string, caCerts: string[]): Promise<Stream> {
  const [hostname] = serverName.split("%"); // no certificate names an IPv6 address's zone
  try {
    const stream = await Deno.startTls(conn, { hostname: hostname!, caCerts, alpnProtocols: ALPN });
    try {
      await stream.handshake();
      return stream;
    } catch (error) {
      closeQuietly(stream);
      throw error;
    }
  } catch (error) {
    closeQuietly(conn);
    throw ofHandshake(error);
  }
}

/** A handshake's error, which says so where the peer has just gone. */
function ofHandshake(error: unknown): unknown {
  if (!(error instanceof Deno.errors.UnexpectedEof)) return error;
  return new Deno.errors.UnexpectedEof("the server closed the connection in the TLS handshake", {
    cause: error,
  });
}

/** The system's trusted certificates, or nothing where there is no such file: Mozilla's come with Deno. */
async function systemRoots(): Promise<string> {
  for (const file of SYSTEM_ROOTS) {
    try {
      return await Deno.readTextFile(file);
    } catch {
      // Another system has another place.
    }
  }
  return "";
}

/**
 * Deno's own TLS verifies always; that of `node:tls` can be told not to, but takes whatever comes whether it is read
 * or not, and an end of the connection for one of the stream. Hence it speaks through a relay on loopback, which
 * passes the server's bytes on when they are waited for, and its FIN when it is clear that there was no close_notify.
 */
async function connectInsecure(
  endpoint: HostEndpoint,
  serverName: string,
  options: ConnectOptions,
): Promise<Connected> {
  const { connect } = await import("node:tls"); // loaded when used: it would slow each start down
  const start = performance.now();
  const raw = await connectTcp(endpoint, options);
  const connectMs = performance.now() - start;
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const asked: ConnectionOptions & { allowHalfOpen: true } = {
    host: "127.0.0.1",
    port: listener.addr.port,
    rejectUnauthorized: false,
    ALPNProtocols: ALPN,
    ...(!isIpv4(serverName) && !isIpv6(serverName) && { servername: serverName }),
    allowHalfOpen: true,
  };
  const socket = connect(asked);
  const onAbort = () => {
    socket.destroy();
    closeQuietly(raw);
  };
  options.signal.addEventListener("abort", onAbort);
  try {
    let stream: RelayedTls | undefined;
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.once("error", (error) => reject(stream?.failure ?? error));
      socket.once("connect", async () => {
        try {
          const near = await acceptFrom(listener, socket.localPort!);
          stream = new RelayedTls(socket, near, raw);
        } catch (error) {
          reject(error);
        }
      });
    });
    socket.on("error", () => {}); // those who read and write are told
    socket.setNoDelay(true);
    stream!.secured();
    return { stream: stream!, connectMs, handshakeMs: performance.now() - start - connectMs };
  } catch (error) {
    socket.on("error", () => {});
    onAbort();
    throw ofHandshake(error);
  } finally {
    options.signal.removeEventListener("abort", onAbort);
  }
}

/** Accepts the connection from a port of this machine; another program may have tried the listener's. */
async function acceptFrom(listener: Deno.TcpListener, port: number): Promise<Deno.TcpConn> {
  for (;;) {
    const conn = await listener.accept();
    if (conn.remoteAddr.port === port) {
      conn.setNoDelay(true);
      return conn;
    }
    conn.close();
  }
}

/** How long TLS may take to notice the end of its stream in bytes that it has been given. */
const NOTICE_MS = 50;

/** Node's TLS as one of our streams: over `near`, whose bytes are relayed from and to `raw`. */
class RelayedTls implements Stream {
  /** Why nothing comes any more, where it is not that the server has ended its side in order. */
  failure: Error | undefined;
  readonly #socket: Duplex;
  readonly #near: Deno.TcpConn;
  readonly #raw: Deno.TcpConn;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #outgoing: Promise<void>;
  #rest: Uint8Array = NOTHING;
  #closed = false;
  /** Whether somebody waits for bytes; during the handshake TLS does. */
  #waiting = true;
  #reads = 0;
  #wake = () => {};

  constructor(socket: Duplex, near: Deno.TcpConn, raw: Deno.TcpConn) {
    this.#socket = socket;
    this.#near = near;
    this.#raw = raw;
    this.#chunks = socket.iterator({ destroyOnReturn: false });
    const failed = (error: Error) => {
      this.failure ??= error;
      closeQuietly(near);
      closeQuietly(raw);
    };
    this.#outgoing = relay(near, raw);
    this.#outgoing.catch(failed);
    this.#feed().catch(failed);
  }

  /** To be called once the handshake is over. */
  secured(): void {
    this.#waiting = false;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    if (this.#rest.length === 0) {
      let next;
      this.#reads++;
      this.#waiting = true;
      this.#wake();
      try {
        next = await this.#chunks.next();
      } catch (error) {
        throw this.#error(error as Error);
      } finally {
        this.#waiting = false;
      }
      if (this.#closed) throw this.#error();
      if (next.done) {
        if (this.failure !== undefined) throw this.failure;
        return null;
      }
      this.#rest = next.value;
    }
    const n = Math.min(this.#rest.length, buffer.length);
    buffer.set(this.#rest.subarray(0, n));
    this.#rest = this.#rest.subarray(n);
    return n;
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => error ? reject(this.#error(error)) : resolve(bytes.length));
    });
  }

  async closeWrite(): Promise<void> {
    this.#socket.end();
    await this.#outgoing;
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
    closeQuietly(this.#near);
    closeQuietly(this.#raw);
    this.#wake();
  }

  #error(error?: Error): Error {
    if (this.#closed) return new Deno.errors.Interrupted("the stream is closed");
    return this.failure ?? new Deno.errors.ConnectionReset(error?.message);
  }

  /** Passes the server's bytes on, and its end. */
  async #feed(): Promise<void> {
    const buffer = new Uint8Array(LARGE_RELAY);
    for (let n; (n = await this.#raw.read(buffer)) !== null;) {
      await this.#waitedFor();
      await writeAll(this.#near, buffer.subarray(0, n));
    }
    let reads;
    do {
      await this.#waitedFor();
      reads = this.#reads;
      await pause(NOTICE_MS);
      await pause(0); // a process that was stopped has its timers before its bytes
    } while (!this.#socket.readableEnded && !(this.#waiting && reads === this.#reads));
    if (!this.#socket.readableEnded) this.failure ??= new Deno.errors.UnexpectedEof("no close_notify");
    await this.#near.closeWrite();
  }

  /** Waits until nothing is left of what TLS has been given, and somebody waits for more. */
  async #waitedFor(): Promise<void> {
    while (!this.#waiting && !this.#closed && !this.#socket.readableEnded) {
      await new Promise<void>((resolve) => this.#wake = resolve);
      await pause(0); // a read that finds something takes it in this time
    }
  }
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

/**
 * The server's side of TLS. Deno speaks it only on connections that its own TLS listener has accepted, and there
 * nothing ends a handshake but the client: a `close` frees no descriptor before. So that listener is an inner one, on
 * loopback, and the clients' bytes are relayed to it: a client can be looked at before its handshake, the
 * handshake ended at any time, and what is to be freed is. It costs two descriptors a connection, and about 60 µs a
 * round trip.
 */
class TlsSide implements Security {
  readonly #inner: Deno.TlsListener;
  /** For each stream that is open or whose last bytes are going out: settles when it is neither. */
  readonly #relayed = new Set<Promise<void>>();
  /** How to give up each of the streams whose last bytes are going out. */
  readonly #flushing = new Set<() => void>();
  #cut = false;
  /** Settles when the stream before has come through the inner listener. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ cert, key }: { cert: string; key: string }) {
    this.#inner = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key, alpnProtocols: ALPN });
  }

  async secure(client: Stream, early: Uint8Array): Promise<Stream> {
    const connecting = this.#turn.then(() => this.#connect());
    this.#turn = connecting.catch(() => {});
    let inner: Awaited<typeof connecting>;
    try {
      inner = await connecting;
    } catch (error) {
      closeQuietly(client);
      throw error;
    }
    const [near, secured] = inner;
    const { promise: relayed, resolve } = Promise.withResolvers<void>();
    this.#relayed.add(relayed);
    let closed = false;
    let stalled: ReturnType<typeof setTimeout> | undefined;
    const shut = () => {
      closeQuietly(client);
      closeQuietly(near);
      clearTimeout(stalled);
      this.#flushing.delete(shut);
      this.#relayed.delete(relayed);
      resolve();
    };
    const moved = () => {
      if (!this.#flushing.has(shut)) return;
      clearTimeout(stalled);
      stalled = setTimeout(shut, FLUSH_QUIET_MS);
    };
    const outgoing = relay(near, {
      write: async (bytes) => {
        const written = await client.write(bytes);
        moved();
        return written;
      },
      closeWrite: () => client.closeWrite(),
    });
    const incoming = relay(client, {
      // What came for a stream that is closed would reset it, and destroy what is on its way out.
      write: (bytes) => closed ? Promise.resolve(bytes.length) : near.write(bytes),
      closeWrite: () => near.closeWrite(),
    }, early);
    Promise.all([incoming.catch((error) => closed || Promise.reject(error)), outgoing]).then(shut, shut);
    const stream: Stream = {
      read: (buffer) => secured.read(buffer),
      write: (bytes) => secured.write(bytes),
      closeWrite: () => secured.closeWrite(),
      close: () => {
        secured.close();
        closed = true;
        if (this.#cut) return shut();
        // The last bytes, a close_notify or an alert among them, still have to get out.
        this.#flushing.add(shut);
        moved();
        outgoing.then(shut, shut);
      },
    };
    try {
      await secured.handshake();
      return stream;
    } catch (error) {
      closeQuietly(stream);
      throw error;
    }
  }

  cut(): number {
    this.#cut = true;
    const flushing = [...this.#flushing];
    for (const shut of flushing) shut();
    return flushing.length;
  }

  async close(): Promise<void> {
    this.#inner.close();
    await Promise.all(this.#relayed);
  }

  /** A connection to the inner listener: this end of it, and the end that speaks TLS. */
  async #connect(): Promise<[Deno.TcpConn, Deno.TlsConn]> {
    const { hostname, port } = this.#inner.addr as Deno.NetAddr;
    const near = await Deno.connect({ hostname, port });
    near.setNoDelay(true);
    const own = near.localAddr as Deno.NetAddr;
    try {
      for (;;) {
        const far = await this.#accept();
        const peer = far.remoteAddr as Deno.NetAddr;
        if (peer.port === own.port && peer.hostname === own.hostname) return [near, far];
        far.close(); // another program on this machine has tried the port
      }
    } catch (error) {
      near.close();
      throw error;
    }
  }

  async #accept(): Promise<Deno.TlsConn> {
    for (;;) {
      try {
        return await this.#inner.accept();
      } catch (error) {
        if (!isResetBeforeAccept(error)) throw error;
      }
    }
  }
}

/** Passes bytes on from one stream to another, until the first ends in order; then the second is half-closed. */
async function relay(
  from: Pick<Stream, "read">,
  to: Pick<Stream, "write" | "closeWrite">,
  early: Uint8Array = NOTHING,
): Promise<void> {
  if (early.length > 0) await writeAll(to, early);
  let buffer = new Uint8Array(SMALL_RELAY);
  for (let n; (n = await from.read(buffer)) !== null;) {
    await writeAll(to, buffer.subarray(0, n));
    if (n === buffer.length && n < LARGE_RELAY) buffer = new Uint8Array(n * 2);
  }
  await to.closeWrite();
}

/**
 * Reads a server's certificate (with its chain) and key, and checks that they can be used.
 *
 * @returns them, and a warning if the certificate's time is over or has not come.
 * @throws {Failure}
 */
export async function readIdentity(
  certFile: string,
  keyFile: string,
): Promise<{ identity: { cert: string; key: string }; warning?: string }> {
  const cert = await readCertificates(certFile);
  const key = await readPem(keyFile, /^-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/m, "a private key");
  const { createPrivateKey, X509Certificate } = await import("node:crypto");
  const certificate = new X509Certificate(cert);
  if (key.includes("-----BEGIN ENCRYPTED PRIVATE KEY-----") || key.includes("Proc-Type: 4,ENCRYPTED")) {
    throw new Failure("use", keyFile, "the key is encrypted; openssl pkey -in FILE -out PLAIN decrypts it");
  }
  let matches;
  try {
    matches = certificate.checkPrivateKey(createPrivateKey(key));
  } catch (error) {
    throw new Failure("use", keyFile, "the private key cannot be read", { cause: error });
  }
  if (!matches) throw new Failure("use", keyFile, `the key is not that of the certificate in ${certFile}`);
  try {
    Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key }).close();
  } catch (error) {
    if ((error as { code?: string }).code !== undefined) throw error; // not for the key, but for want of a port
    const reason =
      "TLS cannot use this key: RSA of 2048 bits or more, ECDSA on P-256, P-384 or P-521, or Ed25519 can be";
    throw new Failure("use", keyFile, reason, { cause: error });
  }
  const now = Date.now();
  const warning = Date.parse(certificate.validTo) < now
    ? `the certificate expired on ${certificate.validTo}`
    : Date.parse(certificate.validFrom) > now
    ? `the certificate is not valid before ${certificate.validFrom}`
    : undefined;
  return { identity: { cert, key }, ...(warning !== undefined && { warning }) };
}

/** Reads a file of certificates (PEM), and looks at each. @throws {Failure} */
export async function readCertificates(file: string): Promise<string> {
  const pem = await readPem(file, /^-----BEGIN CERTIFICATE-----/m, "a certificate");
  const { X509Certificate } = await import("node:crypto");
  const each = pem.match(/^-----BEGIN CERTIFICATE-----[^]*?(?:^-----END CERTIFICATE-----|(?![^]))/gm) ??
    [pem];
  for (const [i, one] of each.entries()) {
    try {
      new X509Certificate(one);
    } catch (error) {
      const which = each.length > 1 ? `certificate ${i + 1} of ${each.length}` : "the certificate";
      throw new Failure("use", file, `${which} cannot be read`, { cause: error });
    }
  }
  return pem;
}

async function readPem(file: string, begin: RegExp, what: string): Promise<string> {
  let text;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    throw new Failure("use", file, reasonOfFile(error), { cause: error });
  }
  if (!begin.test(text)) throw new Failure("use", file, `there is not ${what} (PEM) in it`);
  return text;
}
