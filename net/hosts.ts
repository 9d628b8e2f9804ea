/** What the transports that reach hosts have in common: all interfaces, and the addresses of a name. */
import { type HostEndpoint, isIpv4, isIpv6 } from "./endpoint.ts";

/** What a listener on all interfaces is asked for: IPv6, whose socket takes IPv4 too. */
export const ALL_INTERFACES = "::";

/** A socket, listening at an endpoint. */
interface BoundSocket {
  endpoint: HostEndpoint;
  close(): void;
}

/**
 * Binds one socket, or what "all interfaces" takes: one for IPv6 and IPv4 where the system allows that, two on one
 * port where its IPv6 sockets take IPv6 alone (Windows, BSD, Linux with `net.ipv6.bindv6only`), and IPv4 alone where
 * there is no IPv6, with a warning.
 *
 * @param shared whether other processes may have the port too.
 * @throws what `bind` throws.
 */
export function bindAll<T extends BoundSocket>(
  { hostname, port }: HostEndpoint,
  shared: boolean,
  bind: (hostname: string, port: number, shared: boolean) => T,
): (T & { warning?: string })[] {
  if (hostname !== ALL_INTERFACES) return [bind(hostname, port, shared)];
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
    const ipv4 = bind("0.0.0.0", both.endpoint.port, false);
    if (!shared) return [both, ipv4];
    ipv4.close();
    return [both, bind("0.0.0.0", both.endpoint.port, true)];
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
 * The IP addresses of a host, in the system's order; of one IP version if asked for, and then there may be none.
 *
 * @throws {Error} when the name does not resolve.
 */
export async function addresses(hostname: string, family?: 4 | 6): Promise<string[]> {
  if (isIpv4(hostname) || isIpv6(hostname)) {
    return family === undefined || (family === 4) === isIpv4(hostname) ? [hostname] : [];
  }
  const dns = await import("node:dns/promises"); // loaded when used: it would slow each start down
  try {
    return (await dns.lookup(hostname, { family: family ?? 0, all: true })).map(({ address }) => address);
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOTFOUND") throw error;
    if (family !== undefined) return [];
    throw new Error("the name does not resolve");
  }
}
