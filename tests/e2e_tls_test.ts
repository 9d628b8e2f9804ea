/** TLS: certificates, handshakes that stall, streams that are cut off. */
import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import {
  descriptors,
  eventually,
  Folder,
  makeCertificates,
  needs,
  python,
  readAll,
  readLine,
  run,
  Running,
  send,
  ServerProcess,
  TESTDATA,
  TSECHO,
  tsecho,
  unstamped,
  within,
} from "./helpers.ts";

const options = { ...await needs("openssl") };
const linux = { ignore: options.ignore || Deno.build.os !== "linux" };

/** Runs a test with certificates in a folder, and a server's options for them. */
async function withCertificates(test: (folder: Folder, server: string[]) => Promise<void>): Promise<void> {
  await using folder = await Folder.make();
  await makeCertificates(folder);
  await test(folder, ["--cert", folder.file("server.pem"), "--key", folder.file("server.key")]);
}

/** Whether the command under test runs on a Deno before 2.9, of which `fault` is then said to be not looked at. */
async function isBeforeDeno29(fault: string): Promise<boolean> {
  const [, major, minor] = /deno (\d+)\.(\d+)/.exec((await tsecho(["--version"])).stdout)!;
  const before = Number(major) === 2 && Number(minor) < 9;
  if (before) console.log(`not looked at: Deno ${major}.${minor} ${fault}`);
  return before;
}

/** Connects with TLS from within the test. */
async function connect(folder: Folder, port: number, alpnProtocols?: string[]): Promise<Deno.TlsConn> {
  const caCerts = [await Deno.readTextFile(folder.file("ca.pem"))];
  const conn = await Deno.connectTls({
    hostname: "localhost",
    port,
    caCerts,
    ...(alpnProtocols && { alpnProtocols }),
  });
  await within(conn.handshake(), "the TLS handshake");
  return conn;
}

/** A TLS server on a free port. */
function tlsServer(identity: string[], ...args: string[]): Promise<ServerProcess> {
  return ServerProcess.start(["tls://127.0.0.1:0", ...identity, ...args]);
}

Deno.test(
  "lines go both ways through TLS, and both sides end in order",
  options,
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await ServerProcess.start(["tls://:0", ...identity]);
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

Deno.test(
  "20 MiB of random lines go through TLS and come back",
  linux,
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await tlsServer(identity);
      await run(["sh", "-c", 'head -c 20971520 /dev/urandom > "$0/in"', folder.path]);
      const { code, stderr } = await run([
        ...["sh", "-c", 'exec "$@" < "$0/in" > "$0/out"', folder.path],
        ...[...TSECHO, "client", server.url("tls"), "--ca", folder.file("ca.pem")],
      ]);
      assertEquals([code, stderr], [0, ""]);
      await python("same_lines", folder.file("in"), folder.file("out"));
    }),
);

Deno.test(
  "what is wrong with the server's files is said at the start",
  options,
  () =>
    withCertificates(async (folder) => {
      await run([
        "sh",
        "-c",
        `cd "$0"; openssl pkey -in server.key -aes128 -passout pass:x -out locked.key
        openssl req -x509 -newkey rsa:1024 -nodes -subj /CN=w -keyout weak.key -out weak.pem
        openssl req -x509 -newkey ed448 -nodes -subj /CN=w -keyout ed448.key -out ed448.pem`,
        folder.path,
      ]);
      await Deno.writeTextFile(
        folder.file("broken.pem"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
      );
      const chain = ["server", "broken"].map((name) => Deno.readTextFileSync(folder.file(`${name}.pem`)));
      await Deno.writeTextFile(folder.file("chain.pem"), chain.join(""));
      await Deno.writeTextFile(folder.file("empty.pem"), "");
      const unusable =
        "TLS cannot use this key: RSA of 2048 bits or more, ECDSA on P-256, P-384 or P-521, or Ed25519 can be";
      const table: [string, string, string, string][] = [
        ["missing.pem", "server.key", "missing.pem", "there is no such file or directory"],
        ["server.pem", "missing.key", "missing.key", "there is no such file or directory"],
        ["", "server.key", "", "it is a directory"],
        ["server.key", "server.key", "server.key", "there is not a certificate (PEM) in it"],
        ["empty.pem", "server.key", "empty.pem", "there is not a certificate (PEM) in it"],
        ["broken.pem", "server.key", "broken.pem", "the certificate cannot be read"],
        ["chain.pem", "server.key", "chain.pem", "certificate 2 of 2 cannot be read"],
        ["weak.pem", "weak.key", "weak.key", unusable],
        ["ed448.pem", "ed448.key", "ed448.key", unusable],
        ["server.pem", "server.pem", "server.pem", "there is not a private key (PEM) in it"],
        [
          "server.pem",
          "locked.key",
          "locked.key",
          "the key is encrypted; openssl pkey -in FILE -out PLAIN decrypts it",
        ],
        [
          "server.pem",
          "ca.key",
          "ca.key",
          `the key is not that of the certificate in ${folder.file("server.pem")}`,
        ],
      ];
      for (const [cert, key, file, reason] of table) {
        const argv = ["server", "tls://127.0.0.1:0", "--cert", folder.file(cert), "--key", folder.file(key)];
        const { code, stdout, stderr } = await tsecho(argv);
        assertEquals({ code, stdout, stderr }, {
          code: 1,
          stdout: "",
          stderr: `tsecho: Cannot use "${folder.file(file)}": ${reason}\n`,
        });
      }
      await using server = await ServerProcess.start([
        ...["tls://127.0.0.1:0", "--cert", folder.file("expired.pem"), "--key", folder.file("expired.key")],
      ]);
      await server.stderr.until(
        /warn certificate file=\S+expired.pem reason="the certificate expired on [^"]+"/,
      );
    }),
);

