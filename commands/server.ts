/** `tsecho server`: its options, and how it is joined to stdout, the log and the signals. */
import { Log, LOG_FORMATS, type LogOptions } from "../cli/log.ts";
import { type OptionValues, type Parsed, UsageError } from "../cli/parser.ts";
import { print } from "../cli/stdio.ts";
import {
  formatMode,
  formatSize,
  formatTime,
  grouped,
  parseChoice,
  parseCount,
  parseMode,
  parsePath,
  parseSize,
  parseTime,
} from "../cli/values.ts";
import { Failure } from "../failure.ts";
import { CidrSet } from "../net/cidr.ts";
import { DEFAULT_PORT, type Endpoint, formatEndpoint, parsePort } from "../net/endpoint.ts";
import { ALL_INTERFACES } from "../net/hosts.ts";
import { STREAM_TRANSPORTS, transportOf } from "../net/transports.ts";
import { CHUNK_SIZE, FRAMINGS, STAMP_FORMATS } from "../protocol.ts";
import { isTag, MAX_CONNS, serve, type Server, SERVER_DEFAULTS, type ServerOptions } from "../server.ts";
import { Command, INFO_OPTIONS, type Outcome, type Signals } from "./command.ts";
import { readCertAndKey } from "./dial.ts";
import {
  checkTransports,
  HOST,
  PORT,
  readEndpoints,
  type TransportOptionTable,
  UDP_RATE,
} from "./endpoints.ts";
import { logEvent } from "./server_log.ts";

const MAX_MAX_LINE = 64 * 1024 * 1024;
const MAX_MAX_MEMORY = 1024 ** 4;
const MAX_MAX_CONNS = 1_000_000;
/** How long the last lines of the log may take when nobody reads them. */
const LOG_FLUSH_MS = 1000;

const OPTIONS = {
  host: { ...HOST, help: "address to listen on (default: all, IPv6 and IPv4)" },
  port: {
    ...PORT,
    read: (text) => parsePort(text, 0),
    help: "port to listen on; 0 = a free one",
    default: String(DEFAULT_PORT),
  },
  "reuse-port": {
    group: "Endpoints",
    transports: ["tcp", "tls"],
    help: "share the port with other servers that have this option, to use more cores (Linux)",
  },
  "unix-mode": {
    group: "Endpoints",
    value: "MODE",
    read: parseMode,
    transports: ["unix"],
    help: "permissions of unix: endpoints' files",
    default: formatMode(SERVER_DEFAULTS.unixMode),
  },
  framing: {
    group: "Replies",
    value: "line|chunk",
    read: (text) => parseChoice(text, FRAMINGS),
    transports: STREAM_TRANSPORTS,
    help: `what is answered: each line, or what each read delivers, at most ${grouped(CHUNK_SIZE)} bytes`,
    default: SERVER_DEFAULTS.framing,
  },
  stamp: {
    group: "Replies",
    value: "FORMAT",
    read: (text) => parseChoice(text, STAMP_FORMATS),
    help: "format of the time in front of each line",
    default: SERVER_DEFAULTS.stamp,
  },
  tag: {
    group: "Replies",
    value: "TAG",
    read: parseTag,
    help: "shown after the stamp, to tell servers apart",
  },
  "max-line": {
    group: "Limits",
    value: "SIZE",
    read: (text) => parseSize(text, 1, MAX_MAX_LINE),
    transports: STREAM_TRANSPORTS,
    help: `longest line without its LF, up to ${formatSize(MAX_MAX_LINE)}`,
    default: formatSize(SERVER_DEFAULTS.maxLine),
  },
  "max-memory": {
    group: "Limits",
    value: "SIZE",
    read: (text) => parseSize(text, 1024 ** 2, MAX_MAX_MEMORY),
    transports: STREAM_TRANSPORTS,
    help: "most memory for the lines of all connections; above it, the longest unfinished line is refused",
    default: formatSize(SERVER_DEFAULTS.maxMemory),
  },
  "max-conns": {
    group: "Limits",
    value: "N",
    read: (text) => parseCount(text, 1, MAX_MAX_CONNS),
    transports: STREAM_TRANSPORTS,
    help: `most connections at once (default ${
      grouped(MAX_CONNS)
    }, or fewer if the descriptor limit allows fewer)`,
  },
  "max-conns-per-ip": {
    group: "Limits",
    value: "N",
    read: (text) => parseCount(text, 1, MAX_MAX_CONNS),
    transports: ["tcp", "tls"],
    help: "most connections at once from one address (default: no limit)",
  },
  "idle-timeout": {
    group: "Limits",
    value: "TIME",
    read: parseTime,
    transports: STREAM_TRANSPORTS,
    help: "close a connection on which no byte moves; 0 = never",
    default: formatTime(SERVER_DEFAULTS.idleTimeout),
  },
  "line-timeout": {
    group: "Limits",
    value: "TIME",
    read: parseTime,
    transports: STREAM_TRANSPORTS,
    help: "longest time from a line's first byte to its LF; 0 = no limit",
    default: formatTime(SERVER_DEFAULTS.lineTimeout),
  },
  "drain-delay": {
    group: "Limits",
    value: "TIME",
    read: parseTime,
    help: "after SIGTERM or SIGINT, serve and accept as before for this long, then drain",
    default: formatTime(SERVER_DEFAULTS.drainDelay),
  },
  "drain-timeout": {
    group: "Limits",
    value: "TIME",
    read: parseTime,
    transports: STREAM_TRANSPORTS,
    help: "end connections that are still busy this long after the drain began; 0 = no limit",
    default: formatTime(SERVER_DEFAULTS.drainTimeout),
  },
  allow: {
    group: "Access",
    value: "CIDR,...",
    read: CidrSet.parse,
    transports: ["tcp", "tls", "udp"],
    help: "let in only these addresses (default: all)",
  },
  deny: {
    group: "Access",
    value: "CIDR,...",
    read: CidrSet.parse,
    transports: ["tcp", "tls", "udp"],
    help: "keep these out, even if allowed",
  },
  "proxy-protocol": {
    group: "Access",
    transports: STREAM_TRANSPORTS,
    help:
      "streams begin with a PROXY protocol header, version 1 or 2, that names the client; needs --proxy-from",
  },
  "proxy-from": {
    group: "Access",
    value: "CIDR,...",
    read: CidrSet.parse,
    transports: STREAM_TRANSPORTS,
    help: "the balancers: connections from elsewhere are closed",
  },
  cert: {
    group: "TLS",
    value: "FILE",
    read: parsePath,
    transports: ["tls"],
    help: "certificate of tls:// endpoints and its chain (PEM)",
  },
  key: {
    group: "TLS",
    value: "FILE",
    read: parsePath,
    transports: ["tls"],
    help: "its private key (PEM; default: in the --cert file)",
  },
  "client-ca": {
    group: "TLS",
    value: "FILE",
    read: parsePath,
    transports: ["tls"],
    help: "let in only clients with a certificate signed by one of these CAs (PEM)",
  },
  "handshake-timeout": {
    group: "TLS",
    value: "TIME",
    read: parseTime,
    transports: ["tls"],
    help: "longest TLS handshake; 0 = no limit",
    default: formatTime(SERVER_DEFAULTS.handshakeTimeout),
  },
  "udp-rate": {
    ...UDP_RATE,
    help: "most answers a second to one source of datagrams; 0 = no limit",
    default: SERVER_DEFAULTS.udpRate,
  },
  quiet: { group: "Log", short: "q", help: "log only warnings" },
  log: {
    group: "Log",
    value: "text|json",
    read: (text) => parseChoice(text, LOG_FORMATS),
    help: "format of the log on stderr",
    default: "text",
  },
  ...INFO_OPTIONS,
} as const satisfies TransportOptionTable;

