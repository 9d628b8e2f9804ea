/** PROXY protocol headers that client and ping send: to this server, to a parser in Python, and to HAProxy. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { STREAM_TRANSPORTS } from "../net/transports.ts";
import { e2e as test } from "./harness.ts";
import { Folder, Running, ServerPeer, startHaproxy, tsecho, unstamped } from "./helpers.ts";
import { needsTlsServer, withCertificates } from "./tls_helpers.ts";

const VERSIONS = ["v1", "v2"];
const PROXY = ["--proxy-protocol", "--proxy-from", "127.0.0.0/8,::1"];
const unixToo = Deno.build.os !== "windows";

/** Accepts one connection, prints what its header tells beside what the socket tells, and echoes a line. */
const PARSER = `import socket, struct, sys
family, address = (socket.AF_UNIX, sys.argv[1]) if "/" in sys.argv[1] else (
    (socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET), (sys.argv[1], 0))
listener = socket.socket(family)
listener.bind(address)
listener.listen()
print("listening", listener.getsockname()[1], flush=True)
conn, peer = listener.accept()
stream = conn.makefile("rwb")
first = stream.read(5)
if first == b"PROXY":
    version, words = "v1", stream.readline().decode().split()
    told = words if words == ["UNKNOWN"] else [words[0], (words[1], int(words[3])), (words[2], int(words[4]))]
else:
    rest = stream.read(11)
    assert first + rest[:7] == b"\\r\\n\\r\\n\\0\\r\\nQUIT\\n", first + rest
    command, protocol, length = struct.unpack("!BBH", rest[7:])
    body = stream.read(length)
    if command == 0x20:
        told = ["UNKNOWN"]
        assert (protocol, length) == (0, 0)
    else:
        assert command == 0x21
        af, size = {0x11: (socket.AF_INET, 4), 0x21: (socket.AF_INET6, 16)}[protocol]
        assert length == 2 * size + 4
        ports = struct.unpack("!HH", body[2 * size:])
        ips = [socket.inet_ntop(af, body[at:at + size]) for at in (0, size)]
        told = ["TCP4" if size == 4 else "TCP6", (ips[0], ports[0]), (ips[1], ports[1])]
    version = "v2"
expected = ["UNKNOWN"] if family == socket.AF_UNIX else [
    "TCP6" if family == socket.AF_INET6 else "TCP4", peer[:2], conn.getsockname()[:2]]
print(version, told == expected, told, expected, flush=True)
stream.write(b"[" + b"2026-11-23T03:37:00.123456Z" + b"] " + stream.readline())
stream.flush()
conn.shutdown(socket.SHUT_WR)`;

test(
  "a parser in Python reads the connection's own addresses from the header",
  { level: "slow" },
  async () => {
    await using folder = await Folder.make();
    for (const version of VERSIONS) {
      for (const host of ["127.0.0.1", "::1", ...unixToo ? [folder.file(`${version}.sock`)] : []]) {
        await using parser = new Running(["python3", "-c", PARSER, host]);
        const [, port] = await parser.stdout.until(/listening (\S+)/);
        const endpoint = host.startsWith("/")
          ? `unix:${host}`
          : host === "::1"
          ? `[::1]:${port}`
          : `${host}:${port}`;
        const { code, stdout, stderr } = await tsecho([
          "client",
          endpoint,
          "--send-proxy",
          version,
          "-m",
          "hello",
        ]);
        assertEquals([code, stderr, unstamped(stdout)], [0, "", "hello\n"]);
        assertEquals(await parser.code(), 0, parser.stderr.text);
        assertMatch(parser.stdout.text, new RegExp(`^${version} True`, "m"));
      }
    }
  },
);

