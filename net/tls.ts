import { parseCertificates, systemRoots } from "./certificates.ts";
import { type HostEndpoint, isIpv4, isIpv6 } from "./endpoint.ts";
import { TlsFailure } from "./errors.ts";
import { closeQuietly, type Stream } from "./stream.ts";
import { connectTcp, listenTcp } from "./tcp.ts";
import type { Connected, ConnectOptions, StreamTransport } from "./transport.ts";

/** The application protocol that both sides name (RFC 7301). A client that names none is served as well. */
const ALPN = ["tsecho"];

/** The first Deno whose node:tls speaks over a stream as it is used here. */
const NODE_TLS_SINCE = [2, 9, 5];

export const tls: StreamTransport = {
  kind: "stream",
  addressing: "host",

  async listen(endpoint: HostEndpoint, options) {
    if (options.tls === undefined) throw new TypeError("a TLS listener needs an identity");
    needNodeTls("a TLS server");
    const { TlsAcceptor } = await import("./tls_acceptor.ts"); // loads node:tls, which would slow each start down
    const security = new TlsAcceptor(options.tls, ALPN);
    return listenTcp(endpoint, options).map((bound) => ({ ...bound, security }));
  },

  async connect(endpoint: HostEndpoint, options) {
    const { insecure = false, ca = "", serverName = endpoint.hostname, identity } = options.tls ?? {};
    const [name] = serverName.split("%"); // no certificate names an IPv6 address's zone
    if (insecure) {
      needNodeTls("to take any certificate");
      return await connectNode(endpoint, name!, options, { rejectUnauthorized: false, ...identity });
    }
    const roots = await systemRoots();
    if (identity !== undefined) needNodeTls("a client certificate");
    if (identity !== undefined || hasNodeTls() && await isPinned(ca, name!)) {
      return await connectStrictly(endpoint, name!, options, roots);
    }
    return await connectDeno(endpoint, name!, options, [roots, ca].filter((pem) => pem !== ""));
  },
};

/** Connects with Deno's own TLS, which verifies most strictly. */
async function connectDeno(
  endpoint: HostEndpoint,
  hostname: string,
  options: ConnectOptions,
  caCerts: string[],
): Promise<Connected> {
  const start = performance.now();
  const conn = await connectTcp(endpoint, options);
  const connectMs = performance.now() - start;
  try {
    const stream = await Deno.startTls(conn, { hostname, caCerts, alpnProtocols: ALPN });
    try {
      await stream.handshake();
    } catch (error) {
      closeQuietly(stream);
      throw error;
    }
    return { stream: withAlerts(stream), connectMs, handshakeMs: performance.now() - start - connectMs };
  } catch (error) {
    closeQuietly(conn);
    throw ofHandshake(error, hostname);
  }
}

/**
 * Connects with node:tls, and verifies the server's certificate beyond what that does.
 *
 * Mozilla's certificates are not trusted here, which cannot be read without permissions that tsecho goes without.
 */
async function connectStrictly(
  endpoint: HostEndpoint,
  name: string,
  options: ConnectOptions,
  systemPem: string,
): Promise<Connected> {
  const { ca = "", identity } = options.tls!;
  const { checkServer, ownCertificates } = await import("./trust.ts"); // loads node:tls
  const given = await parseCertificates(ca);
  const roots = [...given, ...await parseCertificates(systemPem)];
  const connected = await connectNode(endpoint, name, options, {
    rejectUnauthorized: true,
    ca: [systemPem, ca].filter((pem) => pem !== ""),
    checkServerIdentity: () => undefined, // checkServer does
    ...identity,
  });
  try {
    checkServer(connected.stream.socket, name, { roots, pinned: ownCertificates(given, name) });
    return connected;
  } catch (error) {
    connected.stream.destroy();
    throw ofHandshake(error, name);
  }
}

/** Connects with node:tls. */
async function connectNode(
  endpoint: HostEndpoint,
  name: string,
  options: ConnectOptions,
  asked: import("node:tls").ConnectionOptions,
) {
  const [{ connect }, { TlsStream }] = await Promise.all([import("node:tls"), import("./tls_stream.ts")]);
  const start = performance.now();
  const raw = await connectTcp(endpoint, options);
  const connectMs = performance.now() - start;
  const servername = isIpv4(name) || isIpv6(name) ? {} : { servername: name };
  const stream = new TlsStream(
    raw,
    (socket) => connect({ ...asked, socket, ALPNProtocols: ALPN, ...servername }),
  );
  const onAbort = () => stream.destroy();
  options.signal.addEventListener("abort", onAbort);
  try {
    await stream.handshake("secureConnect");
    return { stream, connectMs, handshakeMs: performance.now() - start - connectMs };
  } catch (error) {
    throw ofHandshake(error, name);
  } finally {
    options.signal.removeEventListener("abort", onAbort);
  }
}

/** Whether among these certificates is a CA's that a server of that name may show as its own. */
async function isPinned(ca: string, name: string): Promise<boolean> {
  if (ca === "") return false;
  const certificates = await parseCertificates(ca);
  if (!certificates.some((it) => it.ca && it.subjectAltName !== undefined)) return false;
  const { ownCertificates } = await import("./trust.ts"); // loads node:tls
  return ownCertificates(certificates, name).length > 0;
}

/** A stream whose errors of TLS are those of a peer that has gone. */
function withAlerts(stream: Stream): Stream {
  const failed = (error: unknown): never => {
    throw error instanceof Deno.errors.InvalidData ? new TlsFailure(error) : error;
  };
  return {
    read: (buffer) => stream.read(buffer).catch(failed),
    write: (bytes) => stream.write(bytes).catch(failed),
    closeWrite: () => stream.closeWrite().catch(failed),
    close: () => stream.close(),
  };
}

/** A handshake's error, which says what can be done about it. */
function ofHandshake(error: unknown, name: string): unknown {
  if (error instanceof Deno.errors.UnexpectedEof) {
    return new Deno.errors.UnexpectedEof("the server closed the connection in the TLS handshake", {
      cause: error,
    });
  }
  if (!/CaUsedAsEndEntity/.test((error as Error).message)) return error;
  const san = `subjectAltName=${isIpv4(name) || isIpv6(name) ? "IP" : "DNS"}:${name}`;
  const command =
    `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=${name} ` +
    `-addext ${san} -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem`;
  return new Error(
    `the certificate is not trusted: it is a CA's own, not a server's; this makes one: ${command}`,
    {
      cause: error,
    },
  );
}

function hasNodeTls(): boolean {
  const version = Deno.version.deno.split(".").map((part) => Number.parseInt(part));
  for (const [i, least] of NODE_TLS_SINCE.entries()) {
    if (version[i] !== least) return version[i]! > least;
  }
  return true;
}

/** @throws {Error} where Deno is too old for it. */
function needNodeTls(what: string): void {
  if (hasNodeTls()) return;
  throw new Error(
    `${what} needs Deno ${NODE_TLS_SINCE.join(".")} or newer, and this is ${Deno.version.deno}`,
  );
}
