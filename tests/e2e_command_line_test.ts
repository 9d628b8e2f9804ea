/** The wrong things a person types, and the right ones that print and end: argv to streams and exit code. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { e2e as test } from "./harness.ts";
import { failing, Folder, ROOT, run, Running, ServerPeer, TSECHO, tsecho } from "./helpers.ts";

test("what is wrong is said in one line, with the exit code of its kind", { level: "sized" }, async () => {
  const table: [string[], number, string][] = [
    [["sever"], 2, 'Cannot run "sever": there is no such command, did you mean server?'],
    [
      ["server", "--prot", "7"],
      2,
      'Cannot use option "--prot": there is no such option; did you mean --port?',
    ],
    [["ping", "--json", "web"], 2, 'Cannot use --json "web": is web the endpoint? for a file, ./web'],
    [["server", "--port", "70000"], 2, 'Cannot use --port "70000": expected a port, 0 to 65535'],
    [["server", "--port", "abc"], 2, 'Cannot use --port "abc": expected a port, 0 to 65535'],
    [
      ["server", "--max-line", "-1"],
      2,
      'Cannot use --max-line "-1": expected a size such as 65536, 64k or 64KiB, from 1 to 64MiB',
    ],
    [
      ["client", "a", "b"],
      2,
      'Cannot use argument "b": the client takes one endpoint and has "a" already; did you mean -m b?',
    ],
    [
      ["client", "\x1b[31mred"],
      2,
      'Cannot use endpoint "\\x1b[31mred": "\\x1b[31mred" is not a host, ' +
      "expected a name or an IP address",
    ],
    [
      ["client", "no-such-host.invalid"],
      1,
      'Cannot connect to "tcp://no-such-host.invalid:21567": ' +
      "the name does not resolve",
    ],
    [
      ["client", "127.0.0.1:1"],
      1,
      'Cannot connect to "tcp://127.0.0.1:1": ' +
      "connection refused; is a server running there?",
    ],
    [["server", "192.0.2.1:0"], 1, 'Cannot listen on "tcp://192.0.2.1:0": this machine has no such address'],
    [
      ["server", "no-such-host.invalid"],
      1,
      'Cannot listen on "tcp://no-such-host.invalid:21567": ' +
      "the name does not resolve",
    ],
  ];
  for (const [argv, code, message] of table) {
    const attempt = /^(?:sever|client)$/.test(argv[0]!) ? tsecho : failing;
    assertEquals(await attempt(argv), { code, stdout: "", stderr: `tsecho: ${message}\n` });
  }
});

test("a port below 1024 without the right to it is said", { needs: ["setpriv"] }, async () => {
  const drop = ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"];
  const root = (await run(["id", "-u"])).stdout.trim() === "0";
  const { code, stderr } = await run([...(root ? drop : []), ...TSECHO, "server", "127.0.0.1:7"]);
  assertEquals(code, 1);
  assertEquals(
    stderr,
    'tsecho: Cannot listen on "tcp://127.0.0.1:7": permission denied; ' +
      "a port below 1024 needs root or CAP_NET_BIND_SERVICE\n",
  );
});

test("a connection that is not answered times out", async () => {
  // A full backlog: the kernel drops the SYNs of all further connections.
  await using full = new Running([
    "python3",
    "-c",
    `import socket, time
server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen(0)
held = []
for _ in range(4):
    peer = socket.socket(); peer.setblocking(False); peer.connect_ex(server.getsockname()); held.append(peer)
print(server.getsockname()[1], flush=True)
time.sleep(600)`,
  ]);
  const [port] = await full.stdout.until(/\d+/);
  const { code, stderr } = await tsecho([
    "client",
    `127.0.0.1:${port}`,
    "--connect-timeout",
    "300ms",
    "-m",
    "x",
  ]);
  assertEquals(code, 1);
  assertEquals(stderr, `tsecho: Cannot connect to "tcp://127.0.0.1:${port}": no answer in 300 ms\n`);
});

test("no arguments print the usage on stderr, with 2", async () => {
  const { code, stdout, stderr } = await tsecho([]);
  assertEquals([code, stdout], [2, ""]);
  assertEquals(stderr, (await tsecho(["--help"])).stdout);
});

test("help and version go to stdout, with 0", async () => {
  for (
    const [argv, start] of [
      ["--help", "tsecho: a timestamping"],
      ["help", "tsecho: a timestamping"],
      ["server -h", "usage: tsecho server"],
      ["help ping", "usage: tsecho ping"],
      ["version", "tsecho 0."],
    ] as const
  ) {
    const { code, stdout, stderr } = await tsecho(argv.split(" "));
    assertEquals([code, stderr], [0, ""]);
    assert(stdout.startsWith(start), stdout);
  }
  const { stdout } = await tsecho(["--version"]);
  assertMatch(stdout, /^tsecho \d+\.\d+\.\d+ \(deno \d+\.\d+\.\d+, \S+\)\n$/);
  assertStringIncludes(stdout, `tsecho ${config.version} `);
});

test("a closed stdout ends quietly", async () => {
  const { code, stdout, stderr } = await run([
    "sh",
    "-c",
    '"$@" | head -n 1',
    "sh",
    ...TSECHO,
    "server",
    "--help",
  ]);
  assertEquals({ code, stdout, stderr }, {
    code: 0,
    stdout: "usage: tsecho server [ENDPOINT...] [options]\n",
    stderr: "",
  });
  const closed = await run(["sh", "-c", '"$@" >&-', "sh", ...TSECHO, "--version"]);
  assertEquals(closed.stderr.split("\n").length <= 2, true, closed.stderr);
});

test("--csv and --json take /dev/stdout and /dev/stderr by name", async () => {
  await using server = await ServerPeer.start();
  const outputs = ["--json", "/dev/stdout", "--csv", "/dev/stderr"];
  const { code, stdout, stderr } = await tsecho(["ping", `127.0.0.1:${server.port}`, "-qc1", ...outputs]);
  assertEquals([code, JSON.parse(stdout).end.received], [0, 1], stderr);
  assertMatch(stderr, /^seq,.*\n1,.*\n$/);
});

test("the permissions of the command are enough, and no question is ever asked", async () => {
  await using server = await ServerPeer.start(["--port", "0"]);
  const { code, stderr } = await tsecho(["client", `localhost:${server.port}`, "-4", "-m", "hello"]);
  assertEquals([code, stderr], [0, ""]);
  assert(!server.stderr.text.includes("NotCapable"));
});

test("without the permission for the network its name is said", async () => {
  if (TSECHO[1] !== "run") return; // a binary has it
  const without = TSECHO.map((it) => it.replace(/^--allow-net$/, "--deny-net"));
  const { code, stderr } = await run([...without, "client", "127.0.0.1:1", "-m", "hello"]);
  assertEquals([code, stderr], [
    1,
    'tsecho: Cannot connect to "tcp://127.0.0.1:1": Deno was not given the permission --allow-net for it\n',
  ]);
});

test("the demo shows the main job and succeeds", { level: "slow" }, async () => {
  const { code, stdout, stderr } = await run([
    ...[
      Deno.execPath(),
      "run",
      "--no-prompt",
      "--allow-run",
      "--allow-read",
      "--allow-write",
      `${ROOT}tests/demo.ts`,
    ],
  ]);
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "12,000 lines went out and came back");
  assertStringIncludes(stdout, "byte for byte and in order");
});

test("a server whose stdout is full says so, and serves", async () => {
  if (Deno.build.os !== "linux") return;
  await using folder = await Folder.make();
  const url = `unix:${folder.file("socket")}`;
  await using server = new Running(["sh", "-c", 'exec "$@" > /dev/full', "sh", ...TSECHO, "server", url]);
  await server.stderr.until(/listen reason="Cannot write 'standard output': there is no space left"\n/);
  const { code, stdout } = await tsecho(["client", url, "-m", "hello"]);
  assertEquals(code, 0);
  assertMatch(stdout, /\] hello\n$/);
  server.kill("SIGTERM");
  assertEquals(await server.code(), 0);
});
