/** The port of the classic programs, and the default of every subcommand. */
export const DEFAULT_PORT = 21567;

/** A place to listen on or to connect to. */
export interface Endpoint {
  transport: "tcp";
  /** A name, or an IPv4 or IPv6 literal without brackets. */
  hostname: string;
  /** 0 to 65535; 0 only for a listener, which then picks a free one. */
  port: number;
}

/** What an endpoint's missing parts become. */
export interface EndpointDefaults {
  hostname: string;
  port: number;
}

const SYNTAX = "tcp://host:port, host:port, host, :port or [::1]:port";

/**
 * Reads an endpoint: a URL such as `tcp://[::1]:21567`, or one of its short forms. An IPv6 literal without brackets
 * is taken as a host without a port.
 *
 * @throws {Error} whose message says what was expected.
 */
export function parseEndpoint(text: string, defaults: EndpointDefaults): Endpoint {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text);
  if (scheme !== null && scheme[1]!.toLowerCase() !== "tcp") {
    throw new Error(`unknown scheme "${scheme[1]}", expected ${SYNTAX}`);
  }
  const rest = text.slice(scheme?.[0].length ?? 0);
  const parts = isIpv6(rest)
    ? { literal: rest }
    : /^(?:\[(?<literal>[^\]]*)\]|(?<name>[^:]*))(?::(?<port>.*))?$/s.exec(rest)?.groups;
  if (parts === undefined || text === "") throw new Error(`expected ${SYNTAX}`);
  if (parts.literal !== undefined && !isIpv6(parts.literal)) {
    throw new Error(`"${parts.literal}" is not an IPv6 address, expected ${SYNTAX}`);
  }
  return {
    transport: "tcp",
    hostname: parts.literal ?? (parts.name ? parseHost(parts.name) : defaults.hostname),
    port: parts.port === undefined ? defaults.port : parsePort(parts.port),
  };
}

/** Reads a port. @throws {Error} whose message says what was expected. */
export function parsePort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) throw new Error("expected a port, 0 to 65535");
  return Number(text);
}

/** Reads a host: a name, an IPv4 or an IPv6 literal, with or without brackets. @throws {Error} likewise. */
export function parseHost(text: string): string {
  const bare = text.replace(/^\[(.*)\]$/s, "$1");
  if (isIpv6(bare)) return bare;
  if (!/^[\p{L}\p{N}_.-]{1,253}$/u.test(text)) {
    throw new Error(`"${text}" is not a host, expected a name or an IP address`);
  }
  return text;
}

/** The URL of an endpoint; {@linkcode parseEndpoint} reads it back. */
export function formatEndpoint(endpoint: Endpoint): string {
  return `${endpoint.transport}://${formatAddress(endpoint)}`;
}

/** `host:port`, with an IPv6 literal in brackets and an IPv4-mapped one (RFC 4291, 2.5.5.2) as the IPv4 it is. */
export function formatAddress({ hostname, port }: { hostname: string; port: number }): string {
  const plain = hostname.replace(/^::ffff:(?=\d+\.)/i, "");
  return plain.includes(":") ? `[${plain}]:${port}` : `${plain}:${port}`;
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