const ABOUT = `\
Echoes each line with a timestamp from its own clock in front: "[2026-11-23T03:37:00.123456Z] hello". It listens on \
any mix of endpoints; for each, "listening on tcp://host:port" goes to stdout. The log goes to stderr. Over UDP each \
datagram gets one answer.

SIGTERM and SIGINT drain it: it stops accepting, serves each connection until it is quiet, and closes it. A second \
one of them, at least 300 ms later, ends it at once. SIGQUIT drains too, without --drain-delay, and is not counted. \
SIGHUP reads the TLS files again, for new connections; without TLS it does nothing.`;

const EXAMPLES: [string, string][] = [
  ["tsecho server", `port ${DEFAULT_PORT}, all interfaces`],
  ["tsecho server :7007 [::1]:7008", "two endpoints"],
  ["tsecho server tcp://:21567 udp://:21567 unix:/run/tsecho.sock", ""],
  ["tsecho server tls://:21568 --cert chain.pem --key key.pem", ""],
  ["tsecho server tls://:21568 --cert all.pem --client-ca ca.pem", "mutual TLS"],
  ["tsecho server --proxy-protocol --proxy-from 10.0.0.5", "behind HAProxy"],
  ["tsecho server --allow 10.0.0.0/8,::1 --max-conns-per-ip 20", ""],
  ["tsecho server --port 0", "a free port; read it from stdout"],
  ["tsecho server --framing chunk --stamp ctime", "as the classic Python server"],
  ["tsecho server --framing chunk --stamp none", "plain echo (RFC 862)"],
];

type Values = OptionValues<typeof OPTIONS>;

/** What `tsecho server` is to do. */
interface Request {
  options: ServerOptions & { listen: Endpoint[] };
  log: LogOptions;
}

