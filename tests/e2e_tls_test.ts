/** TLS: handshakes that stall, streams that are cut off, slow readers. */
import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import type { Stream } from "../net/stream.ts";
import { TlsAcceptor } from "../net/tls_acceptor.ts";
import { e2e as test, volume } from "./harness.ts";
import {
  descriptors,
  eventually,
  python,
  readAll,
  readLine,
  run,
  Running,
  send,
  ServerPeer,
  ServerProcess,
  TESTDATA,
  TSECHO,
  tsecho,
  unstamped,
  within,
} from "./helpers.ts";
import { connect, needsTlsServer, tlsServer, withCertificates } from "./tls_helpers.ts";

const options = await needsTlsServer();
const linux = { ignore: options.ignore || Deno.build.os !== "linux" };

test(
  "lines go both ways through TLS, and both sides end in order",
  options,
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await ServerPeer.start(["tls://:0", ...identity]);
      const url = server.url("tls");
      const { code, stdout, stderr } = await tsecho(
        ["client", url, "--ca", folder.file("ca.pem")],
        "one\n\nthree without LF",
      );
      assertEquals([code, stderr], [0, ""]);
      assertEquals(stdout.split("\n").slice(0, 3).map((line) => unstamped(line)), [
        "one",
        "",
        "three without LF",
      ]);
      const told = await tsecho(["client", url, "--ca", folder.file("ca.pem"), "-m", "hello"]);
      assertEquals([told.code, unstamped(told.stdout)], [0, "hello\n"]);
      await server.stderr.until(/close conn=2 .*reason="closed by peer"/);
      assertEquals(server.stderr.text.match(/close conn=\d .*reason="closed by peer"/g)!.length, 2);
      using conn = await connect(folder, server.port, ["tsecho"]);
      assertEquals((await conn.handshake()).alpnProtocol, "tsecho");
      await send(conn, "still\nhere");
      assertEquals(unstamped(await readLine(conn)), "still\n");
      const stopped = server.stop();
      assertEquals(await readAll(conn), ""); // an orderly end: a cut one would throw
      await conn.closeWrite();
      assertEquals(await stopped, 0);
    }),
);

const MEBIBYTES = volume(4, 20);

test(
  `${MEBIBYTES} MiB of random lines go through TLS and come back`,
  { ...linux, level: "large" },
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await tlsServer(identity);
      await run(["sh", "-c", 'head -c "$1" /dev/urandom > "$0/in"', folder.path, `${MEBIBYTES * 2 ** 20}`]);
      const { code, stderr } = await run([
        ...["sh", "-c", 'exec "$@" < "$0/in" > "$0/out"', folder.path],
        ...[...TSECHO, "client", server.url("tls"), "--ca", folder.file("ca.pem")],
      ]);
      assertEquals([code, stderr], [0, ""]);
      await python("same_lines", folder.file("in"), folder.file("out"));
    }),
);

test(
  "stalled handshakes, twice as many as may be under way, hold up nobody",
  { ...linux, level: "long" },
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await ServerProcess.start([
        ...["tcp://127.0.0.1:0", "tls://127.0.0.1:0", ...identity, "--handshake-timeout", "5s"],
      ]);
      const [, cap] = await server.stderr.until(/max_pending=(\d+)/);
      const [tcp, tls] = [server.portOf("tcp"), server.portOf("tls")];
      const clients = await Promise.all([
        ...Array.from({ length: 100 }, () => Deno.connect({ hostname: "127.0.0.1", port: tcp })),
        ...Array.from({ length: 100 }, () => connect(folder, tls)),
      ]);
      for (const conn of clients) await send(conn, "first\n").then(() => readLine(conn));
      const before = await descriptors(server.pid);
      let stalling = true;
      let rounds = 0, longest = 0;
      const talking = (async () => {
        while (stalling || rounds < 20) {
          const start = performance.now();
          await Promise.all(clients.map(async (conn, i) => {
            await send(conn, `${i}\n`);
            assertEquals(unstamped(await readLine(conn)), `${i}\n`);
          }));
          longest = Math.max(longest, performance.now() - start);
          rounds++;
        }
      })();
      const stalled = await Promise.all(Array.from({ length: 2 * Number(cap) }, async () => {
        const conn = await Deno.connect({ hostname: "127.0.0.1", port: tls });
        await conn.write(Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0)).catch(() => {});
        return conn;
      }));
      // The older half has to make room for the younger, and a client that does not stall gets in among them.
      await server.stderr.until(/warn refuse reason="too many on their way in"/);
      using late = await connect(folder, tls);
      await send(late, "in\n");
      assertEquals(unstamped(await readLine(late)), "in\n");
      const during = await descriptors(server.pid);
      // The others go when their time is over, and so do their descriptors, though these clients never close.
      await server.stderr.until(/warn refuse reason="late TLS handshake"/);
      await eventually(
        async () => await descriptors(server.pid) <= before + 3,
        "the descriptors of the stalled",
      );
      stalling = false;
      await talking;
      console.log(
        `${stalled.length} stalled handshakes (cap ${cap}): 200 clients answered ${rounds} times each, the slowest ` +
          `round of all 200 in ${Math.round(longest)} ms; descriptors ${before} before, ${during} during, ` +
          `${await descriptors(server.pid)} after`,
      );
      assertLess(during, before + Number(cap) + 20);
      for (const conn of [...clients, ...stalled]) conn.close();
    }),
);

