import type { ClientOptions } from "../client.ts";
import {
  DEFAULT_PORT,
  type Endpoint,
  type EndpointDefaults,
  formatEndpoint,
  isIpv4,
  isIpv6,
  parseHost,
  parsePort,
} from "../net/endpoint.ts";
import { ALL_INTERFACES } from "../net/hosts.ts";
import { CidrSet } from "../net/cidr.ts";
import { defaultEndpoint, ENDPOINT_FORMS, parseEndpoint, transportOf } from "../net/transports.ts";
import { parseThreshold } from "../latency/threshold.ts";
import type { PingOptions, ReplayOptions } from "../ping.ts";
import { CHUNK_SIZE, FRAMINGS, LEAST_PROBE, MOST_PROBE } from "../protocol.ts";
import { MOST_CONNS, type ServerOptions } from "../server.ts";
import { STAMP_FORMATS } from "../time/stamp.ts";
import {
  formatOptions,
  formatSize,
  type OptionSpec,
  parseArgv,
  parseChoice,
  parseCount,
  type Parsed,
  parseDuration,
  parseSeconds,
  parseSize,
  UsageError,
} from "./args.ts";
import type { DialOptions } from "./dial.ts";
import { LOG_FORMATS, type LogOptions } from "./log.ts";
import { formatMillis } from "./text.ts";

/** What the command line asks for. */
export type Invocation =
  | { command: "help"; text: string }
  | { command: "version" }
  | { command: "server"; options: ServerOptions; log: LogOptions }
  | { command: "client"; options: ClientOptions }
  | { command: "ping"; options: PingOptions }
  | { command: "replay"; options: ReplayOptions };

const MAX_LINE = 64 * 1024;
const LONGEST_MAX_LINE = 64 * 1024 * 1024;
const IDLE_TIMEOUT_MS = 600_000;
const DRAIN_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 10_000;
const REPLY_TIMEOUT_MS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const UNIX_MODE = 0o600;
/** Answers a second to one source of datagrams ... */
const UDP_ANSWER_RATE = 1000;
/** ... and what a client asks for by itself: half, for there may be two behind one address. */
const UDP_SEND_RATE = 500;
const PING_INTERVAL_MS = 1000;
const PING_TIMEOUT_MS = 5000;
/** ping's. */
const PING_SIZE = 56;
const MOST_PINGS = 1_000_000_000;

const COMMON: OptionSpec[] = [
  { name: "help", short: "h", help: "print this help and exit" },
  { name: "version", short: "V", help: "print the version and exit" },
];

const SERVER_OPTIONS: OptionSpec[] = [
  { name: "host", value: "HOST", help: "address to listen on (default: all, IPv6 and IPv4)" },
  { name: "port", value: "PORT", help: `port to listen on, 0 picks a free one (default ${DEFAULT_PORT})` },
  {
    name: "framing",
    value: "line|chunk",
    help: `a message is a line, or what one read delivers, at most ${CHUNK_SIZE} bytes\n(default line)`,
  },
  { name: "stamp", value: "FORMAT", help: `${STAMP_FORMATS.join(", ")} (default iso)` },
  { name: "tag", value: "TAG", help: "shown after the stamp, to tell servers apart" },
  {
    name: "max-line",
    value: "SIZE",
    help: `longest line without its LF, up to ${formatSize(LONGEST_MAX_LINE)} (default ${
      formatSize(MAX_LINE)
    })`,
  },
  {
    name: "max-conns",
    value: "N",
    help:
      `most connections at once (default ${MOST_CONNS}, or 64 less than\nthe descriptor limit if that is smaller)`,
  },
  {
    name: "reuse-port",
    help: "shares the port with other servers started so, to use more\ncores (Linux; TCP and TLS)",
  },
  {
    name: "idle-timeout",
    value: "TIME",
    help: `closes a connection on which no byte moves, 0 for never\n(default ${IDLE_TIMEOUT_MS / 60_000}m)`,
  },
  {
    name: "drain-timeout",
    value: "TIME",
    help:
      `how long connections may take to end after SIGTERM or SIGINT,\n0 for as long as they like (default ${
        formatMillis(DRAIN_TIMEOUT_MS)
      })`,
  },
  {
    name: "max-conns-per-ip",
    value: "N",
    help: "most connections at once from one address (default: any number)",
  },
  {
    name: "allow",
    value: "CIDR,...",
    help: "let in only these addresses (default: all)",
  },
  { name: "deny", value: "CIDR,...", help: "keep these out, even if allowed" },
  { name: "cert", value: "FILE", help: "certificate for tls:// endpoints, with its chain (PEM)" },
  { name: "key", value: "FILE", help: "its key (PEM; default: the --cert file)" },
  {
    name: "client-ca",
    value: "FILE",
    help: "let in only TLS clients with a certificate that one of these\nhas signed (PEM)",
  },
  {
    name: "handshake-timeout",
    value: "TIME",
    help: `longest TLS handshake, 0 for ever (default ${formatMillis(HANDSHAKE_TIMEOUT_MS)})`,
  },
  {
    name: "unix-mode",
    value: "MODE",
    help: `permissions of unix: endpoints' files, octal (default ${formatMode(UNIX_MODE)})`,
  },
  {
    name: "udp-rate",
    value: "N",
    help: `most answers a second to one source of datagrams, 0 for any number\n(default ${UDP_ANSWER_RATE})`,
  },
  {
    name: "proxy-protocol",
    help:
      "streams begin with a PROXY protocol header, version 1 or 2, that\nnames the client; needs --proxy-from",
  },
  { name: "proxy-from", value: "CIDR,...", help: "the balancers: connections from elsewhere are closed" },
  { name: "quiet", short: "q", help: "log only warnings" },
  { name: "log", value: "text|json", help: "format of the log on stderr (default text)" },
  ...COMMON,
];

