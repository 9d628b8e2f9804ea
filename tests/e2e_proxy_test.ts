/** Behind a balancer: PROXY protocol headers, HAProxy's and bad ones. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { e2e as test } from "./harness.ts";
import {
  ascii,
  assertServes,
  copyCertificates,
  Folder,
  proxyV2,
  readAll,
  readLine,
  ROOT,
  send,
  ServerPeer,
  startHaproxy,
  tsecho,
  unstamped,
} from "./helpers.ts";
import { needsTlsServer } from "./tls_helpers.ts";

const PROXY = ["--proxy-protocol", "--proxy-from", "127.0.0.0/8,::1"];

async function write(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Reads until the peer has gone, in order or not. */
async function untilGone(conn: Deno.Conn): Promise<string> {
  return await readAll(conn).catch((error) => (error as Error).name);
}

test("the client that the header names is in the log, and what follows the header is answered", async () => {
  await using server = await ServerPeer.start(["tcp://:0", ...PROXY]);
  const table: [Uint8Array, string][] = [
    [ascii("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"), "192.0.2.7:56324 via=127.0.0.1:\\d+"],
    [ascii("PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n"), "\\[2001:db8::7\\]:56324 via=127.0.0.1:\\d+"],
    [ascii("PROXY UNKNOWN\r\n"), "127.0.0.1:\\d+"],
    [proxyV2({ tlvs: 5000 }), "1.1.1.1:257 via=127.0.0.1:\\d+"],
    [proxyV2({ command: 0x20, addresses: [] }), "127.0.0.1:\\d+"],
  ];
  for (const [i, [header, peer]] of table.entries()) {
    using conn = await server.connect();
    await write(conn, Uint8Array.from([...header, ...ascii("hello\nagain\n")]));
    assertEquals([unstamped(await readLine(conn)), unstamped(await readLine(conn))], ["hello\n", "again\n"]);
    await server.stderr.until(new RegExp(`info open conn=${i + 1} peer=${peer}\n`));
  }
});

test("a header may come a byte at a time, with the first line after it", { level: "slow" }, async () => {
  await using server = await ServerPeer.start(PROXY);
  using other = await server.connect();
  await send(other, "PROXY UNKNOWN\r\n");
  for (const header of [ascii("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"), proxyV2({ tlvs: 20 })]) {
    using conn = await server.connect();
    for (const byte of [...header, ...ascii("hello\n")]) {
      await conn.write(Uint8Array.of(byte));
      await assertServes(other); // by then the server has read the byte alone
    }
    assertEquals(unstamped(await readLine(conn)), "hello\n");
  }
});

test("a line as long as the server's buffers may follow the header at once", async () => {
  await using server = await ServerPeer.start(PROXY);
  using conn = await server.connect();
  const line = "x".repeat(60_000) + "\n";
  await send(conn, `PROXY UNKNOWN\r\n${line}`);
  await conn.closeWrite();
  assertEquals(unstamped(await readAll(conn)), line);
});

test("a bad header closes the connection, with the reason in the log", async () => {
  await using server = await ServerPeer.start(PROXY);
  const full = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
  const table: [Uint8Array, string][] = [
    [ascii("hello\n"), "no PROXY header"],
    [ascii(full.replace("TCP4", "TCP5")), "malformed PROXY header: unknown family"],
    [ascii(full.replace("192.0.2.7", "192.0.2.777")), "malformed PROXY header: bad address"],
    [ascii(full.replace("56324", "x")), "malformed PROXY header: bad port"],
    [ascii(full.replace("\r\n", "\n")), "malformed PROXY header: no CRLF at its end"],
    [ascii("PROXY " + "x".repeat(200)), "PROXY header longer than 107 bytes"],
    [proxyV2({ command: 0x31 }), "malformed PROXY header: unknown version"],
    [proxyV2({ command: 0x2f }), "malformed PROXY header: unknown command"],
    [proxyV2({ addresses: [1, 1] }), "malformed PROXY header: shorter than its addresses"],
  ];
  for (const [bytes, reason] of table) {
    using conn = await server.connect();
    await write(conn, bytes);
    assertEquals((await untilGone(conn)).replace("ConnectionReset", ""), "");
    await server.stderr.until(
      new RegExp(`warn refuse reason="${reason}" count=1 total=\\d+ last_peer=127.0.0.1`),
    );
  }
  assert(!server.stderr.text.includes("info open"), server.stderr.text);
});

test("a header cut off in any place closes the connection", async () => {
  await using server = await ServerPeer.start(PROXY);
  let cuts = 0;
  for (const header of [ascii("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"), proxyV2({ tlvs: 5 })]) {
    for (let n = 1; n < header.length; n++, cuts++) {
      using conn = await server.connect();
      await write(conn, header.subarray(0, n));
      await conn.closeWrite();
      assertEquals(await untilGone(conn), "");
    }
  }
  await server.stop();
  assertStringIncludes(server.stderr.text, `connections=0`);
  assertStringIncludes(server.stderr.text, `refused=${cuts}`);
  assertMatch(server.stderr.text, /reason="PROXY header cut off"/);
});