const VANISHING = volume(300, 10_000);

test(
  `${VANISHING} clients that vanish in the middle of a handshake leave no descriptor behind`,
  { ...linux, level: "large" },
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await tlsServer(identity, "--quiet");
      using held = await connect(folder, server.port);
      await send(held, "hello\n");
      await readLine(held);
      const before = await descriptors(server.pid);
      const start = performance.now();
      await python("tls_vanish", server.port, VANISHING);
      await eventually(async () => await descriptors(server.pid) <= before, "the last descriptors to go");
      console.log(
        `${VANISHING} vanished in ${Math.round(performance.now() - start)} ms; ` +
          `descriptors ${before} before, ${await descriptors(server.pid)} after`,
      );
      await send(held, "again\n");
      assertEquals(unstamped(await readLine(held)), "again\n");
      using fresh = await connect(folder, server.port);
      await send(fresh, "hello\n");
      assertEquals(unstamped(await readLine(fresh)), "hello\n");
    }),
);

test(
  "a stream that is cut off is not an orderly end, for either side",
  { ...options, level: "slow" },
  () =>
    withCertificates(async (folder, identity) => {
      const files = [folder.file("server.pem"), folder.file("server.key")];
      const ways = [["--ca", folder.file("ca.pem")], ["--insecure"]];
      const talks = [["-m", "one", "-m", "two"], []];
      for (const [way, message] of ways.flatMap((way) => talks.map((talk) => [way, talk] as const))) {
        await using cutting = new Running(["python3", `${TESTDATA}tls_cut.py`, ...files]);
        const [port] = await cutting.stdout.until(/\d+/);
        const { code, stdout, stderr } = await tsecho(
          ["client", `tls://localhost:${port}`, "-4", ...way, ...message],
          message.length > 0 ? "" : "one\n",
        );
        assertEquals([code, stdout], [1, "[2026-11-23T03:37:00.123456Z] one\n"]);
        assertMatch(stderr, /the connection was cut off, without the end that TLS asks for/);
      }
      await using server = await tlsServer(identity);
      const { code } = await run([
        "python3",
        "-c",
        `import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
peer = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[2]))), server_hostname="localhost")
peer.sendall(b"hello\\nno end"); peer.recv(100); peer.close()`,
        folder.file("ca.pem"),
        String(server.port),
      ]);
      assertEquals(code, 0);
      await server.stderr.until(/close conn=1 .* lines=1 .*reason="cut off: no TLS close_notify"/);
    }),
);

test(
  "a client that never reads is cut off from TLS too, and its descriptors come back",
  linux,
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await tlsServer(identity, "--idle-timeout", "500ms");
      const before = await descriptors(server.pid);
      const conn = await connect(folder, server.port);
      const flood = new TextEncoder().encode("x\n".repeat(32768));
      const sending = (async () => {
        try {
          for (;;) await conn.write(flood);
        } catch {
          // The server has given up.
        }
      })();
      await server.stderr.until(/warn cut conn=1 .*reason="idle: the peer does not read"/);
      await eventually(async () => await descriptors(server.pid) <= before, "the descriptors to go");
      conn.close();
      await sending;
      assertEquals(await server.stop(), 0);
      assert(!server.stderr.text.includes("Uncaught"));
    }),
);