/** For every subcommand that connects. */
const DIAL_OPTIONS: OptionSpec[] = [
  { name: "host", value: "HOST", help: "server's name or address (default localhost)" },
  { name: "port", value: "PORT", help: `server's port (default ${DEFAULT_PORT})` },
  {
    name: "ca",
    value: "FILE",
    help: "trust these certificates too (PEM), beside the system's and Mozilla's",
  },
  {
    name: "server-name",
    value: "NAME",
    help: "the name that the server's certificate has to bear (default: the host)",
  },
  { name: "insecure", help: "take any certificate" },
  {
    name: "cert",
    value: "FILE",
    help: "certificate to show a server that asks for one, with its chain (PEM)",
  },
  { name: "key", value: "FILE", help: "its key (PEM; default: the --cert file)" },
  { name: "ipv4", short: "4", help: "connect over IPv4 only" },
  { name: "ipv6", short: "6", help: "connect over IPv6 only" },
  {
    name: "connect-timeout",
    value: "TIME",
    help: `for name and connection together, 0 for as long as the system tries\n(default ${
      formatMillis(CONNECT_TIMEOUT_MS)
    })`,
  },
];

const CLIENT_OPTIONS: OptionSpec[] = [
  ...DIAL_OPTIONS,
  {
    name: "timeout",
    value: "TIME",
    help: `longest wait for a reply, 0 for ever (default ${formatMillis(REPLY_TIMEOUT_MS)})`,
  },
  {
    name: "framing",
    value: "line|chunk",
    help: "how the server tells messages apart: by LF, or by its reads\n(default line)",
  },
  {
    name: "udp-rate",
    value: "N",
    help: `most lines a second that a filter sends as datagrams, 0 for no limit\n(default ${UDP_SEND_RATE})`,
  },
  {
    name: "message",
    short: "m",
    value: "TEXT",
    repeat: true,
    help: "send this, print the reply and end; may repeat",
  },
  ...COMMON,
];

const ENDPOINTS = `An endpoint is ${ENDPOINT_FORMS.replace(/(.*), (.*) or/s, "$1,\n$2 or")}.`;

