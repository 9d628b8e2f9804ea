/** Dialling: what all commands that connect share, with errors for the user. */
import { Failure, reasonOf, reasonOfFile } from "../failure.ts";
import { readCertificates, readIdentity } from "./certificates.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import type { ProxyVersion } from "./proxy.ts";
import type { ClientTlsOptions } from "./tls.ts";
import type { Connected, DatagramPeer } from "./transport.ts";
import { connectDatagrams, type ConnectOptions, connectStream } from "./transports.ts";

/** Where to connect to, and how. */
export interface DialOptions {
  /** Where the server is. */
  endpoint: Endpoint;
  /** Use addresses of this IP version only. */
  family?: 4 | 6;
  /** Begin each stream with a PROXY protocol header of this version, as a balancer does. */
  proxyHeader?: ProxyVersion;
  /** Milliseconds for name, connection and TLS handshake together; 0 for as long as the system tries. */
  connectTimeout: number;
  /** A file (PEM) of CA certificates to trust as well as the system's and Mozilla's. */
  caFile?: string;
  /** The name expected in the server's certificate, if it is not the endpoint's host. */
  serverName?: string;
  /** Skips the verification of the server's certificate. */
  insecure: boolean;
  /** Files (PEM) with the client's own certificate and its chain, and with its key. */
  identity?: { cert: string; key: string };
}

/** The files that were read, once for all connections with the same options. */
const read = new WeakMap<DialOptions, Promise<ClientTlsOptions>>();

/** Connects to a stream endpoint. @throws {Failure} */
export async function dialStream(options: DialOptions, stop: AbortSignal): Promise<Connected> {
  const { endpoint, serverName, insecure } = options;
  let files = read.get(options);
  if (files === undefined) {
    read.set(options, files = readFiles(options, stop));
    files.catch(() => read.delete(options)); // another attempt may have another signal
  }
  const tls = { ...await files, ...(serverName !== undefined && { serverName }), insecure };
  return await reporting(endpoint, stop, connectStream(endpoint, { ...connectOptions(options, stop), tls }));
}

/** Reads the certificates to trust and the one to show. @throws {Failure} */
async function readFiles(
  { caFile, identity: own }: DialOptions,
  stop: AbortSignal,
): Promise<ClientTlsOptions> {
  const ca = caFile === undefined ? {} : { ca: await readCertificates("CA", caFile, stop) };
  if (own === undefined) return ca;
  return { ...ca, identity: (await readIdentity(own.cert, own.key, stop)).identity };
}

/** Opens a socket for datagrams with an endpoint; nothing is sent. @throws {Failure} */
export async function dialDatagrams(options: DialOptions, stop: AbortSignal): Promise<DatagramPeer> {
  const { endpoint } = options;
  return await reporting(endpoint, stop, connectDatagrams(endpoint, connectOptions(options, stop)));
}

function connectOptions(
  { family, proxyHeader, connectTimeout }: DialOptions,
  signal: AbortSignal,
): ConnectOptions {
  return { ...(family && { family }), ...(proxyHeader && { proxyHeader }), timeout: connectTimeout, signal };
}

async function reporting<T>(endpoint: Endpoint, stop: AbortSignal, connecting: Promise<T>): Promise<T> {
  try {
    return await connecting;
  } catch (error) {
    const why = "path" in endpoint ? reasonOfFile(error) : reasonOf(error);
    const reason = stop.aborted ? "interrupted" : why;
    throw new Failure("connect to", formatEndpoint(endpoint), reason, { cause: error });
  }
}

/** The defaults of {@linkcode DialOptions}. */
export const DIAL_DEFAULTS = { connectTimeout: 10_000, insecure: false };
