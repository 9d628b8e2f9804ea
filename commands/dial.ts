/** The options of all commands that connect. */
import { UsageError } from "../cli/parser.ts";
import { note } from "../cli/stdio.ts";
import { formatTime, parseChoice, parsePath, parseTime } from "../cli/values.ts";
import { DIAL_DEFAULTS, type DialOptions } from "../net/dial.ts";
import { DEFAULT_PORT, type Endpoint, isIpv4, isIpv6, parseHost, parsePort } from "../net/endpoint.ts";
import { PROXY_VERSIONS, type ProxyVersion } from "../net/proxy.ts";
import { STREAM_TRANSPORTS, transportOf } from "../net/transports.ts";
import {
  checkTransports,
  type Given,
  HOST,
  PORT,
  readEndpoints,
  type TransportOptionTable,
} from "./endpoints.ts";

const TLS = ["tls"] as const;

export const DIAL_OPTIONS = {
  host: { ...HOST, help: "server's name or address", default: "localhost" },
  port: {
    ...PORT,
    read: (text: string) => parsePort(text, 1),
    help: "server's port",
    default: String(DEFAULT_PORT),
  },
  ipv4: { group: "Endpoints", short: "4", help: "connect over IPv4 only" },
  ipv6: { group: "Endpoints", short: "6", help: "connect over IPv6 only" },
  "send-proxy": {
    group: "Endpoints",
    value: PROXY_VERSIONS.join("|"),
    read: (text) => parseChoice(text, PROXY_VERSIONS),
    transports: STREAM_TRANSPORTS,
    help: "begin each connection with a PROXY protocol header, as a balancer does",
  },
  "connect-timeout": {
    group: "Endpoints",
    value: "TIME",
    read: parseTime,
    help: "longest wait for name, connection and TLS together; 0 = the system's own limit",
    default: formatTime(DIAL_DEFAULTS.connectTimeout),
  },
} as const satisfies TransportOptionTable;

export const DIAL_TLS_OPTIONS = {
  ca: {
    group: "TLS",
    value: "FILE",
    read: parsePath,
    transports: TLS,
    help: "trust the CA certificates in this file (PEM) as well as the system's and Mozilla's",
  },
  "server-name": {
    group: "TLS",
    value: "NAME",
    read: parseHost,
    transports: TLS,
    help: "name expected in the server's certificate (default: the host)",
  },
  insecure: { group: "TLS", short: "k", transports: TLS, help: "skip certificate verification" },
  cert: {
    group: "TLS",
    value: "FILE",
    read: parsePath,
    transports: TLS,
    help: "client certificate and its chain (PEM), for servers that ask for one",
  },
  key: {
    group: "TLS",
    value: "FILE",
    read: parsePath,
    transports: TLS,
    help: "private key of the client certificate (PEM; default: in the --cert file)",
  },
} as const satisfies TransportOptionTable;

/** The values of these options, as they are read. */
interface DialValues {
  host?: string;
  port?: number;
  ca?: string;
  serverName?: string;
  insecure?: true;
  cert?: string;
  key?: string;
  sendProxy?: ProxyVersion;
  ipv4?: true;
  ipv6?: true;
  connectTimeout?: number;
}

/** Where the arguments are `web 7007`, as nc and telnet take them: what to write instead. */
function hostWithPort(host: string, port: string): string | undefined {
  const name = isIpv6(host) ? `[${host}]` : host;
  const lacksPort = /^(?:\w+:\/\/)?(?:\[.+\]|[^:/]+)$/.test(name);
  return lacksPort && /^\d{1,5}$/.test(port) ? `is it a port? write ${name}:${port}` : undefined;
}

/**
 * Checks what these options gave, and parts it from the values of the command's own options.
 *
 * @param command for messages: `the client`. @param table all options of the command. @param others further endpoints
 * that are connected to. @throws {UsageError}
 */
export function readDial<Values extends DialValues>(
  command: string,
  parsed: Given,
  table: TransportOptionTable,
  values: Values,
  others: readonly Endpoint[] = [],
): { dial: DialOptions; own: Omit<Values, keyof DialValues> } {
  const { host, port, ca, serverName, insecure, cert, key, sendProxy, ipv4, ipv6, connectTimeout, ...own } =
    values;
  const { positionals } = parsed;
  const [first, second] = positionals;
  if (second !== undefined) {
    const reason = `${command} takes one endpoint and has "${first}" already`;
    if (/^(?:ms|[smh])$/i.test(first!)) {
      throw new UsageError("use argument", first!, "is it a unit? write it behind its number, such as 100ms");
    }
    const hint = "message" in table && /^[\w.,]+$/.test(second) ? `; did you mean -m ${second}?` : "";
    throw new UsageError("use argument", second, hostWithPort(first!, second) ?? reason + hint);
  }
  const named = { ...(host !== undefined && { host }), ...(port !== undefined && { port }) };
  const endpoint = readEndpoints(positionals, named, { hostname: "localhost", port: DEFAULT_PORT }, 1)[0]!;
  if (ipv4 && ipv6) throw new UsageError("use option", "-6", "-4 is given too");
  const family = ipv4 ? 4 : ipv6 ? 6 : undefined;
  if (family !== undefined) checkFamily(family, [endpoint, ...others]);
  checkTransports(parsed, table, [endpoint, ...others]);
  if (insecure && ca !== undefined) {
    throw new UsageError("use option", "--insecure", "--ca is given too, and would not be used");
  }
  const identity = readCertAndKey(cert, key);
  const dial: DialOptions = {
    ...DIAL_DEFAULTS,
    endpoint,
    ...(family !== undefined && { family }),
    ...(connectTimeout !== undefined && { connectTimeout }),
    ...(ca !== undefined && { caFile: ca }),
    ...(serverName !== undefined && { serverName }),
    ...(insecure && { insecure }),
    ...(identity !== undefined && { identity }),
    ...(sendProxy !== undefined && { proxyHeader: sendProxy }),
  };
  return { dial, own };
}

/** The files of a certificate and its key, which may be one. @throws {UsageError} */
export function readCertAndKey(
  cert: string | undefined,
  key: string | undefined,
): { cert: string; key: string } | undefined {
  if (cert !== undefined) return { cert, key: key ?? cert };
  if (key !== undefined) throw new UsageError("use option", "--key", "it needs --cert too");
}

/** Says on stderr what --insecure gives up. */
export async function warnIfInsecure({ insecure }: DialOptions): Promise<void> {
  if (insecure) await note("--insecure: the server's certificate is not verified, it may be anybody's");
}

/** @throws {UsageError} when an endpoint has no address of this IP version, or none has any. */
function checkFamily(family: 4 | 6, endpoints: readonly Endpoint[]): void {
  if (endpoints.every((it) => transportOf(it).addressing === "path")) {
    throw new UsageError("use option", `-${family}`, "a Unix socket has no IP version");
  }
  for (const endpoint of endpoints) {
    if (!("hostname" in endpoint)) continue;
    const { hostname } = endpoint;
    const version = isIpv4(hostname) ? 4 : isIpv6(hostname) ? 6 : family;
    if (version === family) continue;
    throw new UsageError("use option", `-${family}`, `"${hostname}" is an IPv${version} address`);
  }
}