const PING_OPTIONS: OptionSpec[] = [
  ...DIAL_OPTIONS,
  { name: "count", short: "c", value: "N", help: "end after so many lines (default: at Ctrl-C)" },
  {
    name: "interval",
    short: "i",
    value: "TIME",
    help: `from line to line, 0 for as fast as replies come (default ${formatMillis(PING_INTERVAL_MS)})`,
  },
  {
    name: "size",
    short: "s",
    value: "SIZE",
    help: `payload of a line, ${LEAST_PROBE} to ${MOST_PROBE} bytes (default ${PING_SIZE})`,
  },
  {
    name: "timeout",
    short: "W",
    value: "TIME",
    help: `longest wait for a reply (default ${formatMillis(PING_TIMEOUT_MS)})`,
  },
  { name: "deadline", short: "w", value: "TIME", help: "end after this time, whatever has come" },
  {
    name: "udp-rate",
    value: "N",
    help: `most lines a second over UDP with an interval of 0, 0 for no limit\n(default ${UDP_SEND_RATE})`,
  },
  { name: "reconnect", help: "a new connection for each line, at most 256 at once" },
  { name: "quiet", short: "q", help: "no line for each reply, in text and in --json-stream" },
  { name: "timestamps", short: "D", help: "the local time in front of each reply's line" },
  {
    name: "clocks-synced",
    help: "the clocks are known to agree: report one-way delays as such",
  },
  {
    name: "fail-if",
    value: "CONDITION",
    repeat: true,
    help: "exit with 3 if it holds at the end, such as 'p99>5ms'; may repeat",
  },
  { name: "json", value: "FILE", help: "write the run as one JSON document; - for stdout" },
  { name: "json-stream", help: "write the run to stdout as it goes on, one JSON object a line" },
  { name: "csv", value: "FILE", help: "write a row for each reply; - for stdout" },
  { name: "from", value: "FILE", help: "no new run: summarise one that --json or --json-stream wrote" },
  { name: "no-tty", help: "no live line, even on a terminal" },
  ...COMMON,
];
/** Those that have a meaning with --from. */
const REPLAY_OPTIONS = ["from", "json", "csv", "fail-if", "quiet", "clocks-synced"];
const SIZES_AND_TIMES = "A SIZE is 65536, 64k or 64KiB; a TIME is 500ms, 10s, 5m, 1h or 0.";

const HELP = `tsecho: a timestamping line echo

usage: tsecho server [ENDPOINT...] [options]
       tsecho client [ENDPOINT] [options]
       tsecho ping [ENDPOINT] [options]

  server   answers each line with its clock in front
  client   talks to a server: a prompt on a terminal, a filter in a pipe
  ping     measures round trips, loss, clock offset and the direction of delay

  -h, --help      print help and exit; after a command, that command's
  -V, --version   print the version and exit

examples:
  tsecho server                      listen on port ${DEFAULT_PORT}, all interfaces
  tsecho client web                  talk to the server on the host "web"
  tsecho client web < access.log     send a file, print the replies
  tsecho ping web                    a line a second; Ctrl-C for the summary

exit codes: 0 success, 1 it ran and failed, 2 usage error, 3 a --fail-if condition held`;

const SERVER_HELP = `usage: tsecho server [ENDPOINT...] [options]

Answers each line with its clock in front: "[2026-11-23T03:37:00.123456Z] hello".
It listens on any mix of endpoints; for each, "listening on tcp://host:port" goes to
stdout, the log to stderr. Over UDP each datagram is answered by one.
SIGTERM and SIGINT end it in order: what has been read is answered; a second one
ends it at once. SIGHUP reads certificate and key again, for new connections.

${formatOptions(SERVER_OPTIONS)}

${ENDPOINTS}
${SIZES_AND_TIMES}

examples:
  tsecho server                          port ${DEFAULT_PORT}, all interfaces
  tsecho server :7007 [::1]:7008         two endpoints
  tsecho server tcp://:21567 udp://:21567 unix:/run/tsecho.sock
  tsecho server tls://:21568 --cert chain.pem --key key.pem
  tsecho server tls://:21568 --cert all.pem --client-ca ca.pem    mutual TLS
  tsecho server --proxy-protocol --proxy-from 10.0.0.5    behind HAProxy
  tsecho server --allow 10.0.0.0/8,::1 --max-conns-per-ip 20
  tsecho server --port 0                 a free port; read it from stdout
  tsecho server --framing chunk --stamp ctime     as the classic Python server
  tsecho server --framing chunk --stamp none      plain echo (RFC 862)`;

