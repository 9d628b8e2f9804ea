import type { HostEndpoint } from "./endpoint.ts";
import {
  addressesOf,
  asciiHost,
  explained,
  type HostConnectOptions,
  listenOnHost,
  withZone,
} from "./hosts.ts";
import { formatProxyHeader } from "./proxy.ts";
import { writeAll } from "./stream.ts";
import type { BoundListener, Cancellable, StreamListener, StreamTransport } from "./transport.ts";

/** What a TCP listener is asked for. */
export interface TcpListenOptions {
  /** Whether other processes may listen on the same port too, each getting its share of connections (Linux). */
  reusePort: boolean;
}

/** Connections that may wait for accept: Deno's default of 511 loses SYNs in a burst, which costs each a second. */
const BACKLOG = 4096;

export const tcp: StreamTransport<TcpListenOptions, HostConnectOptions> = {
  kind: "stream",
  addressing: "host",

  listen: listenTcp,

  async connect(endpoint: HostEndpoint, options) {
    const start = performance.now();
    const stream = await connectTcp(endpoint, options);
    return { stream, connectMs: performance.now() - start };
  },
};

/** Listens on an endpoint; port 0 picks a free one. @throws the errors of `Deno.listen`. */
export async function listenTcp(
  endpoint: HostEndpoint,
  { reusePort, signal }: TcpListenOptions & Cancellable,
): Promise<BoundListener[]> {
  return await listenOnHost(endpoint, { shared: reusePort, signal }, (hostname, port, shared) => {
    const options = { hostname, port, tcpBacklog: BACKLOG, ...(shared && { reusePort: true }) };
    const listener = Deno.listen(options);
    return { address: listener.addr, listener: accepting(listener, hostname), close: () => listener.close() };
  });
}

/** @param hostname that it listens on, perhaps with the zone that its peers are in too. */
function accepting(listener: Deno.TcpListener, hostname: string): StreamListener {
  return {
    async accept() {
      const conn = await listener.accept();
      // A reply is a message: Nagle's wait for an acknowledgement (RFC 896) would show as round-trip time.
      conn.setNoDelay(true);
      return { stream: conn, peer: withZone(conn.remoteAddr, hostname) };
    },
    close: () => listener.close(),
  };
}

/**
 * Connects to an endpoint. Without `family`, all addresses of the name are tried.
 *
 * @throws the errors of `Deno.connect`; an Error when the name has no address of the family.
 */
export async function connectTcp(
  endpoint: HostEndpoint,
  { family, proxyHeader, signal }: HostConnectOptions & Cancellable,
): Promise<Deno.TcpConn> {
  const { hostname, port } = endpoint;
  let failure: unknown;
  // Deno tries all addresses of a name by itself; only a choice among them needs a look-up here.
  const hostnames = family === undefined
    ? [asciiHost(hostname)]
    : await addressesOf(hostname, { family, signal });
  for (const address of hostnames) {
    try {
      const conn = await Deno.connect({ hostname: address, port, ...(signal && { signal }) });
      conn.setNoDelay(true); // a line is a message: Nagle's wait would show as round-trip time
      if (proxyHeader !== undefined) {
        await writeAll(
          conn,
          formatProxyHeader(proxyHeader, { source: conn.localAddr, destination: conn.remoteAddr }),
        );
      }
      return conn;
    } catch (error) {
      failure = explained(error, hostname);
    }
  }
  throw failure ?? new Error(`the host has no IPv${family} address`);
}
