/** What a server listens on, and the files that its TLS endpoints need. */
import { Failure, reasonOf, reasonOfFile } from "../failure.ts";
import { faultsOf, readClientCa, readIdentity, TlsFileFailure } from "../net/certificates.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { closeQuietly } from "../net/stream.ts";
import type { BoundListener, DatagramSocket, ServerTlsOptions } from "../net/transport.ts";
import { type ListenOptions, transportOf } from "../net/transports.ts";
import type { Report } from "./events.ts";
import type { ServerSettings, TlsFiles } from "./settings.ts";

/** What a server listens on. */
export interface Sockets {
  /** With their real ports. */
  endpoints: Endpoint[];
  streams: BoundListener[];
  datagrams: DatagramSocket[];
}

/**
 * Listens on all endpoints, or on none.
 *
 * @param signal gives up.
 * @throws {Failure} when one cannot be listened on.
 */
export async function listen(
  endpoints: Endpoint[],
  { tls: files, unixMode, reusePort }: ServerSettings,
  report: Report,
  signal: AbortSignal | undefined,
): Promise<Sockets> {
  const tls = files && await readTls(files, report, signal);
  const options: ListenOptions = { unixMode, reusePort, ...(tls && { tls }), signal };
  const sockets: Sockets = { endpoints: [], streams: [], datagrams: [] };
  for (const endpoint of endpoints) {
    try {
      await listenOn(endpoint, options, sockets, report);
    } catch (error) {
      closeSockets(sockets);
      const reason = "path" in endpoint ? reasonOfFile(error) : reasonOf(error);
      throw new Failure("listen on", formatEndpoint(endpoint), reason, { cause: error });
    }
  }
  return sockets;
}

async function listenOn(
  endpoint: Endpoint,
  options: ListenOptions,
  sockets: Sockets,
  report: Report,
): Promise<void> {
  const transport = transportOf(endpoint);
  let bound;
  if (transport.kind === "stream") {
    bound = await transport.listen(endpoint, options);
    sockets.streams.push(...bound);
  } else {
    bound = await transport.listen(endpoint, options);
    sockets.datagrams.push(...bound);
  }
  for (const { endpoint, warning } of bound) {
    sockets.endpoints.push(endpoint);
    if (warning !== undefined) report({ type: "listen", endpoint, reason: warning });
  }
}

/** Closes all listeners and sockets; the files of Unix sockets go with them. */
export function closeSockets({ streams, datagrams }: Sockets): void {
  for (const { listener } of streams) closeQuietly(listener);
  for (const socket of datagrams) closeQuietly(socket);
}

/** Has new handshakes use what the files for TLS hold now, unless it cannot be used. */
export async function reloadTls(
  files: TlsFiles | undefined,
  streams: BoundListener[],
  report: Report,
): Promise<void> {
  if (files === undefined) {
    return report({ type: "reload", outcome: "unused", reason: "there is no tls:// endpoint" });
  }
  try {
    const options = await readTls(files, report);
    for (const { security } of streams) security?.renew(options);
    report({ type: "reload", outcome: "renewed", file: files.cert });
  } catch (error) {
    // The reason names the file, and the old certificate stays.
    const reason = error instanceof Failure ? error.message : reasonOf(error);
    const failure = error instanceof TlsFileFailure ? { failure: error } : {};
    report({ type: "reload", outcome: "failed", reason, ...failure });
  }
}

/** Reads the files for TLS, and tells what clients will not like. @throws {Failure} */
async function readTls(
  { cert, key, clientCa }: TlsFiles,
  report: Report,
  signal?: AbortSignal,
): Promise<ServerTlsOptions> {
  const { identity, leaf } = await readIdentity(cert, key, signal);
  const ca = clientCa === undefined ? {} : { clientCa: await readClientCa(clientCa, signal) };
  for (const reason of faultsOf(leaf)) report({ type: "certificate", file: cert, reason });
  return { identity, ...ca };
}
