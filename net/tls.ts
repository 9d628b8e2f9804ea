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

/** Whom a TLS client believes, and who it is. */
export interface ClientTlsOptions {
  /** Certificates (PEM) to trust beside those of the system and of Mozilla. */
  ca?: string;
  /** The name that the server's certificate must bear, and that is asked for (SNI); otherwise the endpoint's host. */
  serverName?: string;
  /** Takes any certificate. */
  insecure?: boolean;
  /** What the client shows a server that asks for it. */
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
      needNodeTls("to take any certificate");
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

/** Whether among these certificates is a CA's that a server of that name may show as its own. */
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