const CLIENT_HELP = `usage: tsecho client [ENDPOINT] [options]

On a terminal it prompts "> ", sends the line, prints the reply, and ends on an empty
line, Ctrl-D or Ctrl-C. With stdin piped it is a filter: it sends all lines without
waiting for each reply, prints replies as they come, and exits with 0 only if every
line was answered. Over UDP a line is a datagram, and one not answered in --timeout
counts as lost.

${formatOptions(CLIENT_OPTIONS)}

${ENDPOINTS}
${SIZES_AND_TIMES}

examples:
  tsecho client                          a prompt, to localhost:${DEFAULT_PORT}
  tsecho client web:7007 -m hello        one line, one reply
  seq 1000 | tsecho client -4 web        a thousand lines over IPv4
  tsecho client udp://web -m hello       one datagram, one reply
  tsecho client tls://web:21568 --ca ca.pem
  tsecho client tls://web:21568 --ca ca.pem --cert me.pem --key me.key
  tsecho client unix:/run/tsecho.sock
  tsecho client --framing chunk old      to a classic Python server`;

const PING_HELP = `usage: tsecho ping [ENDPOINT] [options]
       tsecho ping --from FILE [options]

Sends a numbered line each interval and reads the stamp that comes back. At the end, and
at Ctrl-C, it reports what ping(8) does, and what stamps allow: how far apart the clocks
are, with a proven bound, whether they drift or were stepped, and which direction has the
delay; for each --tag apart. Ctrl-\\ (SIGQUIT) prints an interim line on stderr.

${formatOptions(PING_OPTIONS)}

${ENDPOINTS}
A TIME is 0.2, in seconds, or 200ms, 10s, 5m, 1h.
A CONDITION is a metric, < or >, and a limit with its unit. Metrics: min, avg, max, mdev,
p50, p99.9 and so on of the round trip; up.p99, down.p99, connect.max, handshake.max;
sent, loss, lost, late, duplicates, reordered, corrupt; offset, abs(offset), drift, abs(drift).

examples:
  tsecho ping -c 10 web                       ten lines, a second apart
  tsecho ping -i 0 -w 10 -q web:7007          as fast as replies come, for 10 seconds
  tsecho ping --reconnect -i 0.2 web          a connection for each line
  tsecho ping -c 100 -i 0.1 --fail-if 'p99>5ms' --fail-if 'loss>1%' web
  tsecho ping -c 60 --json run.json web       save a run ...
  tsecho ping --from run.json                 ... and summarise it again

exit codes: 0 a reply came, 1 none, 2 usage error, 3 a --fail-if condition held. A server
that goes away ends the run with a line on stderr; 'sent<100' catches that with -c 100`;

/**
 * Reads a whole command line, without the program's name.
 *
 * @throws {UsageError} whose message names what is wrong and what was expected.
 */
export function parseCommandLine(argv: string[]): Invocation {
  const [command, ...rest] = argv;
  switch (command) {
    case "server":
      return parseCommand(command, rest, SERVER_OPTIONS, SERVER_HELP, parseServer);
    case "client":
      return parseCommand(command, rest, CLIENT_OPTIONS, CLIENT_HELP, parseClient);
    case "ping":
      return parseCommand(command, rest, PING_OPTIONS, PING_HELP, parsePing);
    case undefined:
      throw new UsageError("run", "", "expected a command, server, client or ping; see tsecho --help");
  }
  if (!command.startsWith("-") || command === "-") {
    throw new UsageError(
      "run",
      command,
      "there is no such command, expected server, client or ping; see tsecho --help",
    );
  }
  const parsed = parseArgv(argv, COMMON, "tsecho");
  const [stray] = parsed.positionals;
  if (stray !== undefined) {
    throw new UsageError("use argument", stray, "expected server, client or ping in its place");
  }
  if (parsed.has("help")) return { command: "help", text: HELP };
  if (parsed.has("version")) return { command: "version" };
  throw new UsageError("run", command, "expected a command, server, client or ping; see tsecho --help");
}

function parseCommand(
  command: string,
  argv: string[],
  specs: OptionSpec[],
  help: string,
  parse: (parsed: Parsed) => Invocation,
): Invocation {
  const parsed = parseArgv(argv, specs, `tsecho ${command}`);
  if (parsed.has("help")) return { command: "help", text: help };
  if (parsed.has("version")) return { command: "version" };
  return parse(parsed);
}

