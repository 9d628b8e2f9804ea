import type { HostEndpoint } from "./endpoint.ts";
import { addresses, bindAll } from "./hosts.ts";
import type { ConnectOptions, ListenOptions, StreamListener, StreamTransport } from "./transport.ts";

/** Connections that may wait for accept: Deno's default of 511 loses SYNs in a burst, which costs each a second. */
const BACKLOG = 4096;

export const tcp: StreamTransport = {
  kind: "stream",
  addressing: "host",

  listen(endpoint: HostEndpoint, options) {
    return Promise.resolve(listenTcp(endpoint, options));
  },

  async connect(endpoint: HostEndpoint, options) {
    const start = performance.now();
    const stream = await connectTcp(endpoint, options);
    return { stream, connectMs: performance.now() - start };
  },
};

/** Listens on an endpoint; port 0 picks a free one. @throws the errors of `Deno.listen`. */
export function listenTcp(endpoint: HostEndpoint, { reusePort }: ListenOptions) {
  return bindAll(endpoint, reusePort, (hostname, port, shared) => {
    const options = { hostname, port, tcpBacklog: BACKLOG, ...(shared && { reusePort: true }) };
    const listener = Deno.listen(options);
    const { addr } = listener;
    return {
      endpoint: { transport: endpoint.transport, hostname: addr.hostname, port: addr.port },
      listener: accepting(listener),
      close: () => listener.close(),
    };
  });
}

function accepting(listener: Deno.TcpListener): StreamListener {
  return {
    async accept() {
      const conn = await listener.accept();
      // A reply is a message: Nagle's wait for an acknowledgement (RFC 896) would show as round-trip time.
      conn.setNoDelay(true);
      return { stream: conn, peer: conn.remoteAddr };
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
  { family, signal }: ConnectOptions,
): Promise<Deno.TcpConn> {
  const { hostname, port } = endpoint;
  let failure: unknown;
  // Deno tries all addresses of a name by itself; only a choice among them needs a look-up here.
  for (const address of family === undefined ? [hostname] : await addresses(hostname, family)) {
    try {
      const conn = await Deno.connect({ hostname: address, port, signal });
      conn.setNoDelay(true); // a line is a message: Nagle's wait would show as round-trip time
      return conn;
    } catch (error) {
      failure = error;
    }
  }
  throw failure ?? new Error(`the host has no IPv${family} address`);
}