test("a header that is late closes the connection after 3 seconds", async () => {
  await using server = await ServerPeer.start(PROXY);
  using silent = await server.connect();
  using slow = await server.connect();
  await send(slow, "PROXY TCP4 ");
  const start = performance.now();
  assertEquals([await untilGone(silent), await untilGone(slow)], ["", ""]);
  console.log(`closed after ${Math.round(performance.now() - start)} ms`);
  await server.stderr.until(/warn refuse reason="late PROXY header"/);
  await server.stop();
  assertStringIncludes(server.stderr.text, "refused=2");
});

test("a header from elsewhere than --proxy-from is not believed", async () => {
  await using server = await ServerPeer.start([
    "--proxy-protocol",
    "--proxy-from",
    "127.0.0.2,192.0.2.0/24",
  ]);
  using conn = await server.connect();
  await send(conn, "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\nhello\n").catch(() => {});
  assertEquals((await untilGone(conn)).replace("ConnectionReset", ""), "");
  await server.stderr.until(
    /warn refuse reason="not a trusted proxy" count=1 total=1 last_peer=127.0.0.1:\d+\n/,
  );
});

test("without the option a PROXY line is a line", async () => {
  await using server = await ServerPeer.start();
  using conn = await server.connect();
  await send(conn, "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n");
  assertEquals(unstamped(await readLine(conn)), "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n");
});

test("silent connections cannot keep the balancer out: the oldest has to go", { level: "slow" }, async () => {
  await using server = await ServerPeer.start(PROXY);
  const silent = await Promise.all(Array.from({ length: 600 }, () => server.connect()));
  using conn = await server.connect();
  const start = performance.now();
  await send(conn, "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\nhello\n");
  assertEquals(unstamped(await readLine(conn)), "hello\n");
  console.log(`answered in ${Math.round(performance.now() - start)} ms beside 600 silent connections`);
  await server.stderr.until(/warn refuse reason="too many on their way in"/);
  for (const it of silent) it.close();
});

test(
  "a Unix socket and a TLS endpoint take the header too, before the handshake",
  await needsTlsServer(),
  async () => {
    await using folder = await Folder.make();
    await copyCertificates(folder);
    await using server = await ServerPeer.start([
      ...[`unix:${folder.file("s.sock")}`, "tls://127.0.0.1:0"],
      ...["--cert", folder.file("server.pem"), "--key", folder.file("server.key"), ...PROXY],
    ]);
    const header = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
    using unix = await Deno.connect({ transport: "unix", path: folder.file("s.sock") });
    await send(unix, `${header}hello\n`);
    assertEquals(unstamped(await readLine(unix)), "hello\n");
    await server.stderr.until(/open conn=1 peer=192.0.2.7:56324 via=unix\n/);
    const conn = await server.connect();
    await send(conn, header);
    const caCerts = [await Deno.readTextFile(folder.file("ca.pem"))];
    using secured = await Deno.startTls(conn, { hostname: "localhost", caCerts });
    await send(secured, "hello\n");
    assertEquals(unstamped(await readLine(secured)), "hello\n");
    await server.stderr.until(/open conn=2 peer=192.0.2.7:56324 via=127.0.0.1:\d+\n/);
  },
);

test(
  "HAProxy in front of three servers, as docs/deploy.md has it",
  { needs: ["haproxy", "python3"], level: "slow" },
  async () => {
    await using folder = await Folder.make();
    const guide = await Deno.readTextFile(`${ROOT}docs/deploy.md`);
    const config = /```haproxy\n([^]*?)```/.exec(guide)![1]!;
    for (const version of ["send-proxy-v2", "send-proxy"]) {
      const addresses = [...config.matchAll(/server \S+ (127\.0\.0\.1:\d+)/g)].map(([, address]) => address!);
      assertEquals(addresses.length, 3);
      const servers: ServerPeer[] = [];
      // As it stands; only the ports and the older version of the header are the test's own.
      let own = config.replaceAll("send-proxy-v2", version);
      for (const [i, address] of addresses.entries()) {
        const server = await ServerPeer.start(["--tag", `web-${i + 1}`, ...PROXY]);
        servers.push(server);
        own = own.replace(address, `127.0.0.1:${server.port}`);
      }
      const haproxy = await startHaproxy(own, folder.file("haproxy.cfg"));
      await using _process = haproxy.process;
      const { port } = haproxy;
      try {
        const tags = new Set<string>();
        for (let i = 0; i < 6; i++) {
          const conn = await Deno.connect({ hostname: "127.0.0.1", port });
          const source = (conn.localAddr as Deno.NetAddr).port;
          await send(conn, "hello\n");
          const [, tag] = / (web-\d)\] hello\n$/.exec(await readLine(conn))!;
          tags.add(tag!);
          const server = servers[Number(tag!.at(-1)) - 1]!;
          await server.stderr.until(
            new RegExp(`info open conn=\\d+ peer=127.0.0.1:${source} via=127.0.0.1:\\d+\n`),
          );
          conn.close();
        }
        assertEquals([...tags].sort(), ["web-1", "web-2", "web-3"]);
        // The client, through all of it.
        const { code, stdout } = await tsecho(["client", `127.0.0.1:${port}`], "one\ntwo");
        assertEquals([code, stdout.split("\n").length], [0, 3]);
        // HAProxy's health checks are no errors.
        for (const server of servers) assert(!server.stderr.text.includes("warn"), server.stderr.text);
      } finally {
        for (const server of servers) await server[Symbol.asyncDispose]();
      }
    }
  },
);