function parseServer(parsed: Parsed): Invocation {
  const framing = parsed.read("framing", (text) => parseChoice(text, FRAMINGS)) ?? "line";
  const stamp = parsed.read("stamp", (text) => parseChoice(text, STAMP_FORMATS)) ?? "iso";
  const tag = parsed.read("tag", parseTag);
  const maxLine = parsed.read("max-line", (text) => parseSize(text, 1, LONGEST_MAX_LINE));
  const maxConns = parsed.read("max-conns", (text) => parseCount(text, 1, 1_000_000));
  if (tag !== undefined && stamp === "none") {
    throw new UsageError("use --tag", tag, "with --stamp none there is no prefix to show it in");
  }
  if (maxLine !== undefined && framing === "chunk") {
    throw new UsageError("use --max-line", formatSize(maxLine), "with --framing chunk there are no lines");
  }
  const reusePort = parsed.has("reuse-port");
  if (reusePort && Deno.build.os !== "linux") {
    throw new UsageError("use option", "--reuse-port", "only Linux shares out a port's connections");
  }
  const endpoints = readEndpoints(parsed, { hostname: ALL_INTERFACES, port: DEFAULT_PORT });
  forTransport(parsed, "tcp or tls", ["reuse-port"], endpoints);
  forTransport(parsed, "tls", ["cert", "key", "client-ca", "handshake-timeout"], endpoints);
  forTransport(parsed, "unix", ["unix-mode"], endpoints);
  forTransport(parsed, "udp", ["udp-rate"], endpoints);
  const ofStreams = [
    "framing",
    "max-line",
    "max-conns",
    "idle-timeout",
    "drain-timeout",
    "proxy-protocol",
    "proxy-from",
  ];
  forTransport(parsed, "tcp, tls or unix", ofStreams, endpoints);
  if (!parsed.has("proxy-protocol")) {
    // Only a balancer tells the address of who comes through a Unix socket.
    forTransport(parsed, "tcp, tls or udp", ["allow", "deny"], endpoints);
    forTransport(parsed, "tcp or tls", ["max-conns-per-ip"], endpoints);
  }
  const datagrams = endpoints.find((it) => transportOf(it).kind === "datagram");
  if (datagrams !== undefined && stamp === "none") {
    throw new UsageError(
      "use endpoint",
      formatEndpoint(datagrams),
      "with --stamp none a reply looks like a request, and two servers could echo each other for ever",
    );
  }
  const files = readCertAndKey(parsed);
  const clientCa = parsed.read("client-ca", (text) => text);
  const secure = endpoints.find(({ transport }) => transport === "tls");
  if (secure !== undefined && files === undefined) {
    throw new UsageError(
      "use endpoint",
      formatEndpoint(secure),
      "it needs --cert, and --key unless that has it",
    );
  }
  const proxyFrom = parsed.read("proxy-from", CidrSet.parse);
  if (parsed.has("proxy-protocol") !== (proxyFrom !== undefined)) {
    throw new UsageError(
      "use option",
      proxyFrom === undefined ? "--proxy-protocol" : "--proxy-from",
      `it needs ${proxyFrom === undefined ? "--proxy-from" : "--proxy-protocol"} too`,
    );
  }
  const allow = parsed.read("allow", CidrSet.parse), deny = parsed.read("deny", CidrSet.parse);
  const maxConnsPerIp = parsed.read("max-conns-per-ip", (text) => parseCount(text, 1, 1_000_000));
  return {
    command: "server",
    options: {
      endpoints,
      framing,
      stamp,
      ...(tag !== undefined && { tag }),
      maxLine: maxLine ?? MAX_LINE,
      ...(maxConns !== undefined && { maxConns }),
      reusePort,
      idleTimeout: parsed.read("idle-timeout", parseDuration) ?? IDLE_TIMEOUT_MS,
      drainTimeout: parsed.read("drain-timeout", parseDuration) ?? DRAIN_TIMEOUT_MS,
      ...(files !== undefined && { tls: { ...files, ...(clientCa !== undefined && { clientCa }) } }),
      handshakeTimeout: parsed.read("handshake-timeout", parseDuration) ?? HANDSHAKE_TIMEOUT_MS,
      unixMode: parsed.read("unix-mode", parseMode) ?? UNIX_MODE,
      udpRate: parsed.read("udp-rate", parseRate) ?? UDP_ANSWER_RATE,
      ...(proxyFrom !== undefined && { proxyFrom }),
      ...(allow !== undefined && { allow }),
      ...(deny !== undefined && { deny }),
      ...(maxConnsPerIp !== undefined && { maxConnsPerIp }),
    },
    log: {
      format: parsed.read("log", (text) => parseChoice(text, LOG_FORMATS)) ?? "text",
      quiet: parsed.has("quiet"),
    },
  };
}