test(
  "an idle TLS connection is told so and closed",
  options,
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await tlsServer(identity, "--idle-timeout", "300ms");
      using conn = await connect(folder, server.port);
      await conn.write(new TextEncoder().encode("x"));
      assertEquals(await readAll(conn), "error: idle for 300ms\n");
      await server.stderr.until(/reason=idle/);
      assertStringIncludes(server.stderr.text, "open conn=1");
    }),
);

/** A client that sends lines and its end at once, and reads slowly. It prints how many replies came, and how it ended. */
const SLOW_READER = `import socket, ssl, sys, threading, time
ca, port, count, pause = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
raw = socket.socket()
raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
raw.connect(("127.0.0.1", port))
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = ssl.create_default_context(cafile=ca).wrap_bio(incoming, outgoing, server_hostname="localhost")
def step(call):
    while True:
        try:
            return call()
        except ssl.SSLWantReadError:
            raw.sendall(outgoing.read())
            data = raw.recv(16384)
            incoming.write(data) if data else incoming.write_eof()
step(tls.do_handshake)
tls.write(b"".join(b"%d\\n" % i for i in range(count)))
try:
    tls.unwrap()
except ssl.SSLWantReadError:
    pass
threading.Thread(target=raw.sendall, args=(outgoing.read(),), daemon=True).start()
got = b""
while True:
    time.sleep(pause)
    try:
        data = step(lambda: tls.read(65536))
    except ssl.SSLZeroReturnError:
        data = b""
    except ssl.SSLError as error:
        print(got.count(b"\\n"), error.reason)
        break
    if not data:
        print(got.count(b"\\n"), "in order")
        break
    got += data
`;

test(
  "a client that takes any certificate gets every line, and no more than its stdout takes",
  { ...linux, level: "slow" },
  () =>
    withCertificates(async (_folder, identity) => {
      await using server = await tlsServer(identity);
      const client = [...TSECHO, "client", server.url("tls"), "--insecure"];
      const filter = await run(["sh", "-c", 'seq 300000 | "$@" | cut -d " " -f 2 | cksum', "sh", ...client]);
      assertEquals(filter.stdout, (await run(["sh", "-c", "seq 300000 | cksum"])).stdout);
      // Nobody reads its stdout: the server must come to a stop, not the client's memory grow.
      const script = `import subprocess, sys, time
process = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
try:
    flood = b"%060d\\n" % 1 * 1000
    import os, select
    sent = 0
    while sent < 200_000_000 and select.select([], [process.stdin], [], 2)[1]:
        sent += os.write(process.stdin.fileno(), flood[:4096])
    print(sent)
finally:
    process.kill()
    process.wait()`;
      const { stdout, stderr } = await run(["python3", "-c", script, ...client]);
      assertLess(Number(stdout), 100_000_000, stderr);
    }),
);

test(
  "a TLS client that reads slowly gets every reply, even when the server is ending",
  { ...linux, level: "slow" },
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await tlsServer(identity);
      const args = [folder.file("ca.pem"), server.port, 150_000, 0.01].map(String);
      await using reader = new Running(["python3", "-c", SLOW_READER, ...args]);
      await server.stderr.until(/close conn=1 .*lines=150000 .*reason="closed by peer"/);
      assertEquals(reader.stdout.text, "");
      assertEquals(await server.stop(), 0);
      assertEquals(await reader.code(), 0, reader.stderr.text);
      assertEquals(reader.stdout.text, "150000 in order\n");
      assertMatch(server.stderr.text, /end .* cut=0 /);
    }),
);

/** Bytes that a server on this machine has sent and its clients' systems have not taken, for want of room. */
async function unacknowledged(port: number): Promise<number> {
  const { stdout } = await run(["cat", "/proc/net/tcp"]);
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const queues = stdout.split("\n").map((line) => line.trim().split(/\s+/))
    .filter(([, address, , state]) => address === local && state !== "0A")
    .map(([, , , , queue]) => parseInt(queue!, 16));
  return queues.reduce((sum, bytes) => sum + bytes, 0);
}

