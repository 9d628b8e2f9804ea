/** How the server ends: nothing that it has read is lost. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { e2e as test, volume } from "./harness.ts";
import {
  assertServes,
  eventually,
  freePort,
  readLine,
  send,
  ServerProcess,
  tsecho,
  unstamped,
  within,
} from "./helpers.ts";

/** Sends numbered lines as fast as they are taken, until it is to rest, and reads to the end. */
function flood(conn: Deno.Conn) {
  const encoder = new TextEncoder();
  const peer = { replies: "", done: Promise.resolve(), resting: false };
  let ended = false;
  const writing = (async () => {
    try {
      for (let i = 0; !ended && !peer.resting;) {
        let block = "";
        for (const stop = i + 10; i < stop; i++) block += `line ${i}\n`;
        const bytes = encoder.encode(block);
        for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
      }
    } catch {
      // The server has closed: what counts is what the reading side sees.
    }
  })();
  peer.done = (async () => {
    const buffer = new Uint8Array(65536);
    const decoder = new TextDecoder();
    // A reset would throw here, and fail the test.
    for (let n; (n = await conn.read(buffer)) !== null;) {
      peer.replies += decoder.decode(buffer.subarray(0, n));
    }
    ended = true;
    await conn.closeWrite().catch(() => {});
    await writing;
    conn.close();
  })();
  return peer;
}

type Flood = ReturnType<typeof flood>;

/** A draining server ends a connection that has been quiet for this long. */
const QUIET_MS = 50;

/** A connection on which the server has answered a line. */
async function served(server: ServerProcess): Promise<Deno.TcpConn> {
  const conn = await server.connect();
  await assertServes(conn);
  return conn;
}

/** Waits until all of them are under way. */
function flowing(peers: Flood[]): Promise<void> {
  return eventually(() => peers.every(({ replies }) => replies.length >= 10_000), "replies to all");
}

/** How many lines were answered, after checking that each peer's are all there, in order and whole. */
function countAnswered(peers: Flood[]): number {
  let answered = 0;
  for (const { replies } of peers) {
    const lines = replies.split("\n");
    assertEquals(lines.pop(), "", "the last reply is whole");
    for (const [i, line] of lines.entries()) {
      const text = unstamped(line);
      if (text !== `line ${i}`) assertEquals(text, `line ${i}`); // costs too much for millions that are right
    }
    answered += lines.length;
  }
  return answered;
}

const FLOODS = volume(20, 50);
/** For how long a draining server is still flooded. */
const FLOOD_MS = volume(300, 1000);
/** Floods that do not rest are never quiet: they send at full speed until this time is over. */
const FLOODED = ["--drain-timeout", `${FLOOD_MS}ms`];

for (const [signal, level] of [["SIGTERM", "sized"], ["SIGINT", "long"]] as const) {
  test(
    `${signal} while ${FLOODS} connections send at full speed loses no line that was read`,
    { level },
    async () => {
      const endpoint = `tcp://127.0.0.1:${freePort()}`;
      // A busy machine may keep a flood from reading when the drain times out: none is cut off for that.
      await using server = await ServerProcess.start([endpoint, "--drain-timeout", "60s"]);
      const waiting = await server.connect();
      await send(waiting, "hello\n");
      await readLine(waiting);
      const conns = await Promise.all(Array.from({ length: FLOODS }, () => server.connect()));
      const peers = conns.map(flood);
      await flowing(peers);
      server.kill(signal);
      await new Promise((resolve) => setTimeout(resolve, FLOOD_MS));
      for (const peer of peers) peer.resting = true;
      await within(Promise.all(peers.map(({ done }) => done)), "every connection to end in order");
      assertEquals(await readLine(waiting), ""); // idle, but told the end as well
      waiting.close();
      assertEquals(await server.code(), 0);
      const answered = 1 + countAnswered(peers);
      const [, counted] = new RegExp(`info end connections=${FLOODS + 1} lines=(\\d+) .*cut=0`).exec(
        server.stderr.text,
      )!;
      assertEquals(Number(counted), answered);
      console.log(`${answered} lines read, ${answered} replies arrived`);
      // The port is free at once.
      await using next = await ServerProcess.start([endpoint]);
      using conn = await next.connect();
      await send(conn, "hello again\n");
      assertEquals(unstamped(await readLine(conn)), "hello again\n");
    },
  );
}

