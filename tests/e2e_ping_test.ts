/** `tsecho ping` over every transport, and what its options do. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { e2e as test } from "./harness.ts";
import {
  copyCertificates,
  failing,
  Folder,
  type Outcome,
  REFUSING,
  ServerPeer,
  ServerProcess,
  tsecho,
} from "./helpers.ts";
import { needsTlsServer, servesTls, withCertificates } from "./tls_helpers.ts";
import {
  contains,
  countsOf,
  NONE,
  pingJson,
  type Saved,
  untilEnd,
  withoutMissed,
  withPeer,
} from "./ping_helpers.ts";

test("ping works over every transport, in text and in JSON", async () => {
  await using folder = await Folder.make();
  await copyCertificates(folder);
  await using server = await ServerProcess.start([
    "tcp://127.0.0.1:0",
    "udp://127.0.0.1:0",
    ...(await servesTls() ? ["tls://127.0.0.1:0"] : []),
    `unix:${folder.file("s.sock")}`,
    ...(await servesTls() ? ["--cert", folder.file("server.pem"), "--key", folder.file("server.key")] : []),
  ]);
  const endpoints = server.endpoints().map(({ url }) => url);
  assertEquals(endpoints.length, await servesTls() ? 4 : 3);
  for (const endpoint of endpoints) {
    const args = [
      endpoint,
      "-c",
      "5",
      "-i",
      "0",
      ...(endpoint.startsWith("tls") ? ["--ca", folder.file("ca.pem")] : []),
    ];
    const file = folder.file("run.json");
    const text = await tsecho(["ping", ...args, "--json", file]);
    assertEquals(text.code, 0, text.stderr);
    assertEquals(
      text.stdout.match(/^56 bytes from \S+: seq=\d time=\d+\.\d{3} ms$/gm)?.length,
      5,
      text.stdout,
    );
    assertStringIncludes(
      withoutMissed(text.stdout),
      `--- ${endpoint} ping statistics ---\n5 lines transmitted, 5 received, 0% loss, time `,
    );
    assertMatch(
      text.stdout,
      /^rtt min\/avg\/max\/mdev = \d+\.\d{3}\/\d+\.\d{3}\/\d+\.\d{3}\/\d+\.\d{3} ms$/m,
    );
    assertMatch(text.stdout, /^clock offset [+-]\d+\.\d{3} ms ± \d+\.\d{3} ms, no measurable difference$/m);
    assertEquals(/^connect \d/m.test(text.stdout), !endpoint.startsWith("udp"), text.stdout);
    assertEquals(/^TLS handshake \d/m.test(text.stdout), endpoint.startsWith("tls"), text.stdout);
    const { end, replies } = JSON.parse(await Deno.readTextFile(file)) as Saved;
    assertEquals(countsOf(end), { sent: 5, received: 5, ...NONE });
    assertEquals(
      replies.filter(({ fate }) => fate !== "missed").map(({ seq, fate }) => [seq, fate]),
      [1, 2, 3, 4, 5].map((seq) => [seq, "received"]),
    );
    assert(contains(end.servers[0]!.offset!, 0), JSON.stringify(end.servers));
  }
});

for (const scheme of ["tcp", "tls", "udp", "unix"]) {
  test(`ping gives each line a connection of its own: ${scheme}`, {
    ...scheme === "tls" ? await needsTlsServer() : {},
    level: scheme === "tcp" || scheme === "tls" ? "quick" : "slow",
  }, () =>
    withCertificates(async (folder, identity) => {
      const isTls = scheme === "tls";
      const listen = scheme === "unix" ? `unix:${folder.file("s.sock")}` : `${scheme}://127.0.0.1:0`;
      await using server = await ServerPeer.start([listen, ...isTls ? identity : []]);
      const args = [
        server.url(scheme),
        "-c",
        "5",
        "-i",
        "0",
        ...isTls ? ["--ca", folder.file("ca.pem")] : [],
      ];
      const { end } = await pingJson([...args, "--reconnect"]);
      assertEquals(countsOf(end), { sent: 5, received: 5, ...NONE });
      assertEquals(end.connect?.count, scheme === "udp" ? undefined : 5);
      assertEquals(end.handshake?.count, isTls ? 5 : undefined);
    }));
}

test("ping --reconnect goes on when connections are refused, and a first refusal without it is a failure", async () => {
  const own = await tsecho(["ping", REFUSING, "-c", "2", "-i", "0", "--reconnect"]);
  assertEquals(own.code, 1);
  assertStringIncludes(own.stdout, "no reply to seq=2: connection refused");
  assertStringIncludes(withoutMissed(own.stdout), "2 lines transmitted, 0 received, 100% loss");
  const quiet = await tsecho(["ping", "-q", REFUSING, "-c", "2", "-i", "0", "--reconnect"]);
  assertMatch(quiet.stdout, /^errors: 2 × connection refused$/m);
  const { code, stderr } = await tsecho(["ping", REFUSING, "-c", "2"]);
  assertEquals(code, 1);
  assertMatch(stderr, /^tsecho: Cannot connect to "tcp:\/\/127\.0\.0\.1:\d+": connection refused[^\n]*\n$/);
});

test("ping says that -w was too short to connect, and what connects took even if no reply came", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 }); // the kernel connects, and nobody answers
  const address = `127.0.0.1:${listener.addr.port}`;
  const { code, stderr } = await tsecho(["ping", `tls://${address}`, "-w", "0.3"]);
  assertEquals([code, stderr], [
    1,
    `tsecho: Cannot connect to "tls://${address}": no connection within -w 300ms\n`,
  ]);
  const { end } = await pingJson(
    [address, "-c", "2", "-i", "0", "-W", "1", "--reconnect", "--fail-if", "p50>5ms"],
    1,
  );
  assertEquals([end.received, end.lost, end.connect?.count], [0, 2, 2]);
  assertEquals(end.thresholds.map(({ value, broken }) => [value, broken]), [[null, false]]);
  listener.close();
});

test("ping counts a line in the interval in which it was sent", async () => {
  await withPeer(untilEnd, async (port) => {
    const { stdout } = await tsecho(["ping", `127.0.0.1:${port}`, "-i", "0.1", "-w", "1.5", "--json-stream"]);
    const objects = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    const intervals = objects.filter(({ type }) => type === "interval");
    assert(intervals[0].sent > 0, stdout);
    assertEquals([intervals[0].received, intervals[0].lost], [0, 0]);
    assertEquals(intervals.reduce((sum, { sent }) => sum + sent, 0), objects.at(-1).sent);
  });
});

test("ping --fail-if exits with 3 and one line for what broke", async () => {
  await using server = await ServerPeer.start();
  const ping = (...args: string[]): Promise<Outcome> =>
    tsecho(["ping", `127.0.0.1:${server.port}`, "-c", "3", "-i", "0", "-q", ...args]);
  const broken = await ping("--fail-if", "p50>1ns", "--fail-if", "loss>1%");
  assertEquals(broken.code, 3);
  assertMatch(broken.stderr, /^tsecho: Threshold broken: p50>1ns: it is \d+\.\d{3} ms\n$/);
  const conditions = ["max>1m", "abs(offset)>1s", "down.p50>1m", "received<3"];
  const kept = await ping(...conditions.flatMap((it) => ["--fail-if", it]));
  assertEquals([kept.code, kept.stderr], [0, ""]);
});

test("what ping cannot tell of a threshold fails it, says what would help, and passes with --lenient", async () => {
  await using mute = await ServerPeer.start(["--stamp", "none"]);
  await using server = await ServerPeer.start();
  const ping = ({ port }: { port: number }, ...args: string[]) =>
    tsecho(["ping", `127.0.0.1:${port}`, "-c", "1", "-q", ...args]);
  const reason = 'tsecho: Cannot tell whether "abs(offset)>1s" holds: the replies\' stamps do not tell it\n';
  const untold = await ping(mute, "--fail-if", "abs(offset)>1s");
  assertEquals([untold.code, untold.stderr], [3, reason]);
  const lenient = await ping(mute, "--fail-if", "abs(offset)>1s", "--lenient");
  assertEquals([lenient.code, lenient.stderr], [0, reason]);
  // Both clocks are one, and half a round trip is more than nothing.
  const interval = await ping(server, "--fail-if", "offset>0");
  assertEquals(interval.code, 3);
  assertMatch(
    interval.stderr,
    /^tsecho: Cannot tell whether "offset>0" holds: it is from -\d+\.\d{3} ms to \d+\.\d{3} ms; a path with shorter round trips tells more\n$/,
  );
  const few = await failing(["ping", "web", "-c", "1", "-q", "--fail-if", "p99>1m"]);
  assertEquals(few.code, 2);
  assertStringIncludes(
    few.stderr,
    'Cannot use --fail-if "p99>1m": that takes 100 lines or more, and -c is 1',
  );
});
