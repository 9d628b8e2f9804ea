/** Limits of lines, memory and connections, and what the log makes of health checks and of clients without LF. */
import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { e2e as test } from "./harness.ts";
import {
  assertServes,
  copyCertificates,
  eventually,
  Folder,
  proxyV2,
  readAll,
  readLine,
  residentKiB,
  Running,
  send,
  ServerPeer,
  ServerProcess,
  TSECHO,
} from "./helpers.ts";
import { needsTlsServer } from "./tls_helpers.ts";

const linux = Deno.build.os === "linux";

test("a line that does not end in time ends the connection, however steadily its bytes come", async () => {
  await using server = await ServerPeer.start(["--line-timeout", "500ms", "--idle-timeout", "1h"]);
  using conn = await server.connect();
  await assertServes(conn);
  let reply = "";
  const reading = readAll(conn).then((text) => reply = text);
  while (reply === "") {
    await send(conn, "x").catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await reading;
  assertEquals(reply, "error: line not finished in 500ms\n");
  await server.stderr.until(/info close conn=1 .*lines=1 .*reason="line not finished"/);
});

test("above --max-memory the longest unfinished line has to go, and others are served", async () => {
  await using server = await ServerProcess.start(["--max-memory", "1m", "--line-timeout", "0"]);
  using other = await server.connect();
  await assertServes(other);
  // Each holds a large buffer once its line has more than a kibibyte.
  const conns = await Promise.all(Array.from({ length: 14 }, () => server.connect()));
  const told: string[] = [];
  const ends = conns.map((conn) => readAll(conn).then((reply) => told.push(reply), () => {}));
  for (const [i, conn] of conns.entries()) {
    await send(conn, "x".repeat(40_000 + i));
    await assertServes(other);
  }
  await eventually(() => told.length >= 2, "connections to be ended");
  await assertServes(other);
  await server.stderr.until(/warn evict reason="out of memory for lines" count=1 total=1 last_peer=/);
  for (const conn of conns) conn.close();
  await Promise.all(ends);
  assertEquals(new Set(told), new Set(["error: out of memory for lines (1048576 bytes)\n"]));
  assert(told.length <= 4, `${told.length} of 14 connections were ended`);
});

test("who never reads is cut off when memory for lines is used up", async () => {
  await using server = await ServerProcess.start(["--max-memory", "1m"]);
  using other = await server.connect();
  await assertServes(other);
  const flood = new Uint8Array(65536).fill(10);
  const conns = await Promise.all(Array.from({ length: 10 }, () => server.connect()));
  const sending = conns.map(async (conn) => {
    try {
      for (;;) await conn.write(flood);
    } catch {
      // The server has cut it off, or the test has ended.
    }
  });
  await server.stderr.until(/warn cut conn=\d+ .*reason="out of memory for lines"/);
  await assertServes(other);
  for (const conn of conns) conn.close();
  await Promise.all(sending);
});

test("the memory of 5,000 unfinished lines is bounded, and given back", {
  ignore: !linux,
  level: "long",
}, async () => {
  await using server = await ServerProcess.start(["--quiet"]);
  const connectAll = async (line: string) => {
    const conns: Deno.TcpConn[] = [];
    for (let i = 0; i < 50; i++) {
      conns.push(...await Promise.all(Array.from({ length: 100 }, () => server.connect())));
    }
    await Promise.all(conns.map((conn) => send(conn, line).catch(() => {})));
    return conns;
  };
  // What 5,000 connections take once, the runtime keeps.
  for (const conn of await connectAll("hello\n")) conn.close();
  using other = await server.connect();
  await assertServes(other);
  const before = await residentKiB(server.pid);
  const conns = await connectAll("x".repeat(60_000));
  await assertServes(other);
  const during = await residentKiB(server.pid);
  for (const conn of conns) conn.close();
  let after = Infinity;
  const end = performance.now() + 10_000;
  while (performance.now() < end && after > 1.5 * before) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    after = await residentKiB(server.pid);
  }
  console.log(`${before} KiB before, ${during} KiB with unfinished lines, ${after} KiB after`);
  assertLess(during - before, 400 * 1024);
  // What stays is mostly the kernel's slots, which WebAssembly does not give back.
  assertLess(after, 1.5 * before);
});

test("more connections than the descriptors allow are a warning at the start, behind PROXY sooner", {
  ignore: !linux,
  level: "slow",
}, async () => {
  const few = ["sh", "-c", 'ulimit -n 1024 && exec "$@"', "sh"];
  const proxy = ["--proxy-protocol", "--proxy-from", "::1"];
  for (const [args, allowed] of [[[], 960], [proxy, 896]] as const) {
    await using wanting = await ServerProcess.start(["--max-conns", "961", ...args], few);
    await wanting.stderr.until(
      new RegExp(`warn capacity reason="1024 descriptors allow ${allowed} connections, not 961; `),
    );
    await using content = await ServerProcess.start(["--max-conns", String(allowed), ...args], few);
    await content.stderr.until(/info start /);
    assert(!content.stderr.text.includes("warn"), content.stderr.text);
    await using silent = await ServerProcess.start([...args], few);
    await silent.stderr.until(new RegExp(`info start .*max_conns=${allowed} `));
  }
});

