/** TLS: chains of certificates that break a rule, and peers that do, with the words for them on either side. */
import { assertEquals, assertMatch } from "@std/assert";
import { e2e as test } from "./harness.ts";
import { failing, type Folder, run, Running, TSECHO, tsecho, unstamped, within } from "./helpers.ts";
import { needsTlsServer, serveCertificate, tlsServer, withCertificates } from "./tls_helpers.ts";

const options = { ...await needsTlsServer(), level: "slow" } as const;

/**
 * Makes chains below the folder's `ca`, each in NAME-chain.pem with NAME.key, and `alice` for a client: `good` over an intermediate CA,
 * `deep` over one more than that may make, `leaf` signed by a server's certificate, `named` by a CA for other names,
 * `forged` by a CA of the same name, `client` for clients alone.
 */
async function makeChains(folder: Folder): Promise<void> {
  const script = `set -e; cd "$0"
    sign() { # NAME ISSUER EXTENSIONS
      openssl ecparam -name prime256v1 -genkey -noout -out $1.key
      openssl req -new -key $1.key -subj /CN=$1 -out $1.csr; printf "$3" > $1.ext
      openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -days 2 -extfile $1.ext -out $1.pem
      cat $1.pem > $1-chain.pem; test $2 = ca || cat $2-chain.pem >> $1-chain.pem
    }
    cp server.pem server-chain.pem; is_ca="basicConstraints=critical,CA:TRUE"; names="subjectAltName=DNS:localhost,IP:127.0.0.1"
    sign alice ca extendedKeyUsage=clientAuth
    sign int ca "$is_ca,pathlen:0"; sign good int "$names"; sign below int "$is_ca"; sign deep below "$names"
    sign leaf server "$names"; sign client ca "$names\\nextendedKeyUsage=clientAuth"
    sign limited ca "$is_ca\\nnameConstraints=critical,permitted;DNS:other.example"; sign named limited "$names"
    cp alice.key twin.key; openssl req -x509 -new -key twin.key -subj "/CN=test CA" -days 2 -out twin.pem
    cp twin.pem twin-chain.pem; sign forged twin "$names"`;
  const { code, stderr } = await run(["sh", "-c", script, folder.path]);
  assertEquals(code, 0, stderr);
}

test(
  "a server's chain that breaks a rule is refused in words, with and without a client's certificate",
  options,
  () =>
    withCertificates(async (folder) => {
      await makeChains(folder);
      const own = ["--cert", folder.file("alice.pem"), "--key", folder.file("alice.key")];
      const table: [string, string][] = [
        ["deep", "a CA in its chain was not allowed to make another CA"],
        ["leaf", "it is signed with a certificate that is not a CA's"],
        ["named", "a CA in its chain was not allowed to sign for this name"],
        ["forged", "its signature is not that of the CA that it names"],
        ["client", "certificate does not allow extended key usage for server authentication"],
      ];
      for (const [name, reason] of [["good", ""], ...table] as [string, string][]) {
        await using server = await serveCertificate(folder, name, `${name}-chain`);
        for (const way of [[], own]) {
          const argv = ["client", server.url, "--ca", folder.file("ca.pem"), ...way, "-m", "hello"];
          const asked = await (reason === "" ? tsecho : failing)(argv);
          if (reason === "") {
            assertEquals([asked.code, unstamped(asked.stdout)], [0, "hello\n"], asked.stderr);
            continue;
          }
          assertEquals([asked.code, asked.stdout], [1, ""], `${name} ${way.join(" ")}`);
          assertMatch(asked.stderr, /": the certificate is not trusted: [^\n]+\n$/);
          assertEquals(asked.stderr.includes(reason), true, `${name} ${way.join(" ")}: ${asked.stderr}`);
        }
      }
    }),
);

test(
  "a client's chain that breaks a rule is refused in words",
  options,
  () =>
    withCertificates(async (folder, identity) => {
      await makeChains(folder);
      await using server = await tlsServer(identity, "--client-ca", folder.file("ca.pem"));
      const table: [string, string][] = [
        ["deep", "a CA in its chain was not allowed to sign it \\(path length or name constraints\\)"],
        ["leaf", "it is not signed by a CA that is trusted here"],
        ["forged", "it is not signed by a CA that is trusted here"],
      ];
      for (const [name, reason] of table) {
        const own = ["--cert", folder.file(`${name}-chain.pem`), "--key", folder.file(`${name}.key`)];
        const asked = await failing([
          "client",
          server.url("tls"),
          "--ca",
          folder.file("ca.pem"),
          ...own,
          "-m",
          "x",
        ]);
        assertEquals([asked.code, asked.stdout], [1, ""]);
        assertMatch(asked.stderr, new RegExp(`the server says: client certificate refused: ${reason}\n$`));
      }
    }),
);

/** Sends bytes over a connection whose handshake is over, or that has none, and half-closes. */
const BREAKER = `import socket, ssl, sys
port, ca, data = int(sys.argv[1]), sys.argv[2], bytes.fromhex(sys.argv[3])
raw = socket.create_connection(("127.0.0.1", port))
if ca != "-":
    peer = ssl.create_default_context(cafile=ca).wrap_socket(raw, server_hostname="localhost")
    peer.sendall(b"hello\\n")
    peer.recv(100)
    raw = socket.socket(fileno=peer.detach())
raw.sendall(data)
raw.shutdown(socket.SHUT_WR)
while raw.recv(1000):
    pass`;

test(
  "what a peer does to TLS is logged in words, even if it hangs up at once",
  options,
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await tlsServer(identity);
      const send = (bytes: string, ca = folder.file("ca.pem")) =>
        run(["python3", "-c", BREAKER, String(server.port), ca, bytes]);
      await send("474554202f0d0a", "-"); // GET /
      await server.stderr.until(/warn refuse reason="TLS handshake failed" .*the peer does not speak TLS/);
      await send(`1703030020${"61".repeat(32)}`);
      await server.stderr.until(
        /close conn=1 .*reason="what arrived is not what the peer's TLS has sent: damaged or/,
      );
      await send("140303000101");
      await server.stderr.until(
        /close conn=2 .*reason="the peer breaks the rules of TLS \(an unexpected ChangeCipherSpec\)/,
      );
      assertEquals(await server.stop(), 0);
    }),
);