Deno.test("why a TLS connection cannot be had is said", options, () =>
  withCertificates(async (folder) => {
    const serve = (name: string) =>
      ServerProcess.start([
        ...["tls://127.0.0.1:0", "tcp://127.0.0.1:0", "--cert", folder.file(`${name}.pem`)],
        ...["--key", folder.file(`${name}.key`)],
      ]);
    await using server = await serve("server");
    await using other = await serve("other");
    await using expired = await serve("expired");
    await using self = await serve("self");
    await using ca = await serve("ca");
    const trust = ["--ca", folder.file("ca.pem")];
    const plain = server.url("tcp").replace("tcp", "tls");
    const table: [string, string[], string][] = [
      [server.url("tls"), [], "the certificate is not trusted; name the file of its CA with --ca"],
      [self.url("tls"), [], "the certificate is not trusted; name the file of its CA with --ca"],
      [self.url("tls"), trust, "the certificate is not trusted; name the file of its CA with --ca"],
      [
        other.url("tls"),
        trust,
        "the certificate is for another name: other.example; --server-name tells which to expect",
      ],
      [
        server.url("tls"),
        [...trust, "--server-name", "other.example"],
        "the certificate is for another name: localhost or 127.0.0.1; --server-name tells which to expect",
      ],
      [expired.url("tls"), trust, "the certificate has expired"],
      [
        ca.url("tls"),
        trust,
        "the certificate is not trusted: it is a CA's own, not a server's; make one with basicConstraints=CA:FALSE",
      ],
      [plain, trust, "the peer does not speak TLS; is it a tcp:// endpoint?"],
    ];
    for (const [url, args, reason] of table) {
      const { code, stdout, stderr } = await tsecho(["client", url, ...args, "-m", "hello"]);
      assertEquals({ code, stdout, stderr }, {
        code: 1,
        stdout: "",
        stderr: `tsecho: Cannot connect to "${url}": ${reason}\n`,
      });
    }
    // And the ways to connect all the same.
    const self127 = self.url("tls").replace("127.0.0.1", "localhost");
    const insecure = "tsecho: --insecure: the server's certificate is not verified, it may be anybody's\n";
    const ways: [string, string[], string][] = [
      [other.url("tls"), [...trust, "--server-name", "other.example"], ""],
      [self127, ["--ca", folder.file("self.pem")], ""],
      [self.url("tls"), ["--insecure"], insecure],
      [other.url("tls"), ["--insecure"], insecure],
      [expired.url("tls"), ["--insecure"], insecure],
    ];
    for (const [url, args, said] of ways) {
      const { code, stdout, stderr } = await tsecho(["client", url, ...args, "-m", "hello"]);
      assertEquals([code, stderr, unstamped(stdout)], [0, said, "hello\n"], `${url} ${args.join(" ")}`);
    }
    const wrong = await tsecho(["client", server.url("tls"), "--ca", folder.file("server.key"), "-m", "x"]);
    assertEquals(
      wrong.stderr,
      `tsecho: Cannot use "${folder.file("server.key")}": there is not a certificate (PEM) in it\n`,
    );
    // A server that goes in the middle of the handshake.
    for (const way of [trust, ["--insecure"]]) {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const url = `tls://127.0.0.1:${listener.addr.port}`;
      const asking = tsecho(["client", url, ...way, "-m", "hello"]);
      {
        using conn = await within(listener.accept(), "the client");
        await within(conn.read(new Uint8Array(65536)), "its handshake");
      }
      const { code, stderr } = await asking;
      assertEquals(code, 1);
      if (way !== trust && await isBeforeDeno29("takes the handshake of node:tls for done too early")) {
        continue;
      }
      const reason = "the server closed the connection in the TLS handshake";
      assertEquals(stderr.replace(insecure, ""), `tsecho: Cannot connect to "${url}": ${reason}\n`);
    }
    // A client without TLS is not answered, and said.
    const { code } = await tsecho(["client", server.url("tls").replace("tls", "tcp"), "-m", "hello"]);
    assertEquals(code, 1);
    await server.stderr.until(/warn refuse reason="TLS handshake failed" .*does not speak TLS/);
  }));