const linux = { ignore: Deno.build.os !== "linux", level: "sized" } as const;

test("two servers share a port, and the end of one loses no line", { ...linux, level: "slow" }, async () => {
  await using one = await ServerProcess.start(["--reuse-port", ...FLOODED]);
  const endpoint = `tcp://127.0.0.1:${one.port}`;
  await using other = await ServerProcess.start([endpoint, "--reuse-port", ...FLOODED]);
  // The kernel deals them out by a hash of the addresses.
  const conns = await Promise.all(Array.from({ length: FLOODS + 10 }, () => one.connect()));
  const peers = conns.map(flood);
  await flowing(peers);
  const openedBy = (server: ServerProcess) => server.stderr.text.split(" open conn=").length - 1;
  await eventually(() => openedBy(one) + openedBy(other) >= FLOODS + 10, "all connections in the logs");
  const [ofOne, ofOther] = [openedBy(one), openedBy(other)];
  assertEquals(ofOne + ofOther, FLOODS + 10);
  assert(ofOne > 0 && ofOther > 0, `${ofOne} and ${ofOther} connections`);

  assertEquals(await one.stop(), 0);
  const later = await other.connect();
  await assertServes(later);
  later.close();
  assertEquals(await other.stop(), 0);
  await within(Promise.all(peers.map(({ done }) => done)), "every connection to end in order");
  const lines = [one, other].map(({ stderr }) =>
    Number(/info end .*lines=(\d+) .*cut=0/.exec(stderr.text)![1])
  );
  assertEquals(lines[0]! + lines[1]!, countAnswered(peers) + 1);
  console.log(`${ofOne} and ${ofOther} connections, ${lines[0]} and ${lines[1]} lines, all answered`);
});

test("a port is shared only with those who share it too", linux, async () => {
  await using server = await ServerProcess.start(["--reuse-port"]);
  const refused = await tsecho(["server", `tcp://127.0.0.1:${server.port}`]);
  assertEquals(refused.code, 1);
  assertMatch(refused.stderr, /^tsecho: Cannot listen on ".*": the port is in use; [^\n]*\n$/);
});

test("on all interfaces a shared port is announced once", linux, async () => {
  await using server = await ServerProcess.start(["--port", "0", "--reuse-port"]);
  for (const hostname of ["127.0.0.1", "::1"]) {
    using conn = await server.connect(hostname);
    await send(conn, "hello\n");
    assertEquals(unstamped(await readLine(conn)), "hello\n");
  }
  assertEquals(await server.stop(), 0);
  assertEquals(server.stdout.text.split("listening on").length - 1, 1);
});

/** A server, and a connection to it whose replies nobody reads. */
async function stuckServer(...args: string[]) {
  const server = await ServerProcess.start(args);
  const conn = await server.connect();
  const line = new TextEncoder().encode("x\n".repeat(32768));
  const sending = (async () => {
    try {
      for (;;) await conn.write(line);
    } catch {
      // The server has gone.
    }
  })();
  await server.stderr.until(/info open conn=1/);
  // Answered lines fill the sockets' buffers until the server's write blocks: another connection shows it still runs.
  using other = await server.connect();
  for (let i = 0; i < 50; i++) {
    await send(other, "hello\n");
    await readLine(other);
  }
  return {
    server,
    async [Symbol.asyncDispose]() {
      conn.close();
      await sending;
      await server[Symbol.asyncDispose]();
    },
  };
}

