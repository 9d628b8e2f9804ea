/** Hostile and unlucky peers: each test says its figure. */
import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { e2e as test, volume } from "./harness.ts";
import {
  assertServes,
  cpuSeconds,
  eventually,
  python,
  readAll,
  readLine,
  residentKiB,
  run,
  send,
  ServerPeer,
  ServerProcess,
  tsecho,
  unstamped,
  within,
} from "./helpers.ts";

const linux = Deno.build.os === "linux";
const MIB = 1024; // in KiB

const MEBIBYTES = volume(128, 1024);

test(`${MEBIBYTES} MiB without LF get the error line and cost no memory`, {
  ignore: !linux,
  level: "large",
}, async () => {
  await using server = await ServerProcess.start();
  // What ordinary lines take, any use of the server takes.
  const ordinary = await tsecho(
    ["client", `127.0.0.1:${server.port}`],
    "an ordinary line\n".repeat(volume(300_000, 1_000_000)),
  );
  assertEquals(ordinary.code, 0);
  const block = new Uint8Array(65536).fill(0x78);
  const flood = async (bytes: number) => {
    using conn = await server.connect();
    const reply = readAll(conn);
    let sent = 0;
    while (sent < bytes) sent += await within(conn.write(block), "the server to read");
    await conn.closeWrite();
    assertEquals(await reply, "error: line longer than 65536 bytes\n");
    return sent;
  };
  await flood(MEBIBYTES * 2 ** 17);
  const before = await residentKiB(server.pid, "VmHWM");
  const sent = await flood(MEBIBYTES * 2 ** 20);
  await server.stderr.until(/conn=3 .*lines=0 .*reason="line too long"/);
  const growth = await residentKiB(server.pid, "VmHWM") - before;
  console.log(`${sent} bytes sent; the server's peak rose by ${growth} KiB`);
  // The collector lets the peak rise by a few MiB, however much is sent; a server that keeps what it reads rises by all of it.
  assertLess(growth, 16 * MIB);
});

const CLIENTS = volume(50, 200);
const LINES = volume(500, 2000);

test(
  `${CLIENTS} clients that send for ever and never read cost a bounded memory`,
  { ignore: !linux, level: "large" },
  async () => {
    await using server = await ServerProcess.start();
    using other = await server.connect();
    await assertServes(other);
    const before = await residentKiB(server.pid);
    const block = new TextEncoder().encode("x".repeat(99) + "\n").slice();
    const flood = new Uint8Array(65536);
    for (let i = 0; i < flood.length; i++) flood[i] = block[i % 100]!;
    let sent = 0;
    let latest = 0;
    const conns = await Promise.all(Array.from({ length: CLIENTS }, () => server.connect()));
    const senders = conns.map(async (conn) => {
      try {
        for (;;) {
          sent += await conn.write(flood);
          latest = performance.now();
        }
      } catch {
        // The end of the test closes the connection.
      }
    });
    // Once back-pressure has come, only drops trickle: what memory is needed has been taken by then.
    await eventually(() => sent > 0 && performance.now() - latest > 100, "back-pressure to stop the senders");
    for (let i = 0; i < LINES; i++) await assertServes(other);
    const stalled = await residentKiB(server.pid);
    for (let i = 0; i < LINES; i++) await assertServes(other);
    const after = await residentKiB(server.pid);
    console.log(
      `${
        Math.round(sent / 2 ** 20)
      } MiB sent in vain; server ${before} KiB before, ${stalled} KiB stalled, ` +
        `${after} KiB after ${LINES} more lines of another client`,
    );
    for (const conn of conns) conn.close();
    await Promise.all(senders);
    assertLess(stalled - before, Math.max(100, CLIENTS) * MIB); // 1 MiB each
    assertLess(after - stalled, 32 * MIB);
    await assertServes(other);
  },
);

const RESETS = volume(400, 10_000);

test(`${RESETS} peers that connect and reset leave the server whole`, { level: "large" }, async () => {
  await using server = await ServerPeer.start(["--quiet"]);
  using held = await server.connect();
  await assertServes(held);
  const start = performance.now();
  await python("reset", server.port, RESETS / 2);
  await python("reset", server.port, RESETS / 2, "cut\nof");
  console.log(`${RESETS} resets in ${Math.round(performance.now() - start)} ms`);
  await assertServes(held);
  using fresh = await server.connect();
  await assertServes(fresh);
  assertEquals(server.stderr.text, "");
});

