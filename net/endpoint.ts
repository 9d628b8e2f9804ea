/** The port of the classic programs, and the default of every subcommand. */
export const DEFAULT_PORT = 21567;

/** A place to listen on or to connect to, reached by a host's name or address. */
export interface HostEndpoint {
  /** A name in the list of transports (`net/transports.ts`). */
  transport: string;
  /** A name, or an IPv4 or IPv6 literal without brackets. */
  hostname: string;
  /** 0 to 65535; 0 only for a listener, which then picks a free one. */
  port: number;
}

/** A place to listen on or to connect to within this machine's file system. */
export interface PathEndpoint {
  /** A name in the list of transports (`net/transports.ts`). */
  transport: string;
  /** As the operating system takes it, absolute or from the current directory on; never empty. */
  path: string;
}

/** A place to listen on or to connect to. */
export type Endpoint = HostEndpoint | PathEndpoint;

/** What an endpoint's missing parts become. */
export interface EndpointDefaults {
  hostname: string;
  port: number;
}

/** The least port that may be named: 0 to listen on, which is any free one, and 1 to connect to. */
export type MinPort = 0 | 1;

/** Where the peer of a connection or a datagram is. */
export type Address = Pick<HostEndpoint, "hostname" | "port">;

/** Of a name, in the name system (RFC 1035, 2.3.4), less what the wire adds. */
const MAX_NAME_LENGTH = 253;

const HOST_SYNTAX = "host:port, host, :port or [::1]:port";

/**
 * Reads `host:port` or one of its short forms. An IPv6 literal without brackets is taken as a host without a port.
 *
 * @throws {Error} whose message says what was expected.
 */
export function parseAddress(text: string, defaults: EndpointDefaults, minPort: MinPort): Address {
  const parts = isIpv6(text)
    ? { literal: text }
    : /^(?:\[(?<literal>[^\]]*)\]|(?<name>[^:]*))(?::(?<port>.*))?$/s.exec(text)?.groups;
  if (parts === undefined) throw new Error(`expected ${HOST_SYNTAX}`);
  if (parts.literal !== undefined && !isIpv6(parts.literal)) {
    throw new Error(`"${parts.literal}" is not an IPv6 address, expected ${HOST_SYNTAX}`);
  }
  return {
    hostname: parts.literal ?? (parts.name ? parseHost(parts.name) : defaults.hostname),
    port: parts.port === undefined ? defaults.port : parsePort(parts.port, minPort),
  };
}

/** Reads a port. @throws {Error} whose message says what was expected. */
export function parsePort(text: string, min: MinPort): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535 || Number(text) < min) {
    throw new Error(`expected a port, ${min} to 65535`);
  }
  return Number(text);
}

/** Reads a host: a name, an IPv4 or an IPv6 literal, with or without brackets. @throws {Error} likewise. */
export function parseHost(text: string): string {
  const bare = text.replace(/^\[(.*)\]$/s, "$1");
  if (isIpv6(bare)) return bare;
  if (!/^[\p{L}\p{N}_-]+(?:\.[\p{L}\p{N}_-]+)*\.?$/u.test(text) || text.length > MAX_NAME_LENGTH) {
    throw new Error(`"${text}" is not a host, expected a name or an IP address`);
  }
  return text;
}

/** An endpoint as it is written; `parseEndpoint` in `net/transports.ts` reads it back. */
export function formatEndpoint(endpoint: Endpoint): string {
  return "path" in endpoint
    ? `${endpoint.transport}:${endpoint.path}`
    : `${endpoint.transport}://${formatAddress(endpoint)}`;
}

/** `host:port`, with an IPv6 literal in brackets and an IPv4-mapped one as the IPv4 it is. */
export function formatAddress({ hostname, port }: Address): string {
  const plain = withoutMapping(hostname);
  return plain.includes(":") ? `[${plain}]:${port}` : `${plain}:${port}`;
}

/** An IP address as Deno writes it, an IPv4-mapped one (RFC 4291, 2.5.5.2) as the IPv4 address that it means. */
export function withoutMapping(ip: string): string {
  return ip.replace(/^::ffff:(?=\d+\.)/i, "");
}

/** An IP address in its one form: without a zone, an IPv6 one short (RFC 5952), an IPv4-mapped one as the IPv4 it is. */
export function canonical(ip: string): string {
  const plain = withoutMapping(ip.split("%")[0]!);
  if (isIpv4(plain)) return plain;
  // The URL parser writes the short form, but a mapped address with hexadecimal digits alone.
  const short = new URL(`http://[${plain}]/`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(short) ?? [];
  if (high === undefined || low === undefined) return short;
  return [high, low].flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]).join(".");
}

/** Whom an address belongs to: an IPv4 address stands for itself, an IPv6 one for its /64, all of which a host may use. */
export function sourceOf(address: string): string {
  const ip = withoutMapping(address);
  return isIpv4(ip) ? ip : network64(ip);
}

/** The first four groups of an IPv6 address as Deno writes it: compressed (RFC 5952), with or without a zone. */
function network64(ip: string): string {
  const [head, tail] = ip.split("%")[0]!.split("::");
  const before = head === "" ? [] : head!.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  if (tail === undefined) return before.slice(0, 4).join(":");
  return [...before, ...Array(8 - before.length - after.length).fill("0"), ...after].slice(0, 4).join(":");
}

/** Whether a text is an IPv6 literal (RFC 4291, 2.2), with or without a zone (`fe80::1%eth0`). */
export function isIpv6(text: string): boolean {
  const [address, zone, ...more] = text.split("%");
  if (more.length > 0 || (zone !== undefined && !/^[\w.-]+$/.test(zone))) return false;
  // The URL parser knows the grammar; it stands for an IPv6 address only in brackets.
  return /^[0-9a-f:.]+$/i.test(address!) && URL.canParse(`http://[${address}]/`);
}

/** Whether a text is an IPv4 literal in the usual four decimal parts. */
export function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}