test(
  "replies that a TLS client does not take until the drain timeout count as cut off",
  { ...linux, level: "slow" },
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await ServerProcess.start([
        ...["tls://127.0.0.1:0", ...identity, "--drain-timeout", "500ms"],
      ]);
      const args = [folder.file("ca.pem"), server.port, 120_000, 1000].map(String);
      await using reader = new Running(["python3", "-c", SLOW_READER, ...args]);
      await eventually(async () => await unacknowledged(server.port) > 0, "the replies to stand still");
      assertEquals(await server.stop(), 1);
      assertMatch(server.stderr.text, /warn cut conn=1 .*reason="drain timeout"/);
      assertMatch(server.stderr.text, /end .* cut=1 /);
      reader.kill("SIGKILL");
    }),
);

test(
  "a flood of silent connections from one address drives out itself, not another's slow handshake",
  { ...linux, level: "slow" },
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await tlsServer(identity);
      const [, cap] = await server.stderr.until(/max_pending=(\d+)/);
      const script = `import socket, ssl, sys
port, cap, ca = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
slow = socket.create_connection(("127.0.0.1", port), 30, ("127.0.0.2", 0))
flood = [socket.create_connection(("127.0.0.1", port), 30, ("127.0.0.1", 0)) for _ in range(2 * cap)]
flood[0].recv(1) # the flood has had to make room
peer = ssl.create_default_context(cafile=ca).wrap_socket(slow, server_hostname="localhost")
peer.sendall(b"hello\\n")
print(peer.recv(100).decode(), end="")`;
      const args = [String(server.port), cap!, folder.file("ca.pem")];
      const { stdout, stderr } = await run(["python3", "-c", script, ...args]);
      assertEquals(stderr, "");
      assertEquals(unstamped(stdout), "hello\n");
    }),
);

/** openssl as a client of TLS 1.2, which renegotiates after a line of `R`. */
function renegotiating(ca: string, port: number): Running {
  const connect = ["-connect", `127.0.0.1:${port}`, "-CAfile", ca];
  return new Running(["openssl", "s_client", "-tls1_2", "-no_ticket", ...connect]); // its wish fits in one read
}

test(
  "a client of TLS 1.2 that wants to renegotiate is refused at once",
  { ...options, needs: ["openssl"] },
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await tlsServer(identity);
      await using client = renegotiating(folder.file("ca.pem"), server.port);
      await client.write("hello\n");
      await client.stdout.until(/Z\] hello/);
      await client.write("R\n");
      await client.stderr.until(/no renegotiation/);
    }),
);

test(
  "what TLS answers by itself follows a write that is under way",
  { ...options, needs: ["openssl"] },
  () =>
    withCertificates(async (folder) => {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      await using client = renegotiating(folder.file("ca.pem"), listener.addr.port);
      using conn = await within(listener.accept(), "the client");
      let reads = 0, writing = false, held = false;
      const gate = Promise.withResolvers<void>();
      const types: number[] = [];
      const raw: Stream = {
        read: (buffer) => (reads++, conn.read(buffer)),
        async write(bytes) {
          assert(!writing, "two writes at a time");
          writing = true;
          types.push(bytes[0]!);
          if (held) await gate.promise;
          writing = false;
          return await conn.write(bytes);
        },
        closeWrite: () => conn.closeWrite(),
        close: () => {},
      };
      const [cert, key] = ["server.pem", "server.key"].map((it) => Deno.readTextFileSync(folder.file(it)));
      const acceptor = new TlsAcceptor({ identity: { cert: cert!, key: key! } }, []);
      const stream = await within(acceptor.secure(raw, new Uint8Array()), "the handshake");
      await client.write("hello\n");
      assertEquals(await within(stream.read(new Uint8Array(100)), "a line"), 6);
      held = true;
      const sent = stream.write(new TextEncoder().encode("reply\n"));
      const before = reads;
      const end = stream.read(new Uint8Array(100)).catch(() => null);
      await client.write("R\n");
      await eventually(() => Promise.resolve(reads > before + 1), "the wish to be read");
      gate.resolve();
      await within(sent, "the reply to be written");
      assertEquals(types.slice(-2), [23, 21], "application data, then an alert (RFC 5246, 6.2.1)");
      assertEquals(await within(end, "the client's end"), null); // openssl takes no reply before the answer it waits for
    }),
);