function parseClient(parsed: Parsed): Invocation {
  const dial = readDial(parsed, "the client");
  const { endpoint } = dial;
  const framing = parsed.read("framing", (text) => parseChoice(text, FRAMINGS)) ?? "line";
  forTransport(parsed, "udp", ["udp-rate"], [endpoint]);
  if (framing === "chunk" && transportOf(endpoint).kind === "datagram") {
    throw new UsageError("use --framing", framing, "over UDP a datagram is a message");
  }
  const messages = parsed.all("message");
  if (messages.length > 0 && parsed.all("udp-rate").length > 0) {
    throw new UsageError("use option", "--udp-rate", "it is for lines from stdin, and --message is given");
  }
  for (const message of messages) {
    if (framing === "line" && message.includes("\n")) {
      throw new UsageError("use --message", message, "expected one line; repeat the option for more");
    }
    if (framing === "chunk" && message === "") {
      throw new UsageError("use --message", message, "in chunk framing an empty message cannot be sent");
    }
  }
  return {
    command: "client",
    options: {
      ...dial,
      timeout: parsed.read("timeout", parseDuration) ?? REPLY_TIMEOUT_MS,
      framing,
      messages,
      udpRate: parsed.read("udp-rate", parseRate) ?? UDP_SEND_RATE,
    },
  };
}

/**
 * What the options that subcommands connect with ask for; their table is {@linkcode DIAL_OPTIONS}.
 *
 * @param command the subcommand, for messages.
 */
function readDial(parsed: Parsed, command: string): DialOptions {
  const [first, second] = parsed.positionals;
  if (second !== undefined) {
    throw new UsageError("use argument", second, `${command} takes one endpoint and has "${first}" already`);
  }
  const endpoint = readEndpoints(parsed, { hostname: "localhost", port: DEFAULT_PORT })[0]!;
  if ("port" in endpoint && endpoint.port === 0) {
    throw new UsageError("use port", "0", "expected the port of a server, 1 to 65535");
  }
  if (parsed.has("ipv4") && parsed.has("ipv6")) throw new UsageError("use option", "-6", "-4 is given too");
  const family = parsed.has("ipv4") ? 4 : parsed.has("ipv6") ? 6 : undefined;
  if (family !== undefined && transportOf(endpoint).addressing === "path") {
    throw new UsageError("use option", `-${family}`, "a Unix socket has no IP version");
  }
  if (family !== undefined && "hostname" in endpoint) {
    const version = isIpv4(endpoint.hostname) ? 4 : isIpv6(endpoint.hostname) ? 6 : family;
    if (version !== family) {
      throw new UsageError("use option", `-${family}`, `"${endpoint.hostname}" is an IPv${version} address`);
    }
  }
  forTransport(parsed, "tls", ["ca", "server-name", "insecure", "cert", "key"], [endpoint]);
  const caFile = parsed.read("ca", (text) => text);
  const serverName = parsed.read("server-name", parseHost);
  if (parsed.has("insecure") && caFile !== undefined) {
    throw new UsageError("use option", "--insecure", "--ca is given too, and would not be used");
  }
  const identity = readCertAndKey(parsed);
  return {
    endpoint,
    ...(family !== undefined && { family }),
    connectTimeout: parsed.read("connect-timeout", parseDuration) ?? CONNECT_TIMEOUT_MS,
    ...(caFile !== undefined && { caFile }),
    ...(serverName !== undefined && { serverName }),
    insecure: parsed.has("insecure"),
    ...(identity !== undefined && { identity }),
  };
}

/** The files of a certificate and its key, which may be the same. */
function readCertAndKey(parsed: Parsed): { cert: string; key: string } | undefined {
  const cert = parsed.read("cert", (text) => text), key = parsed.read("key", (text) => text);
  if (cert !== undefined) return { cert, key: key ?? cert };
  if (key !== undefined) throw new UsageError("use option", "--key", "it needs --cert too");
}

/** Refuses options that have no meaning where no endpoint is of their transport, or of one of several. */
function forTransport(parsed: Parsed, transport: string, options: string[], endpoints: Endpoint[]): void {
  if (endpoints.some((endpoint) => transport.split(/, | or /).includes(endpoint.transport))) return;
  const option = options.find((name) => parsed.given(name));
  if (option === undefined) return;
  throw new UsageError("use option", `--${option}`, `it is for ${transport} endpoints, and there is none`);
}