function read(parsed: Parsed<typeof OPTIONS>): Request {
  const { host, port, quiet, log, cert, key, clientCa, proxyProtocol, ...own } = parsed.values();
  const named = { ...(host !== undefined && { host }), ...(port !== undefined && { port }) };
  const defaults = { hostname: ALL_INTERFACES, port: DEFAULT_PORT };
  const endpoints = readEndpoints(parsed.positionals, named, defaults, 0);
  checkPlainOptions(own);
  checkTransports(parsed, optionsFor(proxyProtocol), endpoints);
  const files = readCertAndKey(cert, key);
  checkEndpoints(endpoints, own.stamp, files !== undefined);
  if (proxyProtocol !== (own.proxyFrom && true)) {
    const [given, needed] = proxyProtocol ? ["protocol", "from"] : ["from", "protocol"];
    throw new UsageError("use option", `--proxy-${given}`, `it needs --proxy-${needed} too`);
  }
  const tls = files !== undefined && { tls: { ...files, ...(clientCa !== undefined && { clientCa }) } };
  return {
    options: { ...SERVER_DEFAULTS, ...own, ...tls, listen: endpoints },
    log: { format: log ?? "text", quiet: quiet ?? false },
  };
}

/** Checks that need no endpoint. @throws {UsageError} */
function checkPlainOptions({ tag, stamp, maxLine, maxMemory, framing, reusePort }: Values): void {
  if (tag !== undefined && stamp === "none") {
    throw new UsageError("use --tag", tag, "with --stamp none there is no prefix to show it in");
  }
  if (maxLine !== undefined && framing === "chunk") {
    throw new UsageError("use --max-line", formatSize(maxLine), "with --framing chunk there are no lines");
  }
  // Either alone is within the other's default.
  if (maxLine !== undefined && maxMemory !== undefined && maxLine > maxMemory) {
    const least = `expected at least --max-line, ${formatSize(maxLine)}`;
    throw new UsageError("use --max-memory", formatSize(maxMemory), least);
  }
  if (reusePort && Deno.build.os !== "linux") {
    throw new UsageError("use option", "--reuse-port", "only Linux shares out a port's connections");
  }
}

/** The table that says which options the endpoints allow. */
function optionsFor(proxyProtocol: true | undefined): TransportOptionTable {
  if (!proxyProtocol) return OPTIONS;
  // A balancer names its clients' addresses, whatever it comes through.
  const { allow: _allow, deny: _deny, "max-conns-per-ip": _perIp, ...rest } = OPTIONS;
  return rest;
}

/** @throws {UsageError} for an endpoint that cannot be used with these options, or without others. */
function checkEndpoints(endpoints: Endpoint[], stamp: Values["stamp"], hasIdentity: boolean): void {
  const datagrams = endpoints.find((it) => transportOf(it).kind === "datagram");
  if (datagrams !== undefined && stamp === "none") {
    throw new UsageError(
      "use endpoint",
      formatEndpoint(datagrams),
      "with --stamp none a reply looks like a request, and two servers could echo each other for ever",
    );
  }
  const secure = endpoints.find(({ transport }) => transport === "tls");
  if (secure !== undefined && !hasIdentity) {
    const reason = "it needs --cert, and --key unless that has it";
    throw new UsageError("use endpoint", formatEndpoint(secure), reason);
  }
}

function parseTag(text: string): string {
  if (isTag(text)) return text;
  throw new Error("expected 1 to 64 visible ASCII characters other than blanks and brackets");
}

async function run({ options, log: format }: Request, signals: Signals): Promise<Outcome> {
  const log = new Log(format);
  const stop = new AbortController();
  let running: Server | undefined;
  signals.stop().addEventListener("abort", () => stop.abort());
  signals.on("SIGQUIT", () => running === undefined ? stop.abort() : void running.drain());
  // It ends nothing: a server may have been started to outlive its terminal.
  signals.on("SIGHUP", () => {
    if (running === undefined) log.info("reload", { reason: "the server is still starting" });
    else void running.reload();
  });
  try {
    running = await serve({ ...options, signal: stop.signal, onEvent: (event) => logEvent(event, log) });
    for (const endpoint of running.endpoints) {
      // A script may read the first line and close: the server serves on, as it does on a full disk.
      void print(`listening on ${formatEndpoint(endpoint)}`).catch((error: Error) => {
        if (error instanceof Failure) log.warn("listen", { reason: error.message });
      });
    }
    return await running.finished === "drained" ? "succeeded" : "failed";
  } finally {
    await log.flush(LOG_FLUSH_MS);
  }
}

export const server = new Command({
  name: "server",
  usage: ["[ENDPOINT...] [options]"],
  about: ABOUT,
  table: OPTIONS,
  placeholders: {
    FORMAT: STAMP_FORMATS.join(", ").replace(/, (?=\w+$)/, " or "),
    MODE: "three octal digits, as chmod takes them",
    PORT: "a number from 0 to 65535; 0 = any free one",
    SIZE: "bytes, or with a unit: 65536, 64k, 64KiB, 1m",
    TAG: "1 to 64 visible ASCII characters except [ and ]",
  },
  examples: EXAMPLES,
  read,
  run,
});
