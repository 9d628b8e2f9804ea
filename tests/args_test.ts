/** The command line: what is typed, and what each command is asked for by it. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../cli/parser.ts";
import { client } from "../commands/client.ts";
import { load } from "../commands/load.ts";
import { ping } from "../commands/ping.ts";
import { server } from "../commands/server.ts";
import { readWithoutCommand } from "../commands/tsecho.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import { STREAM_TRANSPORTS } from "../net/transports.ts";
import { test } from "./harness.ts";

/** As errors name them: `tcp, tls or unix`. */
const STREAMS = `${STREAM_TRANSPORTS.slice(0, -1).join(", ")} or ${STREAM_TRANSPORTS.at(-1)}`;

const COMMANDS = { server, client, ping, load };

function words(argv: string): string[] {
  return argv.split(" ").filter((arg) => arg !== "");
}

/** Reads a whole command line, without the program's name. */
async function readCommandLine([name = "", ...rest]: string[]): Promise<unknown> {
  return name in COMMANDS
    ? COMMANDS[name as keyof typeof COMMANDS].read(rest)
    : await readWithoutCommand([name, ...rest]);
}

function serverOptions(argv: string) {
  const request = server.read(words(argv));
  assert("options" in request);
  return request.options;
}

function clientOptions(argv: string) {
  const request = client.read(words(argv));
  assert("options" in request);
  return request.options;
}

test("the server's defaults are those of the help text", () => {
  const { options, log } = serverOptions("");
  assertEquals(options, {
    listen: [{ transport: "tcp", hostname: "::", port: 21567 }],
    framing: "line",
    stamp: "iso",
    maxLine: 65536,
    reusePort: false,
    idleTimeout: 600_000,
    maxMemory: 268_435_456,
    lineTimeout: 30_000,
    drainDelay: 0,
    drainTimeout: 10_000,
    handshakeTimeout: 10_000,
    unixMode: 0o600,
    udpRate: 1000,
  });
  assertEquals(log, { format: "text", quiet: false });
});

test("each option of the server is read", () => {
  const { options, log } = serverOptions(
    "--host 127.0.0.1 --port=0 --framing line --stamp unix --tag web-2 --max-line 1KiB --max-conns 7 " +
      "--reuse-port --idle-timeout 1.5s --drain-delay 5 --line-timeout 2s --max-memory 1g --drain-timeout 0 --quiet --log json",
  );
  assertEquals(options, {
    listen: [{ transport: "tcp", hostname: "127.0.0.1", port: 0 }],
    framing: "line",
    stamp: "unix",
    tag: "web-2",
    maxLine: 1024,
    maxConns: 7,
    reusePort: true,
    idleTimeout: 1500,
    maxMemory: 2 ** 30,
    lineTimeout: 2000,
    drainDelay: 5000,
    drainTimeout: 0,
    handshakeTimeout: 10_000,
    unixMode: 0o600,
    udpRate: 1000,
  });
  assertEquals(log, { format: "json", quiet: true });
  assertEquals(serverOptions("--framing chunk --stamp none").options.framing, "chunk");
});

test("the options of each transport and of the doors are read", () => {
  const { options } = serverOptions(
    "tls://:1 udp://:2 unix:/s tcp://:3 --cert c --key k --handshake-timeout 2s --unix-mode 0660 --udp-rate 0 " +
      "--proxy-protocol --proxy-from 10.0.0.1 --allow 10.0.0.0/8,::1 --deny 10.1.0.0/16 --max-conns-per-ip 3",
  );
  assertEquals(options.listen.map(formatEndpoint), [
    "tls://[::]:1",
    "udp://[::]:2",
    "unix:/s",
    "tcp://[::]:3",
  ]);
  assertEquals(options.tls, { cert: "c", key: "k" });
  const bundle = serverOptions("tls://:1 --cert c --client-ca a").options.tls;
  assertEquals(bundle, { cert: "c", key: "c", clientCa: "a" });
  assertEquals([options.handshakeTimeout, options.unixMode, options.udpRate], [2000, 0o660, 0]);
  assertEquals([options.proxyFrom?.text, options.allow?.text, options.deny?.text, options.maxConnsPerIp], [
    "10.0.0.1",
    "10.0.0.0/8,::1",
    "10.1.0.0/16",
    3,
  ]);
  const { caFile, serverName, insecure } = clientOptions("tls://h --ca f --server-name n");
  assertEquals([caFile, serverName, insecure], ["f", "n", false]);
  assertEquals(clientOptions("tls://h --insecure").insecure, true);
  assertEquals(clientOptions("tls://h -k").insecure, true);
  assertEquals(clientOptions("tls://h --cert c").identity, { cert: "c", key: "c" });
  assertEquals(clientOptions("tls://h --cert c --key k").identity, { cert: "c", key: "k" });
  assertEquals(clientOptions("udp://h --udp-rate 7").udpRate, 7);
});