function parsePing(parsed: Parsed): Invocation {
  const thresholds = parsed.all("fail-if").map((text) => {
    try {
      return parseThreshold(text);
    } catch (error) {
      throw new UsageError("use --fail-if", text, (error as Error).message);
    }
  });
  const from = parsed.read("from", parsePath);
  const json = parsed.read("json", parsePath);
  const csv = parsed.read("csv", parsePath);
  const jsonStream = parsed.has("json-stream");
  if (from !== undefined) {
    const [endpoint] = parsed.positionals;
    if (endpoint !== undefined) {
      throw new UsageError("use endpoint", endpoint, "with --from there is no new run");
    }
    const stray = PING_OPTIONS.find(({ name }) => parsed.given(name) && !REPLAY_OPTIONS.includes(name));
    if (stray !== undefined) {
      throw new UsageError("use option", `--${stray.name}`, "with --from there is no new run");
    }
  }
  if ([json === "-", csv === "-", jsonStream].filter(Boolean).length > 1) {
    throw new UsageError("write to", "-", "more than one output is to go to stdout");
  }
  const files = { ...(json !== undefined && { json }), ...(csv !== undefined && { csv }) };
  const clocksSynced = parsed.has("clocks-synced");
  if (from !== undefined) return { command: "replay", options: { from, ...files, clocksSynced, thresholds } };
  const count = parsed.read("count", (text) => parseCount(text, 1, MOST_PINGS));
  const time = (name: string, least: number) => parsed.read(name, (text) => parseSeconds(text, least));
  const dial = readDial(parsed, "ping");
  forTransport(parsed, "udp", ["udp-rate"], [dial.endpoint]);
  return {
    command: "ping",
    options: {
      ...dial,
      udpRate: parsed.read("udp-rate", parseRate) ?? UDP_SEND_RATE,
      ...(count !== undefined && { count }),
      interval: time("interval", 0) ?? PING_INTERVAL_MS,
      size: parsed.read("size", (text) => parseSize(text, LEAST_PROBE, MOST_PROBE)) ?? PING_SIZE,
      timeout: time("timeout", 1) ?? PING_TIMEOUT_MS,
      deadline: time("deadline", 1) ?? 0,
      quiet: parsed.has("quiet"),
      timestamps: parsed.has("timestamps"),
      reconnect: parsed.has("reconnect"),
      clocksSynced,
      live: !parsed.has("no-tty"),
      ...files,
      jsonStream,
      thresholds,
    },
  };
}

function parsePath(text: string): string {
  if (text === "" || text.includes("\0")) throw new Error("expected a file, or - for stdout");
  return text;
}

/** The endpoints named, or the one that --host, --port and the defaults make. */
function readEndpoints(parsed: Parsed, defaults: EndpointDefaults): Endpoint[] {
  const host = parsed.read("host", parseHost);
  const port = parsed.read("port", parsePort);
  const [first] = parsed.positionals;
  if (first === undefined) {
    return [defaultEndpoint({ hostname: host ?? defaults.hostname, port: port ?? defaults.port })];
  }
  const [option] = host !== undefined ? ["--host"] : port !== undefined ? ["--port"] : [];
  if (option !== undefined) {
    throw new UsageError("use endpoint", first, `${option} is given too; put both into the endpoint`);
  }
  return parsed.positionals.map((text) => {
    try {
      return parseEndpoint(text, defaults);
    } catch (error) {
      throw new UsageError("use endpoint", text, (error as Error).message);
    }
  });
}

/** Reads the permissions of a file, as chmod takes them. */
function parseMode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text)) throw new Error("expected three octal digits such as 660");
  return parseInt(text, 8);
}

/** A mode as {@linkcode parseMode} reads it. */
function formatMode(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function parseRate(text: string): number {
  return parseCount(text, 0, 10_000_000);
}

/** A tag must not end the prefix that it stands in, nor look like a part of the stamp. */
function parseTag(text: string): string {
  if (!/^[!-Z\\^-~]{1,64}$/.test(text)) {
    throw new Error("expected 1 to 64 visible ASCII characters other than blanks and brackets");
  }
  return text;
}
