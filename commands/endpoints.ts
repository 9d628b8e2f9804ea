/** Endpoints on the command line, and the options that are for endpoints of some transports alone. */
import { type Option, type Parsed, UsageError } from "../cli/parser.ts";
import { parseCount } from "../cli/values.ts";
import {
  type Endpoint,
  type EndpointDefaults,
  formatEndpoint,
  type MinPort,
  parseHost,
} from "../net/endpoint.ts";
import { defaultEndpoint, ENDPOINT_FORMS, parseEndpoint } from "../net/transports.ts";

/** An option of a command that has endpoints. */
export interface TransportOption extends Option {
  /** It has a meaning only where an endpoint is of one of these. */
  transports?: readonly string[];
}

export type TransportOptionTable = Record<string, TransportOption>;

/** What help texts say about the placeholders in usage lines and tables. */
export const PLACEHOLDERS: Record<string, string> = {
  ENDPOINT: ENDPOINT_FORMS,
  HOST: "a name, or an IPv4 or IPv6 address",
  PORT: "a number from 1 to 65535",
  TIME: "seconds, or with a unit: 0.2, 200ms, 10s, 5m, 1h",
  SIZE: "bytes, or with a unit: 1400, 4k, 4KiB",
  N: "a whole number",
  FILE: "a path",
  NAME: "a host name or an IP address",
  TEXT: "any text, as one argument",
  CIDR: "an address or a block of them, as in 10.0.0.0/8,::1",
};

/** The most lines a second that an option may ask for. */
export const MAX_RATE = 10_000_000;
/** --udp-rate; each command says what it limits. */
export const UDP_RATE = {
  group: "UDP",
  value: "N",
  read: (text: string): number => parseCount(text, 0, MAX_RATE),
  transports: ["udp"],
};

/** --host and --port; each command reads the port as it needs one. */
export const HOST = { group: "Endpoints", value: "HOST", read: parseHost };
export const PORT = { group: "Endpoints", short: "p", value: "PORT" };

/**
 * The endpoints named, or the one that --host, --port and the defaults make. --port may go with one endpoint that has none.
 *
 * @throws {UsageError}
 */
export function readEndpoints(
  positionals: string[],
  { host, port }: { host?: string; port?: number },
  defaults: EndpointDefaults,
  minPort: MinPort,
): Endpoint[] {
  const [first] = positionals;
  if (first === undefined) {
    return [defaultEndpoint({ hostname: host ?? defaults.hostname, port: port ?? defaults.port })];
  }
  const ownPort = port !== undefined && !(positionals.length === 1 && lacksPort(first, defaults));
  const [option] = host !== undefined ? ["--host"] : ownPort ? ["--port"] : [];
  if (option !== undefined) {
    throw new UsageError("use endpoint", first, `${option} is given too; put both into the endpoint`);
  }
  return positionals.map((text) => {
    try {
      return parseEndpoint(text, { ...defaults, ...(port !== undefined && { port }) }, minPort);
    } catch (error) {
      throw new UsageError("use endpoint", text, (error as Error).message);
    }
  });
}

/** Whether an endpoint takes the port from the defaults. */
function lacksPort(text: string, defaults: EndpointDefaults): boolean {
  try {
    const [one, other] = [1, 2].map((port) => formatEndpoint(parseEndpoint(text, { ...defaults, port }, 0)));
    return one !== other;
  } catch {
    return true; // what is wrong with it is said below
  }
}

/** A command line of whatever table. */
export type Given = Pick<Parsed, "positionals" | "has">;

/** @throws {UsageError} for an option that was given though no endpoint is of its transports. */
export function checkTransports(
  parsed: Given,
  table: TransportOptionTable,
  endpoints: Endpoint[],
): void {
  for (const [name, { transports }] of Object.entries(table)) {
    if (transports === undefined || !parsed.has(name)) continue;
    if (endpoints.some(({ transport }) => transports.includes(transport))) continue;
    const which = transports.join(", ").replace(/, (?=[^,]*$)/, " or ");
    throw new UsageError("use option", `--${name}`, `it is for ${which} endpoints, and there is none`);
  }
}