test("the server takes several endpoints", () => {
  assertEquals(serverOptions(":1 [::1]:2 tcp://h:3").options.listen, [
    { transport: "tcp", hostname: "::", port: 1 },
    { transport: "tcp", hostname: "::1", port: 2 },
    { transport: "tcp", hostname: "h", port: 3 },
  ]);
});

test("a port of its own goes with an endpoint that has none", () => {
  for (const argv of ["-p 7 web", "web --port 7", "tcp://web -p7"]) {
    assertEquals(clientOptions(argv).endpoint, { transport: "tcp", hostname: "web", port: 7 });
  }
  assertEquals(clientOptions("-p 7 [::1]").endpoint, { transport: "tcp", hostname: "::1", port: 7 });
  assertEquals(clientOptions("udp:// -p 7").endpoint, { transport: "udp", hostname: "localhost", port: 7 });
  assertEquals(serverOptions("tls://h --cert c -p 7").options.listen, [
    { transport: "tls", hostname: "h", port: 7 },
  ]);
});

test("the client's defaults and options are read", () => {
  assertEquals(clientOptions(""), {
    endpoint: { transport: "tcp", hostname: "localhost", port: 21567 },
    connectTimeout: 10_000,
    timeout: 10_000,
    framing: "line",
    verify: true,
    messages: [],
    insecure: false,
    udpRate: 500,
  });
  assertEquals(
    clientOptions(
      "web:7 -4 --connect-timeout 1s --timeout 0 --framing chunk --no-verify -m a --message=b -m -1",
    ),
    {
      endpoint: { transport: "tcp", hostname: "web", port: 7 },
      family: 4,
      connectTimeout: 1000,
      timeout: 0,
      framing: "chunk",
      verify: false,
      messages: ["a", "b", "-1"],
      insecure: false,
      udpRate: 500,
    },
  );
  assertEquals(clientOptions("--host ::1 --port 7 -6").endpoint, {
    transport: "tcp",
    hostname: "::1",
    port: 7,
  });
  assertEquals(clientOptions("-- web").endpoint, { transport: "tcp", hostname: "web", port: 21567 });
});