/** A client's lines and ping's over each endpoint of a server, whose log is to show no stranger. */
async function assertReadsHeader(versions: string[], endpoints: string[]): Promise<void> {
  await using server = await ServerPeer.start([...endpoints, ...PROXY]);
  for (const version of versions) {
    for (const { url } of server.endpoints()) {
      const filter = await tsecho(["client", url, "--send-proxy", version], "one\ntwo");
      assertEquals([filter.code, filter.stdout.split("\n").length], [0, 3], filter.stderr);
      if (version !== versions.at(-1)) continue; // they connect by the same function
      const args = ["--send-proxy", version, "-c", "2", "-i", "0.01", "--reconnect"];
      const ping = await tsecho(["ping", url, ...args]);
      assertEquals(ping.code, 0, ping.stderr);
    }
  }
  // What it takes for a header that names another address it would log as such.
  for (const [, peer, via] of server.stderr.text.matchAll(/open conn=\d+ peer=(\S+) via=(\S+)/g)) {
    assertEquals(peer, via);
  }
  assert(!server.stderr.text.includes("warn"), server.stderr.text);
}

test("this server reads the header of each version, and serves nobody without", async () => {
  await assertReadsHeader(VERSIONS, ["tcp://127.0.0.1:0"]);
  await using server = await ServerPeer.start(["tcp://127.0.0.1:0", ...PROXY]);
  const { code } = await tsecho(["client", server.url("tcp"), "-m", "hello"]);
  assertEquals(code, 1);
});

test("this server reads the header over IPv6 and Unix sockets too", { level: "slow" }, async () => {
  await using folder = await Folder.make();
  const sockets = unixToo ? [`unix:${folder.file("s.sock")}`] : [];
  await assertReadsHeader(VERSIONS, ["tcp://[::1]:0", ...sockets]);
});

test(
  "the header stands before the TLS handshake",
  { ...await needsTlsServer(), level: "slow" },
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await ServerPeer.start(["tls://127.0.0.1:0", ...identity, ...PROXY]);
      for (const way of [["--ca", folder.file("ca.pem")], ["--insecure"]]) {
        const asked = await tsecho([
          "client",
          server.url("tls"),
          "--send-proxy",
          "v2",
          ...way,
          "-m",
          "hello",
        ]);
        assertEquals([asked.code, unstamped(asked.stdout)], [0, "hello\n"], asked.stderr);
      }
    }),
);

test("HAProxy takes the header where it asks for one", { needs: ["haproxy", "python3"] }, async () => {
  await using folder = await Folder.make();
  await using server = await ServerPeer.start(PROXY);
  const haproxy = await startHaproxy(
    `defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen front
  bind 127.0.0.1:1 accept-proxy
  server s 127.0.0.1:${server.port} send-proxy-v2
`,
    folder.file("haproxy.cfg"),
  );
  await using _process = haproxy.process;
  const url = `tcp://127.0.0.1:${haproxy.port}`;
  for (const version of VERSIONS) {
    const { code, stdout, stderr } = await tsecho(["client", url, "--send-proxy", version, "-m", "hello"]);
    assertEquals(code, 0, stderr + haproxy.process.stderr.text + server.stderr.text);
    assertEquals(unstamped(stdout), "hello\n");
  }
  const without = await tsecho(["client", url, "-m", "hello"]);
  assertEquals([without.code, without.stdout], [1, ""]);
});

test("--send-proxy is for streams, and of two versions", async () => {
  const streams = `${STREAM_TRANSPORTS.slice(0, -1).join(", ")} or ${STREAM_TRANSPORTS.at(-1)}`;
  const datagrams = await tsecho(["client", "udp://127.0.0.1", "--send-proxy", "v1"]);
  assertEquals([datagrams.code, datagrams.stderr], [
    2,
    `tsecho: Cannot use option "--send-proxy": it is for ${streams} endpoints, and there is none\n`,
  ]);
  const unknown = await tsecho(["ping", "127.0.0.1", "--send-proxy", "3"]);
  assertEquals(unknown.code, 2);
  assertMatch(unknown.stderr, /^tsecho: Cannot use --send-proxy "3": expected v1 or v2/);
});