test("a certificate's file without end, and one that never comes, end by an error and by SIGTERM", {
  ...options,
  ignore: options.ignore || Deno.build.os === "windows",
}, () =>
  withCertificates(async (folder, [, cert]) => {
    const endless = await failing(["server", "tls://127.0.0.1:0", "--cert", "/dev/zero"]);
    assertEquals([endless.code, endless.stderr], [
      1,
      'tsecho: Cannot use --cert "/dev/zero": it has more than 16 MiB\n',
    ]);
    const circle = folder.file("circle"), socket = folder.file("socket");
    await Deno.symlink(circle, circle);
    await run([
      "python3",
      "-c",
      "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])",
      socket,
    ]);
    const table = [[circle, "its links lead in a circle"], [
      socket,
      "it is a socket or a device, not a file",
    ]];
    for (const [file, reason] of table) {
      const { stderr } = await failing(["client", "tls://127.0.0.1:1", "--ca", file!, "-m", "x"]);
      assertEquals(stderr, `tsecho: Cannot use --ca "${file}": ${reason}\n`);
    }
    const fifo = folder.file("fifo");
    await run(["mkfifo", fifo]);
    for (const command of [["server", "tls://127.0.0.1:0"], ["client", "tls://127.0.0.1:1"]]) {
      await using waiting = new Running([...TSECHO, ...command, "--cert", cert!, "--key", fifo]);
      using _writer = await within(Deno.open(fifo, { write: true }), "the key to be opened");
      waiting.kill("SIGTERM");
      assertEquals(await waiting.code(), 1);
      assertMatch(waiting.stderr.text, /^tsecho: Cannot .*: interrupted\n$/);
    }
    for (
      const command of [
        ["client"],
        ["ping"],
        ...[[], ["--threads", "2"], ["--find", "p99<5ms"], ["--against", "tls://127.0.0.1:2"]].map((
          it,
        ) => ["load", ...it]),
      ]
    ) {
      await using waiting = new Running([...TSECHO, ...command, "tls://127.0.0.1:1", "--ca", fifo]);
      using _writer = await within(Deno.open(fifo, { write: true }), "the CA to be opened");
      waiting.kill("SIGTERM");
      assertEquals([await waiting.code(), waiting.stderr.text], [
        1,
        `tsecho: Cannot use --ca "${fifo}": interrupted\n`,
      ], command.join(" "));
    }
  }));
