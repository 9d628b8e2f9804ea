/** The client's side of TLS: Deno's own, or node:tls for what Deno's cannot do. */
import { type Identity, parseCertificates } from "./certificates.ts";
import { type HostEndpoint, isIpv4, isIpv6 } from "./endpoint.ts";
import { TlsFailure } from "./errors.ts";
import type { HostConnectOptions } from "./hosts.ts";
import { closeQuietly, type Stream } from "./stream.ts";
import { connectTcp } from "./tcp.ts";
import type { Cancellable, Connected } from "./transport.ts";

/** The application protocol that both sides negotiate (RFC 7301). A client that offers none is served as well. */
export const ALPN = ["tsecho"];

/** How the connection below TLS is made. */
type TcpConnectOptions = HostConnectOptions & Cancellable;

/** Connects with Deno's own TLS, which verifies most strictly. */
export async function connectDeno(
  endpoint: HostEndpoint,
  hostname: string,
  options: TcpConnectOptions,
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
export async function connectStrictly(
  endpoint: HostEndpoint,
  name: string,
  options: TcpConnectOptions,
  { ca, systemRoots, identity }: { ca: string; systemRoots: string; identity?: Identity },
): Promise<Connected> {
  const { checkServer, ownCertificates } = await import("./trust.ts"); // loads node:tls
  const given = await parseCertificates(ca);
  const roots = [...given, ...await parseCertificates(systemRoots)];
  const trusted = [systemRoots, ca].filter((pem) => pem !== "");
  const { socket, ...connected } = await connectNode(endpoint, name, options, {
    rejectUnauthorized: true,
    ca: trusted,
    checkServerIdentity: () => undefined, // checkServer does
    ...identity,
  }).catch(async (error) => {
    throw await specificError(error, () => connectDeno(endpoint, name, options, trusted));
  });
  try {
    checkServer(socket, name, { roots, pinned: ownCertificates(given, name) });
    return connected;
  } catch (error) {
    connected.stream.destroy();
    throw ofHandshake(error, name);
  }
}

/**
 * node:tls has one error for several faults of a certificate, and does not show the certificate that it refused. Deno's
 * own TLS, which has no client certificate to show, tells them apart: a second connection asks it.
 */
async function specificError(error: unknown, connect: () => Promise<Connected>): Promise<unknown> {
  if ((error as { code?: string }).code !== "UNABLE_TO_VERIFY_LEAF_SIGNATURE") return error;
  try {
    closeQuietly((await connect()).stream);
  } catch (specific) {
    if (/^invalid peer certificate: (?!CaUsedAsEndEntity)/.test((specific as Error).message)) return specific;
  }
  return error;
}

/** Connects with node:tls. */
export async function connectNode(
  endpoint: HostEndpoint,
  name: string,
  options: TcpConnectOptions,
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
  options.signal?.addEventListener("abort", onAbort);
  try {
    const socket = await stream.handshake("secureConnect");
    return { stream, socket, connectMs, handshakeMs: performance.now() - start - connectMs };
  } catch (error) {
    throw ofHandshake(error, name);
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
  }
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

/** The error of a handshake, with what to do about it. */
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
