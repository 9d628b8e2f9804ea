import { type Endpoint, isIpv4, isIpv6 } from "./endpoint.ts";

/** Connections that may wait for accept: Deno's default of 511 loses SYNs in a burst, which costs each a second. */
const BACKLOG = 4096;

/** A bound socket, and the endpoint that it really has. */
export interface Bound {
  listener: Deno.TcpListener;
  endpoint: Endpoint;
}

/** What a listener on all interfaces is asked for: IPv6, whose socket takes IPv4 too. */
export const ALL_INTERFACES = "::";

/** How to listen. */
export interface ListenOptions {
  /** Whether other processes may listen on the same port too, each getting its share of connections (Linux). */
  reusePort: boolean;
}

/**
 * Listens on an endpoint; port 0 picks a free one.
 *
 * "All interfaces" is one socket for IPv6 and IPv4 where the system allows that, two on one port where its IPv6
 * sockets take IPv6 alone (Windows, BSD, Linux with `net.ipv6.bindv6only`), and IPv4 alone where there is no IPv6.
 *
 * @throws the errors of `Deno.listen`.
 */
export function listenTcp(endpoint: Endpoint, { reusePort }: ListenOptions): Bound[] {
  const { hostname, port } = endpoint;
  // Deno ends the process when its unstable options are used without their flag.
  if (reusePort && !("listenDatagram" in Deno)) {
    throw new Error("to share a port Deno needs its option --unstable-net");
  }
  if (hostname !== ALL_INTERFACES) return [bind(hostname, port, reusePort)];
  let both;
  try {
    both = bind(ALL_INTERFACES, port, reusePort);
  } catch (error) {
    if (isWithoutIpv6(error)) return [bind("0.0.0.0", port, reusePort)];
    throw error;
  }
  try {
    // Unshared even if the port is to be: it shows whether the first socket takes IPv4.
    const ipv4 = bind("0.0.0.0", both.endpoint.port, false);
    if (!reusePort) return [both, ipv4];
    ipv4.listener.close();
    return [both, bind("0.0.0.0", both.endpoint.port, true)];
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return [both]; // by this very socket, which takes IPv4 as well
    both.listener.close();
    throw error;
  }
}

function bind(hostname: string, port: number, reusePort: boolean): Bound {
  const options = { hostname, port, tcpBacklog: BACKLOG, ...(reusePort && { reusePort }) };
  const listener = Deno.listen(options);
  return {
    listener,
    endpoint: { transport: "tcp", hostname: listener.addr.hostname, port: listener.addr.port },
  };
}

function isWithoutIpv6(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  return code === "EAFNOSUPPORT" || code === "EADDRNOTAVAIL";
}

/** How to connect. */
export interface ConnectOptions {
  /** Use addresses of this IP version only. */
  family?: 4 | 6;
  /** Milliseconds for the name and the connection together; 0 for as long as the system tries. */
  timeout: number;
  /** Gives up when aborted, with the signal's reason. */
  signal: AbortSignal;
}

/**
 * Connects to an endpoint. Without `family`, all addresses of the name are tried.
 *
 * @throws the errors of `Deno.connect`; `Deno.errors.TimedOut` after the timeout; an Error when the name has no
 * address of the family.
 */
export async function connectTcp(endpoint: Endpoint, options: ConnectOptions): Promise<Deno.TcpConn> {
  options.signal.throwIfAborted();
  const ended = new AbortController();
  const giveUp = Promise.withResolvers<never>();
  const end = (reason: unknown) => {
    ended.abort(reason);
    giveUp.reject(reason);
  };
  const onAbort = () => end(options.signal.reason);
  options.signal.addEventListener("abort", onAbort);
  const timer = options.timeout > 0 &&
    setTimeout(() => end(new Deno.errors.TimedOut(`no answer in ${options.timeout} ms`)), options.timeout);
  // The signal ends the TCP handshake, but not the look-up of a name: hence the race.
  const connected = connectAny(endpoint, options.family, ended.signal);
  try {
    const conn = await Promise.race([connected, giveUp.promise]);
    conn.setNoDelay(true); // a line is a message: Nagle's wait (RFC 896) would show as round-trip time
    return conn;
  } catch (error) {
    connected.then((conn) => conn.close(), () => {});
    throw error;
  } finally {
    if (timer !== false) clearTimeout(timer);
    options.signal.removeEventListener("abort", onAbort);
  }
}

async function connectAny(endpoint: Endpoint, family: 4 | 6 | undefined, signal: AbortSignal) {
  const { hostname, port } = endpoint;
  if (family === undefined) return await Deno.connect({ hostname, port, signal });
  let failure: unknown;
  for (const address of await addresses(hostname, family)) {
    try {
      return await Deno.connect({ hostname: address, port, signal });
    } catch (error) {
      failure = error;
    }
  }
  throw failure ?? new Error(`the host has no IPv${family} address`);
}

async function addresses(hostname: string, family: 4 | 6): Promise<string[]> {
  if (isIpv4(hostname) || isIpv6(hostname)) {
    return (family === 4) === isIpv4(hostname) ? [hostname] : [];
  }
  const dns = await import("node:dns/promises"); // loaded when used: it would slow each start down
  try {
    return (await dns.lookup(hostname, { family, all: true })).map(({ address }) => address);
  } catch (error) {
    if ((error as { code?: string }).code === "ENOTFOUND") return [];
    throw error;
  }
}
