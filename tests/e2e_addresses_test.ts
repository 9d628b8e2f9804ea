/** Addresses and names: link-local ones with their zone, and what is said of those that cannot be used. */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { e2e as test } from "./harness.ts";
import { Failure } from "../failure.ts";
import { serve } from "../server.ts";
import { eventually, failing, Folder, run, Running, ServerProcess, TSECHO, unstamped } from "./helpers.ts";
import { servesTls, withCertificates } from "./tls_helpers.ts";

/** A command line in a network namespace of its own, whose loopback interface has a link-local address. */
const IN_NAMESPACE = [
  ...["unshare", "--user", "--map-root-user", "--net", "sh", "-c"],
  'ip link set lo up && ip addr add fe80::1/64 dev lo nodad && exec "$@"',
  "sh",
];

test("a link-local address keeps its zone, on both sides", {
  needs: ["unshare", "ip"],
  ignore: Deno.build.os !== "linux",
  level: "slow",
}, async () => {
  if ((await run([...IN_NAMESPACE, "true"])).code !== 0) return console.log("skipped: no network namespace");
  const endpoints = ["tcp://[fe80::1%lo]:7007", "udp://[fe80::1%lo]:7007"];
  await using server = await ServerProcess.start(endpoints, IN_NAMESPACE);
  assertEquals(server.endpoints().map(({ url }) => url), endpoints);
  const inside = (...args: string[]) =>
    run([
      "nsenter",
      "--user",
      "--preserve-credentials",
      "--net",
      "-t",
      String(server.pid),
      ...TSECHO,
      ...args,
    ]);
  for (const endpoint of endpoints) {
    const { code, stdout, stderr } = await inside("client", endpoint, "-m", "hello");
    assertEquals([code, stderr, unstamped(stdout)], [0, "", "hello\n"]);
    const ping = await inside("ping", endpoint, "-c", "1");
    assertEquals(ping.code, 0, ping.stderr);
    assertMatch(
      ping.stdout,
      /^PING \w+:\/\/\[fe80::1%lo\]:7007 [^]* bytes from \w+:\/\/\[fe80::1%lo\]:7007: seq=1/,
    );
  }
  assertMatch(server.stderr.text, / info open conn=1 peer=\[fe80::1%lo\]:\d+\n/);
  const table: [string[], string][] = [
    [["client", "[fe80::1%lo]:7", "-m", "x"], "connection refused; is a server running there?"],
    [["client", "[fe80::1]:7007", "-m", "x"], "a link-local address needs its interface, as in fe80::1%eth0"],
    [["client", "[fe80::1%no0]:7007", "-m", "x"], 'this machine has no interface "no0"'],
    [["server", "[fe80::1]:7007"], "a link-local address needs its interface, as in fe80::1%eth0"],
    [["server", "[fe80::1%no0]:7007"], 'this machine has no interface "no0"'],
    [["server", "udp://[fe80::9%lo]:7007"], "this machine has no such address"],
  ];
  for (const [argv, reason] of table) {
    const { code, stderr } = await inside(...argv);
    const [, told] = /^tsecho: Cannot (?:connect to|listen on) "\S+": (.*)\n$/.exec(stderr) ?? [stderr];
    assertEquals([code, told], [1, reason], argv.join(" "));
  }
});

test("SIGTERM ends what waits for a name", {
  needs: ["unshare", "ip", "mount"],
  ignore: Deno.build.os !== "linux",
}, async () => {
  await using folder = await Folder.make();
  await Deno.writeTextFile(
    folder.file("resolv.conf"),
    "nameserver 192.0.2.1\noptions timeout:30 attempts:5\n",
  );
  // What is sent there by the loopback interface comes back, is for nobody, and vanishes.
  const wrap = [
    ...["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c"],
    'ip link set lo up && ip route add 192.0.2.1 dev lo && mount --bind "$0" /etc/resolv.conf && exec "$@"',
    folder.file("resolv.conf"),
  ];
  if ((await run([...wrap, "true"])).code !== 0) return console.log("skipped: no network or mount namespace");
  for (
    const argv of [["server", "slow.example:7"], ["server", "udp://slow.example:7"], [
      "client",
      "slow.example",
    ]]
  ) {
    await using waiting = new Running([...wrap, ...TSECHO, ...argv]);
    const asked = async () =>
      (await run(["cat", `/proc/${waiting.pid}/net/udp`])).stdout.includes(" 010200C0:0035 ");
    await eventually(asked, "the name to be looked up");
    waiting.kill("SIGTERM");
    assertEquals(await waiting.code(), 1);
    assertMatch(waiting.stderr.text, /^tsecho: Cannot (?:listen on|connect to) "\S+": interrupted\n$/);
  }
});

test(
  "names that cannot be hosts, and names that do not resolve, are told apart",
  { level: "sized" },
  async () => {
    const table: [string, number, RegExp][] = [
      [
        "a..b",
        2,
        /Cannot use endpoint "a\.\.b": "a\.\.b" is not a host, expected a name or an IP address\n$/,
      ],
      ["*.example", 2, /"\*\.example" is not a host/],
      ["34567", 2, /Cannot use endpoint "34567": is it a port\? write :34567\n$/],
      ["name.invalid:7", 1, /Cannot \w+ \w+ "tcp:\/\/name\.invalid:7": the name does not resolve\n$/],
      ["bücher.invalid:7", 1, /Cannot \w+ \w+ "tcp:\/\/bücher\.invalid:7": the name does not resolve\n$/],
      [`${"x".repeat(64)}.invalid:7`, 1, /: the name does not resolve\n$/],
    ];
    for (const [endpoint, expected, message] of table) {
      for (const argv of [["server", endpoint], ["client", endpoint, "-m", "x"]]) {
        const { code, stderr } = await failing(argv);
        assertEquals(code, expected, stderr);
        assertMatch(stderr, message);
      }
    }
  },
);

test("when one of several endpoints cannot be listened on, the server ends and says which", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `tcp://127.0.0.1:${taken.addr.port}`;
  const { code, stdout, stderr } = await failing(["server", "udp://127.0.0.1:0", "tcp://127.0.0.1:0", url]);
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, new RegExp(`^tsecho: Cannot listen on "${url}": the port is in use; [^\n]*\n$`));
});

test("when one of several endpoints cannot be listened on, nothing of the others stays open", {
  needs: ["openssl"],
}, () =>
  withCertificates(async (folder, [, cert, , key]) => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const others = ["tcp://127.0.0.1:0", "udp://127.0.0.1:0", `unix:${folder.file("s.sock")}`];
    if (await servesTls()) others.push("tls://127.0.0.1:0");
    const listen = [...others, `tcp://127.0.0.1:${taken.addr.port}`];
    // What stays open fails this test: Deno counts a test's resources.
    await assertRejects(
      () => serve({ listen, tls: { cert: cert!, key: key! } }),
      Failure,
      "the port is in use",
    );
    await assertRejects(() => Deno.lstat(folder.file("s.sock")), Deno.errors.NotFound);
  }));