test("connections beyond --max-conns get the error line, those held are undisturbed", async () => {
  await using server = await ServerPeer.start(["--max-conns", "10"]);
  const held = await Promise.all(Array.from({ length: 10 }, () => server.connect()));
  for (const conn of held) await assertServes(conn);
  const refused = await Promise.all(Array.from({ length: 100 }, async () => {
    using conn = await server.connect();
    await send(conn, "me too\n").catch(() => {});
    return await readAll(conn);
  }));
  assertEquals(new Set(refused), new Set(["error: too many connections (10)\n"]));
  for (const conn of held) await assertServes(conn);
  // A place that becomes free is given to the next.
  held.pop()!.close();
  await server.stderr.until(/info close /);
  const next = await server.connect();
  await assertServes(next);
  for (const conn of held) conn.close();
  next.close();
  await server.stop();
  assertStringIncludes(server.stderr.text, "refused=100");
  const lines = server.stderr.text.match(/warn refuse/g)!.length;
  console.log(`100 refused, each told so; ${lines} lines in the log`);
  assertLess(lines, 100);
});

test("several endpoints at their common limit all serve again, and the server ends in time", async () => {
  await using server = await ServerPeer.start([
    "tcp://127.0.0.1:0",
    "tcp://127.0.0.1:0",
    "--max-conns",
    "1",
  ]);
  await server.stdout.until(/(listening on \S+\n){2}/);
  const ports = [...server.stdout.text.matchAll(/:(\d+)\n/g)].map(([, port]) => Number(port));
  const connect = (port: number) => Deno.connect({ hostname: "127.0.0.1", port });
  const held = await connect(ports[0]!);
  await assertServes(held);
  // More than may be refused at once, on both: each accept loop comes to wait for a place.
  const crowd = await Promise.all(Array.from({ length: 80 }, (_, i) => connect(ports[i % 2]!)));
  await server.stderr.until(/warn refuse/);
  for (const conn of [held, ...crowd]) conn.close();
  for (const port of ports) {
    await eventually(async () => {
      using conn = await connect(port);
      await send(conn, "hello\n").catch(() => {});
      return (await readLine(conn).catch(() => "")).endsWith("] hello\n");
    }, "the crowd's places to be free");
  }
  assertEquals(await server.stop(), 0);
});

test("out of descriptors the server waits, without spinning, and serves all in the end", {
  ignore: !linux,
}, async () => {
  // 150 clients meet 100 descriptors. Those served fall idle, are closed, and make room for the others.
  await using server = await ServerProcess.start(["--max-conns", "1000", "--idle-timeout", "1s"], [
    ...["sh", "-c", 'ulimit -n 100 && exec "$@"', "sh"],
  ]);
  const started = await cpuSeconds(server.pid);
  const replies = await Promise.all(Array.from({ length: 150 }, async (_, i) => {
    using conn = await server.connect();
    await send(conn, `client ${i}\n`);
    const reply = await readLine(conn);
    assertEquals(await readAll(conn), "error: idle for 1s\n");
    return unstamped(reply);
  }));
  assertEquals(replies, Array.from({ length: 150 }, (_, i) => `client ${i}\n`));
  const used = await cpuSeconds(server.pid) - started;
  const failures = server.stderr.text.match(/warn accept reason="out of file descriptors[^\n]*/g) ?? [];
  console.log(`150 of 150 answered; ${used.toFixed(2)} s of processor time; log: ${failures.join(" | ")}`);
  assert(failures.length >= 1, server.stderr.text);
  assertLess(failures.length, 60);
  assertLess(used, 0.7); // a loop that spins takes a second and more
  assertEquals(await server.stop(), 0);
});

test("a client that never reads is idle too, in the end", async () => {
  await using server = await ServerPeer.start(["--idle-timeout", "500ms"]);
  const conn = await server.connect();
  const sending = (async () => {
    const flood = new TextEncoder().encode("x\n".repeat(32768));
    try {
      for (;;) await conn.write(flood);
    } catch {
      // The server has given up, or the test has ended.
    }
  })();
  await server.stderr.until(/warn cut conn=1 .*reason="idle: the peer does not read"/);
  conn.close();
  await sending;
});

test("what a peer sends never reaches the log", async () => {
  await using server = await ServerPeer.start();
  const conn = await server.connect();
  await send(conn, "\x1b]0;title\x07 secret\x00\n");
  assertEquals(unstamped(await readLine(conn)), "\x1b]0;title\x07 secret\x00\n"); // byte for byte to a peer
  conn.close();
  await server.stop();
  assert(!/[^\n -~]|secret/.test(server.stderr.text), server.stderr.text);
});

test("a million empty lines in one go are answered, and cost the server little", {
  ignore: !linux,
  needs: ["ncat"],
}, async () => {
  // Each byte sent asks for thirty-one: the replies to one read must not be made all at once.
  await using server = await ServerProcess.start(["--quiet"]);
  const before = await residentKiB(server.pid);
  const { stdout } = await run([
    ...["sh", "-c", `yes '' | head -n 1000000 | ncat 127.0.0.1 ${server.port} | wc -l`],
  ]);
  assertEquals(Number(stdout), 1_000_000);
  const growth = await residentKiB(server.pid, "VmHWM") - before;
  console.log(`the server's peak is ${growth} KiB above its level before`);
  assertLess(growth, 32 * MIB);
});
