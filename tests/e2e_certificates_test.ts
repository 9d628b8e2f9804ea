/** TLS: the server's certificate and the client's trust, and what is said when they cannot be used. */
import { assertEquals, assertMatch } from "@std/assert";
import { e2e as test } from "./harness.ts";
import { failing, run, ServerPeer, ServerProcess, TSECHO, tsecho, unstamped, within } from "./helpers.ts";
import { connect, needsTlsServer, serveCertificate, tlsServer, withCertificates } from "./tls_helpers.ts";

const options = await needsTlsServer("openssl");

/** What the client says with --insecure. */
const insecure = "tsecho: --insecure: the server's certificate is not verified, it may be anybody's\n";

/** What `openssl req -newkey` makes fastest. */
const EC = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/** The command that the client proposes. */
function makesOne(san: string): string {
  return `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=${
    san.replace(/.*:/, "")
  } -addext subjectAltName=${san} -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem`;
}

test(
  "what is wrong with the server's files is said at the start",
  options,
  () =>
    withCertificates(async (folder) => {
      await run([
        "sh",
        "-c",
        `cd "$0"; openssl pkey -in server.key -aes128 -passout pass:x -out locked.key
        openssl req -x509 -newkey rsa:1024 -nodes -subj /CN=w -keyout weak.key -out weak.pem
        openssl req -x509 -newkey ed448 -nodes -subj /CN=w -keyout ed448.key -out ed448.pem
        for curve in secp256k1 brainpoolP256r1; do
          openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:$curve -nodes -subj /CN=w -keyout $curve.key \\
            -out $curve.pem
        done`,
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
        ["secp256k1.pem", "secp256k1.key", "secp256k1.key", unusable],
        ["brainpoolP256r1.pem", "brainpoolP256r1.key", "brainpoolP256r1.key", unusable],
        [
          "v1.pem",
          "alice.key",
          "v1.pem",
          "the certificate is of X.509 version 1; make it anew as version 3",
        ],
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
        const option = file === cert ? "cert" : "key";
        const argv = ["server", "tls://127.0.0.1:0", "--cert", folder.file(cert), "--key", folder.file(key)];
        const { code, stdout, stderr } = await failing(argv);
        assertEquals({ code, stdout, stderr }, {
          code: 1,
          stdout: "",
          stderr: `tsecho: Cannot use --${option} "${folder.file(file)}": ${reason}\n`,
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

test(
  "why a TLS connection cannot be had is said",
  options,
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await ServerPeer.start(["tls://127.0.0.1:0", "tcp://127.0.0.1:0", ...identity]);
      await using other = await serveCertificate(folder, "other");
      await using expired = await serveCertificate(folder, "expired");
      await using self = await serveCertificate(folder, "self");
      await using ca = await serveCertificate(folder, "ca");
      const trust = ["--ca", folder.file("ca.pem")];
      const plain = server.url("tcp").replace("tcp", "tls");
      const table: [string, string[], string][] = [
        [server.url("tls"), [], "the certificate is not trusted; name the file of its CA with --ca"],
        [self.url, [], "the certificate is not trusted; name the file of its CA with --ca"],
        [self.url, trust, "the certificate is not trusted; name the file of its CA with --ca"],
        [
          other.url,
          trust,
          "the certificate is for another name: other.example; --server-name tells which to expect",
        ],
        [
          server.url("tls"),
          [...trust, "--server-name", "other.example"],
          "the certificate is for another name: localhost or 127.0.0.1; --server-name tells which to expect",
        ],
        [expired.url, trust, "the certificate has expired"],
        [
          ca.url,
          trust,
          `the certificate is not trusted: it is a CA's own, not a server's; this makes one: ${
            makesOne("IP:127.0.0.1")
          }`,
        ],
        [plain, trust, "the peer does not speak TLS; is it a tcp:// endpoint?"],
      ];
      for (const [url, args, reason] of table) {
        const { code, stdout, stderr } = await failing(["client", url, ...args, "-m", "hello"]);
        assertEquals({ code, stdout, stderr }, {
          code: 1,
          stdout: "",
          stderr: `tsecho: Cannot connect to "${url}": ${reason}\n`,
        });
      }
      // A client without TLS is not answered, and said.
      const { code } = await tsecho(["client", server.url("tls").replace("tls", "tcp"), "-m", "hello"]);
      assertEquals(code, 1);
      await server.stderr.until(/warn refuse reason="TLS handshake failed" .*does not speak TLS/);
    }),
);

test(
  "a certificate that is not trusted, or of another name, can be accepted all the same",
  { ...options, level: "slow" },
  () =>
    withCertificates(async (folder) => {
      await using other = await serveCertificate(folder, "other");
      await using expired = await serveCertificate(folder, "expired");
      await using self = await serveCertificate(folder, "self");
      const trust = ["--ca", folder.file("ca.pem")];
      const self127 = self.url.replace("127.0.0.1", "localhost");
      const ways: [string, string[], string][] = [
        [other.url, [...trust, "--server-name", "other.example"], ""],
        [self127, ["--ca", folder.file("self.pem")], ""],
        [self.url, ["--insecure"], insecure],
        [other.url, ["--insecure"], insecure],
        [expired.url, ["--insecure"], insecure],
      ];
      for (const [url, args, said] of ways) {
        const { code, stdout, stderr } = await tsecho(["client", url, ...args, "-m", "hello"]);
        assertEquals([code, stderr, unstamped(stdout)], [0, said, "hello\n"], `${url} ${args.join(" ")}`);
      }
      const wrong = await failing(["client", self.url, "--ca", folder.file("server.key"), "-m", "x"]);
      assertEquals(
        wrong.stderr,
        `tsecho: Cannot use --ca "${folder.file("server.key")}": there is not a certificate (PEM) in it\n`,
      );
    }),
);

test(
  "a server that goes in the middle of the TLS handshake is told of",
  { ...options, level: "slow" },
  () =>
    withCertificates(async (folder) => {
      const trust = ["--ca", folder.file("ca.pem")];
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
        const reason = "the server closed the connection in the TLS handshake";
        assertEquals(stderr.replace(insecure, ""), `tsecho: Cannot connect to "${url}": ${reason}\n`);
      }
    }),
);

test(
  "the system's certificates are trusted",
  { ...await needsTlsServer("openssl", "unshare"), level: "slow" },
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

test(
  "SIGHUP has new connections see a new certificate, and keeps the old one when that is broken",
  options,
  () =>
    withCertificates(async (folder) => {
      const [cert, key] = [folder.file("live.pem"), folder.file("live.key")];
      const use = async (name: string) => {
        await Deno.copyFile(folder.file(`${name}.pem`), cert);
        await Deno.copyFile(folder.file(`${name}.key`), key);
      };
      await use("server");
      await using server = await tlsServer(["--cert", cert, "--key", key]);
      const ask = (name: string) =>
        tsecho([
          "client",
          server.url("tls"),
          "--ca",
          folder.file("ca.pem"),
          "--server-name",
          name,
          "-m",
          "hello",
        ]);
      using before = await connect(folder, server.port);
      assertEquals((await ask("localhost")).code, 0);
      await use("other");
      server.kill("SIGHUP");
      await server.stderr.until(/info reload file=\S+live.pem/);
      assertEquals((await ask("other.example")).code, 0);
      assertEquals((await ask("localhost")).code, 1);
      await Deno.copyFile(folder.file("server.pem"), cert); // no longer the key's
      server.kill("SIGHUP");
      await server.stderr.until(
        /warn reload reason="Cannot use --key '\S+live.key': the key is not that of the certificate/,
      );
      assertEquals((await ask("other.example")).code, 0);
      await within(before.write(new TextEncoder().encode("x\n")), "the old connection");
      assertMatch(new TextDecoder().decode(await readSome(before)), /\] x\n$/);
      assertEquals(await server.stop(), 0);
    }),
);

async function readSome(conn: Deno.Conn): Promise<Uint8Array> {
  const buffer = new Uint8Array(1000);
  return buffer.subarray(0, await within(conn.read(buffer), "a reply") ?? 0);
}

test("SIGHUP does a server without TLS no harm", { ignore: Deno.build.os === "windows" }, async () => {
  await using server = await ServerPeer.start();
  server.kill("SIGHUP");
  await server.stderr.until(/info reload reason="there is no tls:\/\/ endpoint"/);
  assertEquals((await tsecho(["client", `127.0.0.1:${server.port}`, "-m", "hello"])).code, 0);
});

test(
  "a self-signed CA:TRUE certificate is trusted when it is the very one given",
  { ...options, level: "slow" },
  () =>
    withCertificates(async (folder) => {
      const make = async (name: string, ...key: string[]) => {
        await run([
          ...[
            "openssl",
            "req",
            "-x509",
            "-newkey",
            ...key,
            "-nodes",
            "-subj",
            "/CN=localhost",
            "-days",
            "2",
          ],
          ...["-addext", "subjectAltName=DNS:localhost", "-keyout", folder.file(`${name}.key`)],
          ...["-out", folder.file(`${name}.pem`)],
        ]);
      };
      await make("typed", "rsa:2048");
      await make("twin", ...EC); // of the same names
      await using server = await tlsServer([
        "--cert",
        folder.file("typed.pem"),
        "--key",
        folder.file("typed.key"),
      ]);
      await server.stderr.until(/warn certificate .*reason="the certificate is a CA's \(CA:TRUE\)/);
      const ask = (ca: string, ...more: string[]) =>
        (ca === "typed.pem" && more.length === 0 ? tsecho : failing)([
          ...["client", server.url("tls").replace("127.0.0.1", "localhost"), "-4", "--ca", folder.file(ca)],
          ...[...more, "-m", "hello"],
        ]);
      assertEquals((await ask("typed.pem")).code, 0);
      assertMatch((await ask("twin.pem")).stderr, /the certificate is not trusted/);
      assertMatch((await ask("ca.pem")).stderr, new RegExp(RegExp.escape(makesOne("DNS:localhost"))));
      assertMatch((await ask("typed.pem", "--server-name", "other")).stderr, /not trusted|for another name/);
    }),
);

test(
  "a certificate without SAN, and files with a BOM, are understood",
  { ...options, level: "slow" },
  () =>
    withCertificates(async (folder) => {
      await run([
        ...[
          "openssl",
          "req",
          "-x509",
          "-newkey",
          ...EC,
          "-nodes",
          "-subj",
          "/CN=localhost",
          "-days",
          "2",
        ],
        ...["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", folder.file("bare.key")],
        ...["-out", folder.file("bare.pem")],
      ]);
      await using bare = await tlsServer([
        "--cert",
        folder.file("bare.pem"),
        "--key",
        folder.file("bare.key"),
      ]);
      await bare.stderr.until(/warn certificate .*reason="the certificate has no subjectAltName/);
      const own = ["--cert", folder.file("alice-bundle.pem")];
      for (const way of [[], own]) {
        const { stderr } = await failing([
          ...[
            "client",
            bare.url("tls"),
            "--ca",
            folder.file("bare.pem"),
            "--server-name",
            "localhost",
            ...way,
          ],
          ...["-m", "x"],
        ]);
        assertMatch(
          stderr,
          /the certificate names no host: it has no subjectAltName, and its CN does not count\n$/,
        );
      }
      for (const file of ["server.pem", "server.key"]) {
        await Deno.writeTextFile(
          folder.file(`bom-${file}`),
          `\uFEFF${await Deno.readTextFile(folder.file(file))}`,
        );
      }
      const files = ["--cert", folder.file("bom-server.pem"), "--key", folder.file("bom-server.key")];
      await using server = await tlsServer(files);
      assertEquals(
        (await tsecho(["client", server.url("tls"), "--ca", folder.file("ca.pem"), "-m", "x"])).code,
        0,
      );
    }),
);

test(
  "a Deno that is too old for TLS on the server says which is needed",
  { needs: ["openssl"] },
  async () => {
    if (!options.ignore) return; // this one is not
    await withCertificates(async (_folder, identity) => {
      const server = await tsecho(["server", "tls://127.0.0.1:0", ...identity]);
      assertEquals(server.code, 1);
      assertMatch(
        server.stderr,
        /^tsecho: Cannot listen on "tls:.*": a TLS server needs Deno 2\.9\.5 or newer, and/,
      );
      const client = await tsecho(["client", "tls://127.0.0.1:1", "--insecure", "-m", "x"]);
      assertMatch(
        client.stderr,
        /Cannot connect to .*: skipping certificate verification needs Deno 2\.9\.5 or newer/,
      );
      const own = await tsecho(["client", "tls://127.0.0.1:1", ...identity, "-m", "x"]);
      assertMatch(own.stderr, /Cannot connect to .*: a client certificate needs Deno 2\.9\.5 or newer/);
    });
  },
);
