/** What the transports that reach hosts have in common: all interfaces, and the addresses of a name. */
import { unlessAborted } from "../time/timers.ts";
import { type Address, type HostEndpoint, isIpv4, isIpv6 } from "./endpoint.ts";
import type { ProxyVersion } from "./proxy.ts";
import type { Cancellable } from "./transport.ts";

/** What a listener on all interfaces is asked for: IPv6, whose socket takes IPv4 too. */
export const ALL_INTERFACES = "::";

/** How to reach hosts. */
export interface HostConnectOptions {
  /** Use addresses of this IP version only. */
  family?: 4 | 6;
  /** Begins with a PROXY protocol header, which tells this connection's own addresses. */
  proxyHeader?: ProxyVersion;
}

/** A socket, and the address that it really has. */
interface HostSocket {
  address: Address;
  close(): void;
}

/** Binds a socket. `shared` says whether other processes may have the port too. */
type Bind<T> = (hostname: string, port: number, shared: boolean) => T;

/** A socket as it was bound, with its endpoint. */
type OnHost<T> = T & { endpoint: HostEndpoint; warning?: string };

/**
 * Binds what an endpoint takes: one socket, or, for "all interfaces", up to two.
 *
 * @throws what `bind` throws; an Error when the name does not resolve.
 */
export async function listenOnHost<T extends HostSocket>(
  { transport, hostname, port }: HostEndpoint,
  { shared = false, signal }: Cancellable & { shared?: boolean },
  bind: Bind<T>,
): Promise<OnHost<T>[]> {
  const found = (socket: T & { warning?: string }) => {
    const { address } = socket;
    return {
      ...socket,
      endpoint: { transport, hostname: withZoneOf(hostname, address.hostname), port: address.port },
    };
  };
  // Deno would look the name up while nothing else, such as a signal, is heeded.
  const [address] = hostname === ALL_INTERFACES ? [] : await addressesOf(hostname, { signal });
  try {
    return (address === undefined ? bindAll(port, shared, bind) : [bind(address, port, shared)]).map(found);
  } catch (error) {
    if ((error as { code?: string }).code !== "EACCES") throw explained(error, hostname);
    throw new Error("permission denied; a port below 1024 needs root or CAP_NET_BIND_SERVICE", {
      cause: error,
    });
  }
}

/**
 * Binds one socket for IPv6 and IPv4 where the system allows that, two on one port where its IPv6 sockets take IPv6
 * alone (Windows, BSD, Linux with `net.ipv6.bindv6only`), and IPv4 alone, with a warning, where there is no IPv6.
 */
function bindAll<T extends HostSocket>(
  port: number,
  shared: boolean,
  bind: Bind<T>,
): (T & { warning?: string })[] {
  let both;
  try {
    both = bind(ALL_INTERFACES, port, shared);
  } catch (error) {
    if (!isWithoutIpv6(error)) throw error;
    return [{
      ...bind("0.0.0.0", port, shared),
      warning: "this machine has no IPv6: listening on IPv4 alone",
    }];
  }
  try {
    // Unshared even if the port is to be: it shows whether the first socket takes IPv4.
    const ipv4 = bind("0.0.0.0", both.address.port, false);
    if (!shared) return [both, ipv4];
    ipv4.close();
    return [both, bind("0.0.0.0", both.address.port, true)];
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return [both]; // by this very socket, which takes IPv4 as well
    both.close();
    throw error;
  }
}

function isWithoutIpv6(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  return code === "EAFNOSUPPORT" || code === "EADDRNOTAVAIL";
}

/**
 * The IP addresses of a host, in the system's order, at least one.
 *
 * @throws {Error} when the name does not resolve, or to no address of the family.
 */
export async function addressesOf(
  hostname: string,
  { family, signal }: HostConnectOptions & Cancellable,
): Promise<string[]> {
  const missing = () => new Error(`the host has no IPv${family} address`);
  if (isIpv4(hostname) || isIpv6(hostname)) {
    if (family !== undefined && (family === 4) !== isIpv4(hostname)) throw missing();
    return [hostname];
  }
  const dns = await import("node:dns/promises"); // loaded when used: it would slow each start down
  const looking = dns.lookup(asciiHost(hostname), { family: family ?? 0, all: true });
  try {
    return (await unlessAborted(looking, signal)).map(({ address }) => address);
  } catch (error) {
    signal?.throwIfAborted();
    if (family !== undefined && (error as { code?: string }).code === "ENOTFOUND") throw missing();
    throw new Error("the name does not resolve", { cause: error });
  }
}

/** A host as the name system knows it: a name in other letters than ASCII's in its encoding (RFC 5891, 4.4). */
export function asciiHost(hostname: string): string {
  // deno-lint-ignore no-control-regex
  if (/^[\x00-\x7f]*$/.test(hostname) || !URL.canParse(`http://${hostname}/`)) return hostname;
  return new URL(`http://${hostname}/`).hostname;
}

/** An address with the zone of another, which Deno does not tell. */
function withZoneOf(asked: string, address: string): string {
  const [, zone] = asked.split("%");
  return zone === undefined || address.includes("%") ? address : `${address}%${zone}`;
}

/** The address of a peer, if link-local with the zone of the host that is listened on. */
export function withZone<T extends Address>(peer: T, listening: string): T {
  return isLinkLocal(peer.hostname) ? { ...peer, hostname: withZoneOf(listening, peer.hostname) } : peer;
}

/** Whether an IPv6 address is of fe80::/10, and means something on one interface only. */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab].:/i.test(address);
}

/** An error of the system for an address that needs a zone, or has one that does not exist, in words. */
export function explained(error: unknown, hostname: string): unknown {
  if (!isLinkLocal(hostname)) return error;
  const [, zone] = hostname.split("%");
  if (zone === undefined && (error as { code?: string }).code === "EINVAL") {
    return new Error(`a link-local address needs its interface, as in ${hostname}%eth0`, { cause: error });
  }
  if (zone !== undefined && /^failed to lookup/.test((error as Error).message)) {
    return new Error(`this machine has no interface "${zone}"`, { cause: error });
  }
  return error;
}
