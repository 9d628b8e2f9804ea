import { systemRoots } from "./certificates.ts";
import { type HostEndpoint, isIpv4, isIpv6 } from "./endpoint.ts";
import { closeQuietly, type Stream } from "./stream.ts";
import { connectTcp, listenTcp } from "./tcp.ts";
import type { Connected, ConnectOptions, StreamTransport } from "./transport.ts";

/** The application protocol that both sides name (RFC 7301). A client that names none is served as well. */
const ALPN = ["tsecho"];

export const tls: StreamTransport = {
  kind: "stream",
  addressing: "host",

  async listen(endpoint: HostEndpoint, options) {
    const { identity } = options;
    if (identity === undefined) throw new TypeError("a TLS listener needs an identity");
    const { TlsAcceptor } = await import("./tls_acceptor.ts"); // loads node:tls, which would slow each start down
    const security = new TlsAcceptor(identity, ALPN);
    return listenTcp(endpoint, options).map((bound) => ({ ...bound, security }));
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

async function connectInsecure(
  endpoint: HostEndpoint,
  serverName: string,
  options: ConnectOptions,
): Promise<Connected> {
  const [{ connect }, { TlsStream }] = await Promise.all([import("node:tls"), import("./tls_stream.ts")]);
  const start = performance.now();
  const raw = await connectTcp(endpoint, options);
  const connectMs = performance.now() - start;
  const stream = new TlsStream(raw, (socket) =>
    connect({
      socket,
      rejectUnauthorized: false,
      ALPNProtocols: ALPN,
      ...(!isIpv4(serverName) && !isIpv6(serverName) && { servername: serverName }),
    }));
  const onAbort = () => stream.destroy();
  options.signal.addEventListener("abort", onAbort);
  try {
    await stream.handshake("secureConnect");
    return { stream, connectMs, handshakeMs: performance.now() - start - connectMs };
  } catch (error) {
    throw ofHandshake(error);
  } finally {
    options.signal.removeEventListener("abort", onAbort);
  }
}