Deno.test(
  "the system's certificates are trusted",
  { ...await needs("openssl", "unshare") },
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await tlsServer(identity);
      const bundle = "/etc/ssl/certs/ca-certificates.crt";
      // In a mount namespace of its own, the system trusts the test's CA.
      const wrap = [
        ...["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"],
        ...[`mount --bind "$0" ${bundle} && exec "$@"`, folder.file("ca.pem")],
      ];
      if ((await run([...wrap, "true"])).code !== 0) {
        return console.log("skipped: no mount namespace, or no such file");
      }
      const { code, stdout, stderr } = await run([
        ...wrap,
        ...TSECHO,
        "client",
        server.url("tls"),
        "-m",
        "hello",
      ]);
      assertEquals([code, stderr, unstamped(stdout)], [0, "", "hello\n"]);
    }),
);

Deno.test(
  "stalled handshakes, twice as many as may be under way, hold up nobody",
  linux,
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
      assertLess(during, before + 3 * Number(cap) + 20);
      for (const conn of [...clients, ...stalled]) conn.close();
    }),
);

Deno.test(
  "10,000 clients that vanish in the middle of a handshake leave no descriptor behind",
  linux,
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await tlsServer(identity, "--quiet");
      using held = await connect(folder, server.port);
      await send(held, "hello\n");
      await readLine(held);
      const before = await descriptors(server.pid);
      const start = performance.now();
      await python("tls_vanish", server.port, 10_000);
      await eventually(async () => await descriptors(server.pid) <= before, "the last descriptors to go");
      console.log(
        `10,000 vanished in ${Math.round(performance.now() - start)} ms; ` +
          `descriptors ${before} before, ${await descriptors(server.pid)} after`,
      );
      await send(held, "again\n");
      assertEquals(unstamped(await readLine(held)), "again\n");
      using fresh = await connect(folder, server.port);
      await send(fresh, "hello\n");
      assertEquals(unstamped(await readLine(fresh)), "hello\n");
    }),
);

Deno.test(
  "a stream that is cut off is not an orderly end, for either side",
  options,
  () =>
    withCertificates(async (folder, identity) => {
      const files = [folder.file("server.pem"), folder.file("server.key")];
      const ways = [["--ca", folder.file("ca.pem")]];
      if (!await isBeforeDeno29("loses bytes at the end of node:tls's streams")) ways.push(["--insecure"]);
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

Deno.test(
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
      if (!await isBeforeDeno29("keeps the descriptor of a blocked write")) {
        await eventually(async () => await descriptors(server.pid) <= before, "the descriptors to go");
      }
      conn.close();
      await sending;
      assertEquals(await server.stop(), 0);
      assert(!server.stderr.text.includes("Uncaught"));
    }),
);

Deno.test(
  "an idle TLS connection is told so and closed",
  options,
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await tlsServer(identity, "--idle-timeout", "300ms");
      using conn = await connect(folder, server.port);
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

Deno.test(
  "a client that takes any certificate gets every line, and no more than its stdout takes",
  linux,
  () =>
    withCertificates(async (_folder, identity) => {
      if (await isBeforeDeno29("loses bytes at the end of node:tls's streams")) return;
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

Deno.test(
  "a TLS client that reads slowly gets every reply, even when the server is ending",
  linux,
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

Deno.test(
  "replies that a TLS client does not take until the drain timeout count as cut off",
  linux,
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await ServerProcess.start([
        ...["tls://127.0.0.1:0", ...identity, "--drain-timeout", "500ms"],
      ]);
      const args = [folder.file("ca.pem"), server.port, 120_000, 1000].map(String);
      await using reader = new Running(["python3", "-c", SLOW_READER, ...args]);
      await server.stderr.until(/close conn=1 .*lines=120000 /);
      assertEquals(await server.stop(), 1);
      assertMatch(
        server.stderr.text,
        /warn cut count=1 reason="drain timeout: the last bytes were not taken"/,
      );
      assertMatch(server.stderr.text, /end .* cut=1 /);
      reader.kill("SIGKILL");
    }),
);

Deno.test(
  "a flood of silent connections from one address drives out itself, not another's slow handshake",
  linux,
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