test("a second signal ends the server at once, when it comes later than one that was sent twice", async () => {
  await using stuck = await stuckServer("--drain-timeout", "0");
  stuck.server.kill("SIGTERM");
  await stuck.server.stderr.until(/info drain connections=/);
  const code = stuck.server.code();
  let ended = false;
  code.then(() => ended = true);
  while (!ended) {
    try {
      stuck.server.kill("SIGTERM");
    } catch {
      // It has just ended.
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assertEquals(await code, 1);
});

test("two signals at once, as timeout(1) sends them, are one", async () => {
  await using server = await ServerProcess.start();
  using conn = await served(server);
  server.kill("SIGTERM");
  server.kill("SIGINT");
  assertEquals(await readLine(conn), "");
  await conn.closeWrite();
  assertEquals(await server.code(), 0);
  assertMatch(server.stderr.text, /info end connections=1 lines=1 /);
});

test("who goes on asking while the server drains is answered, until it is quiet", async () => {
  await using server = await ServerProcess.start();
  using busy = await served(server);
  using quiet = await served(server);
  server.kill("SIGTERM");
  let lines = 0;
  let last = performance.now();
  for (let since = -1; since < 100; lines++) {
    const sent = performance.now();
    await send(busy, `line ${lines}\n`);
    const reply = await readLine(busy);
    // The machine may be slow: then this client was quiet itself, since the server read the line before.
    const isQuiet = performance.now() - last >= QUIET_MS;
    if (reply === "" && isQuiet) break;
    assertEquals(unstamped(reply), `line ${lines}\n`);
    last = sent;
    if (since >= 0 || server.stderr.text.includes("info drain ")) since++;
  }
  assertEquals(await readLine(quiet), "");
  await busy.closeWrite();
  assertEquals(await readLine(busy), "");
  await quiet.closeWrite();
  assertEquals(await server.code(), 0);
  assertMatch(server.stderr.text, new RegExp(`info end connections=2 lines=${lines + 2} `));
});

test("for the drain delay the server goes on as ever, and SIGQUIT ends the delay", async () => {
  await using server = await ServerProcess.start(["--drain-delay", "1h"]);
  using held = await served(server);
  server.kill("SIGTERM");
  await server.stderr.until(/info delay connections=1 drain_delay=3600s\n/);
  // Longer than a connection may be quiet in a drain: it is still served, and so are new ones.
  await new Promise((resolve) => setTimeout(resolve, 100));
  using late = await served(server);
  await assertServes(held);
  server.kill("SIGQUIT");
  await server.stderr.until(/info drain connections=2\n/);
  for (const conn of [held, late]) {
    assertEquals(await readLine(conn), "");
    await conn.closeWrite();
  }
  assertEquals(await server.code(), 0);
});

test("the drain delay ends by itself, and SIGQUIT alone begins the drain at once", async () => {
  await using delayed = await ServerProcess.start(["--drain-delay", "300ms"]);
  assertEquals(await delayed.stop(), 0);
  assertMatch(delayed.stderr.text, /info delay [^]*info drain [^]*info end /);
  await using hurried = await ServerProcess.start(["--drain-delay", "1h"]);
  assertEquals(await hurried.stop("SIGQUIT"), 0);
  assertMatch(hurried.stderr.text, /info drain connections=0\n/);
  assert(!hurried.stderr.text.includes("info delay"), hurried.stderr.text);
});

test("SIGHUP does no harm where there is no TLS, and is logged", async () => {
  await using server = await ServerProcess.start();
  using conn = await served(server);
  server.kill("SIGHUP");
  await server.stderr.until(/info reload reason="there is no tls:\/\/ endpoint"\n/);
  await assertServes(conn);
});

test("the drain timeout cuts a peer that does not read, says so, and the exit code tells", async () => {
  await using stuck = await stuckServer("--drain-timeout", "300ms");
  assertEquals(await stuck.server.stop(), 1);
  assertMatch(stuck.server.stderr.text, /warn cut conn=1 .*reason="drain timeout"\n/);
  assertMatch(stuck.server.stderr.text, /info end .*cut=1 /);
});

test("a peer that keeps its side open has lost nothing when the drain timeout ends it", async () => {
  await using server = await ServerProcess.start(["--drain-timeout", "200ms"]);
  using conn = await server.connect();
  await send(conn, "hello\n");
  assertEquals(unstamped(await readLine(conn)), "hello\n");
  assertEquals(await server.stop(), 0);
  assert(!server.stderr.text.includes(" cut conn"), server.stderr.text);
  assertEquals(await readLine(conn), "");
});
