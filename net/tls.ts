import { parseCertificates, systemRoots } from "./certificates.ts";
import type { Identity } from "./certificates.ts";
import type { HostEndpoint } from "./endpoint.ts";
import { asciiHost, type HostConnectOptions } from "./hosts.ts";
import { listenTcp, type TcpListenOptions } from "./tcp.ts";
import { ALPN, connectDeno, connectNode, connectStrictly } from "./tls_client.ts";
import type { ServerTlsOptions, StreamTransport } from "./transport.ts";

/** What a TLS listener is asked for. */
export interface TlsListenOptions extends TcpListenOptions {
  tls?: ServerTlsOptions;
}

/** What a TLS client is asked for. */
export interface TlsConnectOptions extends HostConnectOptions {
  tls?: ClientTlsOptions;
}

/** The certificates that a TLS client trusts, and its own. */
export interface ClientTlsOptions {
  /** CA certificates (PEM) to trust as well as the system's and Mozilla's. */
  ca?: string;
  /** The name expected in the server's certificate, and sent as SNI; by default the endpoint's host. */
  serverName?: string;
  /** Skip the verification of the server's certificate. */
  insecure?: boolean;
  /** The client's own certificate, for servers that ask for one. */
  identity?: Identity;
}

/** The first Deno whose node:tls speaks over a stream as it is used here. */
const NODE_TLS_SINCE = [2, 9, 5];

export const tls: StreamTransport<TlsListenOptions, TlsConnectOptions> = {
  kind: "stream",
  addressing: "host",

  async listen(endpoint: HostEndpoint, options) {
    if (options.tls === undefined) throw new TypeError("a TLS listener needs an identity");
    needNodeTls("a TLS server");
    const { TlsAcceptor } = await import("./tls_acceptor.ts"); // loads node:tls, which would slow each start down
    const security = new TlsAcceptor(options.tls, ALPN);
    return (await listenTcp(endpoint, options)).map((bound) => ({ ...bound, security }));
  },

  async connect(endpoint: HostEndpoint, options) {
    const { insecure = false, ca = "", serverName = endpoint.hostname, identity } = options.tls ?? {};
    const name = asciiHost(serverName.split("%")[0]!); // no certificate names an IPv6 address's zone
    if (insecure) {
      needNodeTls("skipping certificate verification");
      return await connectNode(endpoint, name, options, { rejectUnauthorized: false, ...identity });
    }
    const roots = await systemRoots();
    if (identity !== undefined) needNodeTls("a client certificate");
    if (identity !== undefined || hasNodeTls() && await isPinned(ca, name)) {
      return await connectStrictly(endpoint, name, options, {
        ca,
        systemRoots: roots,
        ...identity && { identity },
      });
    }
    return await connectDeno(endpoint, name, options, [roots, ca].filter((pem) => pem !== ""));
  },
};

/** Whether one of these certificates is a CA's that a server of that name may use as its own. */
async function isPinned(ca: string, name: string): Promise<boolean> {
  if (ca === "") return false;
  const certificates = await parseCertificates(ca);
  if (!certificates.some((it) => it.ca && it.subjectAltName !== undefined)) return false;
  const { ownCertificates } = await import("./trust.ts"); // loads node:tls
  return ownCertificates(certificates, name).length > 0;
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
