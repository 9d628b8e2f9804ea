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

/** Has new handshakes use what the files for TLS hold now, each time it is asked to. */
export class TlsReloader {
  readonly #files: TlsFiles | undefined;
  readonly #streams: BoundListener[];
  readonly #report: Report;
  /** Gives up the reload under way: a file that blocks, such as a FIFO, must not bring an older certificate back. */
  #latest = new AbortController();

  constructor(files: TlsFiles | undefined, streams: BoundListener[], report: Report) {
    this.#files = files;
    this.#streams = streams;
    this.#report = report;
  }

  /** Reads the files, and has them used unless they cannot be. The last reload asked for wins. */
  async reload(): Promise<void> {
    const files = this.#files;
    const report = this.#report;
    if (files === undefined) {
      return report({ type: "reload", outcome: "unused", reason: "there is no tls:// endpoint" });
    }
    this.#latest.abort();
    const { signal } = this.#latest = new AbortController();
    try {
      const options = await readTls(files, report, signal);
      for (const { security } of this.#streams) security?.renew(options);
      report({ type: "reload", outcome: "renewed", file: files.cert });
    } catch (error) {
      if (signal.aborted) {
        return report({ type: "reload", outcome: "failed", reason: "a newer reload has overtaken it" });
      }
      // The reason names the file, and the old certificate stays.
      const reason = error instanceof Failure ? error.message : reasonOf(error);
      const failure = error instanceof TlsFileFailure ? { failure: error } : {};
      report({ type: "reload", outcome: "failed", reason, ...failure });
    }
  }
}

/** Reads the files for TLS, and tells what clients will not like. @throws {Failure} or the signal's reason. */
async function readTls(
  { cert, key, clientCa }: TlsFiles,
  report: Report,
  signal?: AbortSignal,
): Promise<ServerTlsOptions> {
  const { identity, leaf } = await readIdentity(cert, key, signal);
  const ca = clientCa === undefined ? {} : { clientCa: await readClientCa(clientCa, signal) };
  signal?.throwIfAborted();
  for (const reason of faultsOf(leaf)) report({ type: "certificate", file: cert, reason });
  return { identity, ...ca };
}