test("what is wrong on the command line is named, with its value and what was expected", async () => {
  const table: [string[], string][] = [
    [["sever"], 'Cannot run "sever": there is no such command, did you mean server?'],
    [["clinet"], 'Cannot run "clinet": there is no such command, did you mean client?'],
    [["laod"], 'Cannot run "laod": there is no such command, did you mean load?'],
    [
      ["web"],
      'Cannot run "web": there is no such command, expected server, client, ping, load or compare; see tsecho --help',
    ],
    [["help", "pong"], 'Cannot run "pong": there is no such command, did you mean ping?'],
    [["help", "ping", "c"], 'Cannot use argument "c": help takes one command'],
    [["-"], 'Cannot run "-": there is no such command'],
    [["--"], 'Cannot run "--": expected a command, server, client, ping, load or compare'],
    [
      ["--", "server"],
      'Cannot use argument "server": expected server, client, ping, load or compare in its place',
    ],
    [["-V", "x"], 'Cannot use argument "x": expected server, client, ping, load or compare in its place'],
    [["--port", "7"], 'Cannot use option "--port": there is no such option; see tsecho --help'],
    [["server", "--prot", "7"], 'Cannot use option "--prot": there is no such option; did you mean --port?'],
    [
      ["client", "--conect-timeout=1"],
      'Cannot use option "--conect-timeout": there is no such option; did you mean',
    ],
    [
      ["server", "--idle", "1"],
      'Cannot use option "--idle": there is no such option; did you mean --idle-timeout?',
    ],
    [["server", "-port", "7"], 'Cannot use option "-port": there is no such option; did you mean --port?'],
    [["server", "--xyz"], 'Cannot use option "--xyz": there is no such option; see tsecho server --help'],
    [["server", "-x"], 'Cannot use option "-x": there is no such option; see tsecho server --help'],
    [["server", "-v"], 'Cannot use option "-v": there is no such option; did you mean -V?'],
    [
      ["server", "tls://", "--cert", "--key", "k"],
      'Cannot use --cert "--key": it looks like an option; for a',
    ],
    [["server", "./t.sock"], 'Cannot use endpoint "./t.sock": is it a Unix socket? write unix:./t.sock'],
    [["server", "-qx"], 'Cannot use option "-qx": there is no such option'],
    [["server", "-q=no"], 'Cannot use option "-q=no": --quiet takes no value'],
    [["server", "--__proto__", "7"], 'Cannot use option "--__proto__"'],
    [["server", "--port"], 'Cannot use option "--port": it needs a value, PORT'],
    [["server", "--port", "1", "--port", "2"], 'Cannot use option "--port": it is given twice'],
    [["server", "--quiet=no"], 'Cannot use option "--quiet=no": --quiet takes no value'],
    [["server", "--port", "70000"], 'Cannot use --port "70000": expected a port, 0 to 65535'],
    [["server", "--port", "abc"], 'Cannot use --port "abc": expected a port, 0 to 65535'],
    [["server", "--port", ""], 'Cannot use --port "": expected a port'],
    [["server", "--port", "-1"], 'Cannot use --port "-1": expected a port'],
    [["--help", "load", "x"], 'Cannot use argument "x": help takes one command'],
    ...["0", "70000"].flatMap((port) =>
      ["client", "ping", "load"].flatMap((command): [string[], string][] => [
        [[command, `web:${port}`], `Cannot use endpoint "web:${port}": expected a port, 1 to 65535`],
        [[command, `--port=${port}`], `Cannot use --port "${port}": expected a port, 1 to 65535`],
      ])
    ),
    [["load", "a", "--against", "b:70000"], 'Cannot use --against "b:70000": expected a port, 1 to 65535'],
    [["server", ":70000"], 'Cannot use endpoint ":70000": expected a port, 0 to 65535'],
    [["server", "http://:7"], 'Cannot use endpoint "http://:7": unknown scheme "http", expected tcp://'],
    [
      ["server", "tls://:7"],
      'Cannot use endpoint "tls://[::]:7": it needs --cert, and --key unless that has it',
    ],
    [["server", "tls://:7", "--key", "k"], 'Cannot use option "--key": it needs --cert too'],
    [["client", "tls://h", "--key", "k"], 'Cannot use option "--key": it needs --cert too'],
    [
      ["client", "h", "--cert", "c"],
      'Cannot use option "--cert": it is for tls endpoints, and there is none',
    ],
    [["server", ":7", "--client-ca", "c"], 'Cannot use option "--client-ca": it is for tls endpoints'],
    [["server", "--cert", "c"], 'Cannot use option "--cert": it is for tls endpoints, and there is none'],
    [
      ["server", "unix:/x", "--reuse-port"],
      'Cannot use option "--reuse-port": it is for tcp or tls endpoints',
    ],
    [["server", "--unix-mode", "600"], 'Cannot use option "--unix-mode": it is for unix endpoints'],
    [["server", "unix:/x", "--unix-mode", "9"], 'Cannot use --unix-mode "9": expected three octal digits'],
    [["server", "--udp-rate", "1"], 'Cannot use option "--udp-rate": it is for udp endpoints'],
    [["server", "udp://:7", "--udp-rate", "-1"], 'Cannot use --udp-rate "-1": expected a whole number'],
    [
      ["server", "udp://:7", "--stamp", "none"],
      'Cannot use endpoint "udp://[::]:7": with --stamp none a reply looks like a request',
    ],
    [["server", "--max-line=2m", "--max-memory=1m"], 'Cannot use --max-memory "1MiB": expected at least'],
    [["server", "--proxy-protocol"], 'Cannot use option "--proxy-protocol": it needs --proxy-from too'],
    [["server", "--proxy-from", "::1"], 'Cannot use option "--proxy-from": it needs --proxy-protocol too'],
    [
      ["server", "--allow", "10.0.0.1/8"],
      'Cannot use --allow "10.0.0.1/8": in "10.0.0.1/8" the address has bits',
    ],
    [
      ["server", "--deny", "10.0.0.0/33"],
      'Cannot use --deny "10.0.0.0/33": in "10.0.0.0/33" the prefix has more',
    ],
    [
      ["server", "--deny", "::/129"],
      'Cannot use --deny "::/129": in "::/129" the prefix has more than 128 bits',
    ],
    [["server", "--allow", "web"], 'Cannot use --allow "web": "web" is not an address or a block such as'],
    [["server", "--allow", "10.0.0.0/8,"], 'Cannot use --allow "10.0.0.0/8,": "" is not an address'],
    [["server", "--allow", "10.0.0.0/"], 'Cannot use --allow "10.0.0.0/": "10.0.0.0/" is not an address'],
    [
      ["server", "--max-conns-per-ip", "0"],
      'Cannot use --max-conns-per-ip "0": expected a whole number from 1',
    ],
    ...[
      "framing=chunk",
      "max-line=1k",
      "max-conns=9",
      "idle-timeout=1s",
      "drain-timeout=1s",
      "proxy-from=::1",
      "proxy-protocol",
    ]
      .map((
        option,
      ): [string[], string] => [
        ["server", "udp://:7", `--${option}`],
        `Cannot use option "--${
          option.replace(/=.*/, "")
        }": it is for ${STREAMS} endpoints, and there is none`,
      ]),
    ...["udp://:7", "unix:/x"].map((endpoint): [string[], string] => [
      ["server", endpoint, "--max-conns-per-ip", "9"],
      'Cannot use option "--max-conns-per-ip": it is for tcp or tls endpoints, and there is none',
    ]),
    ...["allow", "deny"].map((option): [string[], string] => [
      ["server", "unix:/x", `--${option}`, "10.0.0.1"],
      `Cannot use option "--${option}": it is for tcp, tls or udp endpoints, and there is none`,
    ]),
    [["server", "--allow", "010.0.0.1"], 'Cannot use --allow "010.0.0.1": "010.0.0.1" is not an address'],
    [["server", "--deny", "10.0.0.00/8"], 'Cannot use --deny "10.0.0.00/8": "10.0.0.00/8" is not an address'],
    [["server", "--deny", "::ffff:010.0.0.1"], 'Cannot use --deny "::ffff:010.0.0.1": "::ffff:010'],
    [
      ["server", "unix:/a\x1b[31m"],
      'Cannot use endpoint "unix:/a\\x1b[31m": expected a path without control',
    ],
    [["client", "udp:127.0.0.1:5"], 'Cannot use endpoint "udp:127.0.0.1:5": expected udp://host:port'],
    [["client", "127.0.0.1", "-6"], 'Cannot use option "-6": "127.0.0.1" is an IPv4 address'],
    [["client", "[::1]:7", "-4"], 'Cannot use option "-4": "::1" is an IPv6 address'],
    [
      ["client", "udp://h", "--udp-rate", "9", "-m", "x"],
      'Cannot use option "--udp-rate": it is for lines from stdin, and --message is given',
    ],
    [["client", "unix:"], 'Cannot use endpoint "unix:": expected a path, as in unix:/path'],
    [["client", "unix:/x", "-4"], 'Cannot use option "-4": a Unix socket has no IP version'],
    [["client", "--ca", "f"], 'Cannot use option "--ca": it is for tls endpoints, and there is none'],
    [["client", "--insecure"], 'Cannot use option "--insecure": it is for tls endpoints'],
    [["client", "tls://h", "--insecure", "--ca", "f"], 'Cannot use option "--insecure": --ca is given too'],
    [
      ["client", "udp://h", "--no-verify"],
      `Cannot use option "--no-verify": it is for ${STREAMS} endpoints`,
    ],
    [["client", "--udp-rate", "1"], 'Cannot use option "--udp-rate": it is for udp endpoints'],
    [
      ["client", "udp://h", "--framing", "chunk"],
      'Cannot use --framing "chunk": over UDP a datagram is a message',
    ],
    [["server", ":7", "--port", "7"], 'Cannot use endpoint ":7": --port is given too'],
    [["client", "web:7", "-p", "8"], 'Cannot use endpoint "web:7": --port is given too'],
    [["client", "unix:/s", "-p", "8"], 'Cannot use endpoint "unix:/s": --port is given too'],
    [["server", "a", "b", "-p", "8"], 'Cannot use endpoint "a": --port is given too'],
    [["server", ":7", "--host", "h"], 'Cannot use endpoint ":7": --host is given too'],
    [["server", "--host", "a b"], 'Cannot use --host "a b": "a b" is not a host'],
    [
      ["server", "--max-line", "-1"],
      'Cannot use --max-line "-1": expected a size such as 65536, 64k or 64KiB',
    ],
    [["server", "--max-line", "0"], 'Cannot use --max-line "0": expected a size'],
    [["server", "--max-line", "1G"], 'Cannot use --max-line "1G": expected a size'],
    [["server", "--max-line", "64KB"], 'Cannot use --max-line "64KB": expected a size'],
    [["server", "--max-conns", "0"], 'Cannot use --max-conns "0": expected a whole number from 1'],
    [["server", "--max-conns", "1e3"], 'Cannot use --max-conns "1e3": expected a whole number'],
    [["server", "--idle-timeout", "x"], 'Cannot use --idle-timeout "x": expected a time such as 0.2, 200ms'],
    [["server", "--idle-timeout", "0.1ms"], 'Cannot use --idle-timeout "0.1ms": expected a time'],
    [["server", "--drain-timeout", "501h"], 'Cannot use --drain-timeout "501h": expected a time'],
    [["server", "--stamp", "rfc"], 'Cannot use --stamp "rfc": expected iso, ctime, unix or none'],
    [["server", "--framing", "lines"], 'Cannot use --framing "lines": expected line or chunk'],
    [["server", "--log", "xml"], 'Cannot use --log "xml": expected text or json'],
    [["server", "--tag", "a b"], 'Cannot use --tag "a b": expected 1 to 64 visible ASCII characters'],
    [["server", "--tag", "a]"], 'Cannot use --tag "a]": expected 1 to 64'],
    [["server", "--tag", "\x1b[31m"], 'Cannot use --tag "\\x1b[31m": expected 1 to 64'],
    [["server", "--tag", "a", "--stamp", "none"], 'Cannot use --tag "a": with --stamp none'],
    [
      ["server", "--max-line", "1k", "--framing", "chunk"],
      'Cannot use --max-line "1KiB": with --framing chunk',
    ],
    [
      ["client", "a", "b"],
      'Cannot use argument "b": the client takes one endpoint and has "a" already; did you mean -m b?',
    ],
    [["client", "web", "7007"], 'Cannot use argument "7007": is it a port? write web:7007'],
    [["client", "tls://web", "7007"], 'Cannot use argument "7007": is it a port? write tls://web:7007'],
    [["client", "::1", "7007"], 'Cannot use argument "7007": is it a port? write [::1]:7007'],
    [["client", "[::1]", "7007"], 'Cannot use argument "7007": is it a port? write [::1]:7007'],
    [
      ["client", "web:1", "7007"],
      'Cannot use argument "7007": the client takes one endpoint and has "web:1" already',
    ],
    [
      ["client", "unix:/a", "7"],
      'Cannot use argument "7": the client takes one endpoint and has "unix:/a" already',
    ],
    [["client", "-4", "-6"], 'Cannot use option "-6": -4 is given too'],
    [["client", "-m", "a\nb"], 'Cannot use --message "a\\x0ab": expected one line'],
    [["client", "-m", "", "--framing", "chunk"], 'Cannot use --message ""'],
    [["client", "--max-line", "1k"], 'Cannot use option "--max-line"'],
  ];
  for (const [argv, message] of table) {
    const error = await assertRejects(() => readCommandLine(argv), UsageError);
    assertEquals(error.message.slice(0, message.length), message);
    assert(!error.message.includes("\n"));
  }
});