test("with hardly any descriptors a server says so, or announces no more connections than they allow", {
  ignore: !linux,
  level: "slow",
}, async () => {
  const tried = await Promise.all(Array.from({ length: 12 }, async (_, i) => {
    const limit = 15 + i;
    // With fewer still, the runtime itself gives up.
    const command = [...TSECHO, "server", "127.0.0.1:0"];
    await using server = new Running(["sh", "-c", `ulimit -n ${limit} && exec "$@"`, "sh", ...command]);
    await Promise.race([server.code(), server.stderr.until(/ info start .*\n/).catch(() => {})]);
    const [, conns] = /max_conns=(\d+)/.exec(server.stderr.text) ?? [];
    if (conns !== undefined) assertLess(Number(conns), limit);
    return server.stderr.text;
  }));
  const refusal = 'tsecho: Cannot start "server": out of file descriptors; raise the limit (ulimit -n)\n';
  assert(tried.some((it) => it.includes("max_conns=")) && tried.includes(refusal), tried.join("\n"));
});

test("beyond --max-conns everybody is told so at once, however many there are", async () => {
  await using server = await ServerPeer.start(["--max-conns", "1"]);
  using held = await server.connect();
  await assertServes(held);
  // They stay open on their side: nobody may have to wait for another to go.
  const crowd = await Promise.all(Array.from({ length: 300 }, () => server.connect()));
  const start = performance.now();
  const replies = await Promise.all(crowd.map(readAll));
  // In turns of 32, each of which lingers for 2 s, it took 18 s.
  assertLess(performance.now() - start, 9_000);
  assertEquals(new Set(replies), new Set(["error: too many connections (1)\n"]));
  for (const conn of crowd) conn.close();
});

/** What a check of a port does. */
async function knock(server: ServerPeer, bytes?: Uint8Array): Promise<void> {
  using conn = await server.connect();
  if (bytes !== undefined) await conn.write(bytes);
  await conn.closeWrite();
  await readAll(conn).catch(() => {});
}

test("health checks are counted, and not logged one by one", async () => {
  const proxy = ["--proxy-protocol", "--proxy-from", "127.0.0.1"];
  const local = proxyV2({ command: 0x20, addresses: [] });
  for (const [args, bytes] of [[[], undefined], [proxy, undefined], [proxy, local]] as const) {
    await using server = await ServerPeer.start([...args]);
    for (let i = 0; i < 5; i++) await knock(server, bytes);
    await server.stop();
    const log = server.stderr.text;
    assert(!/ open | close | warn /.test(log), log);
    assertMatch(log, /info checks count=5 total=5\n/);
    assertMatch(log, /info end connections=\d .*refused=0 checks=5 /);
  }
});

test("health checks of a TLS endpoint are counted too", await needsTlsServer(), async () => {
  await using folder = await Folder.make();
  await copyCertificates(folder);
  const files = ["--cert", folder.file("server.pem"), "--key", folder.file("server.key")];
  const proxy = ["--proxy-protocol", "--proxy-from", "127.0.0.1"];
  await using server = await ServerPeer.start(["tls://127.0.0.1:0", ...files]);
  await using behind = await ServerPeer.start(["tls://127.0.0.1:0", ...files, ...proxy]);
  await knock(server);
  await knock(behind, proxyV2({ command: 0x20, addresses: [] }));
  for (const it of [server, behind]) {
    await it.stop();
    assert(!/ open | close | warn /.test(it.stderr.text), it.stderr.text);
    assertMatch(it.stderr.text, /info end connections=0 .*refused=0 checks=1 /);
  }
});

test("a client that sends no LF is worth one hint", async () => {
  await using server = await ServerPeer.start();
  using classic = await server.connect();
  using another = await server.connect();
  await send(classic, "hello");
  await send(another, "hello");
  await server.stderr.until(
    /info hint reason="no LF from 127\.0\.0\.1:\d+: a classic client\? --framing chunk"\n/,
  );
  await send(classic, "\n");
  assertStringIncludes(await readLine(classic), "hello\n");
  await server.stop();
  assertEquals(server.stderr.text.split(" hint ").length - 1, 1);
});

test("an answer by UDP is not more than three times as long as what was asked", async () => {
  await using server = await ServerPeer.start([
    "udp://127.0.0.1:0",
    "udp://[::1]:0",
    "--tag",
    "t".repeat(64),
  ]);
  const prefix = 95; // "[2026-11-23T03:37:00.123456Z " and the tag and "] "
  for (
    const [hostname, headers, { port }] of [
      ["127.0.0.1", 28, server.endpoints()[0]!],
      ["::1", 48, server.endpoints()[1]!],
    ] as const
  ) {
    const least = Math.max(0, Math.ceil(prefix / 2 - headers));
    const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    for (const size of [least - 1, least]) {
      if (size >= 0) await socket.send(new Uint8Array(size), { transport: "udp", hostname, port });
    }
    const [reply] = await socket.receive();
    socket.close();
    assertEquals(reply.length, prefix + least); // and not the one before
  }
  await eventually(() => server.stderr.text.includes("warn drop"), "the drop in the log");
  assertMatch(
    server.stderr.text,
    /warn drop reason="the answer would be more than three times as long" count=1 total=1 last_peer=127/,
  );
});
