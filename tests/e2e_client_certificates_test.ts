/** Certificates of TLS clients: who is served, and how strict a client with one is with the server's. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { e2e as test } from "./harness.ts";
import { failing, Running, tsecho, unstamped } from "./helpers.ts";
import { needsTlsServer, serveCertificate, tlsServer, withCertificates } from "./tls_helpers.ts";

const options = { ...await needsTlsServer("openssl"), level: "slow" } as const;

test(
  "with --client-ca only clients with a certificate of it are served, and the others told why",
  options,
  () =>
    withCertificates(async (folder) => {
      const trust = ["--ca", folder.file("ca.pem")];
      await using server = await tlsServer(
        ["--cert", folder.file("bundle.pem")],
        "--client-ca",
        folder.file("ca.pem"),
      );
      const url = server.url("tls");
      const show = (
        name: string,
      ) => ["--cert", folder.file(`${name}.pem`), "--key", folder.file(`${name}.key`)];
      const bundle = ["--cert", folder.file("alice-bundle.pem")];
      for (const files of [[...trust, ...show("alice")], [...trust, ...bundle], ["--insecure", ...bundle]]) {
        const { code, stdout, stderr } = await tsecho(["client", url, ...files, "-m", "hello"]);
        assertEquals([code, unstamped(stdout)], [0, "hello\n"], stderr);
      }
      const refused = "the server says: client certificate refused: ";
      const table: [string[], string][] = [
        [show("late"), `${refused}it has expired`],
        [
          show("host"),
          `${refused}a CA that is trusted here has signed it, but not for a client (extendedKeyUsage)`,
        ],
        [show("stranger"), `${refused}it is not signed by a CA that is trusted here`],
        [[], "the server asks for a client certificate; name its file with --cert"],
      ];
      for (const [own, reason] of table) {
        const { code, stdout, stderr } = await failing(["client", url, ...trust, ...own, "-m", "hello"]);
        assertEquals({ code, stdout, stderr }, {
          code: 1,
          stdout: "",
          stderr: `tsecho: Cannot talk to "${url}": ${reason}\n`,
        });
      }
      const [own, reason] = table[0]!;
      const ping = await tsecho(["ping", url, ...trust, ...own, "-c", "1"]);
      assertEquals(ping.code, 1);
      assertStringIncludes(ping.stderr, reason);
      await server.stderr.until(
        /reason="client certificate refused: it has expired" .*last_error="it names CN=late"/,
      );
      await server.stderr.until(
        /reason="TLS handshake failed" .*last_error="the client shows no certificate"/,
      );
      const { stderr } = await failing([
        ...["server", "tls://127.0.0.1:0", "--cert", folder.file("bundle.pem")],
        ...["--client-ca", folder.file("v1.pem")],
      ]);
      assertMatch(stderr, /v1.pem": a certificate in it is of X.509 version 1; make it anew as version 3\n$/);
    }),
);

test(
  "a client whose certificate was refused gets in by no session of before either",
  options,
  () =>
    withCertificates(async (folder) => {
      await using server = await tlsServer(
        ["--cert", folder.file("bundle.pem")],
        "--client-ca",
        folder.file("ca.pem"),
      );
      const talk = async (name: string, session: string[]): Promise<string> => {
        await using client = new Running([
          ...[
            "openssl",
            "s_client",
            "-connect",
            `127.0.0.1:${server.port}`,
            "-CAfile",
            folder.file("ca.pem"),
          ],
          ...["-cert", folder.file(`${name}.pem`), "-key", folder.file(`${name}.key`)],
          ...[...session, folder.file(`${name}.session`)],
        ]);
        await client.write("hello\n");
        // A stranger waits for the server to close: by then it has the session that it is to come back with.
        if (name === "alice") await client.stdout.until(/Z\] hello/).then(() => client.closeInput());
        await client.code();
        return client.stdout.text;
      };
      for (const name of ["stranger", "alice"]) {
        await talk(name, ["-sess_out"]);
        const stdout = await talk(name, ["-sess_in"]);
        assertMatch(stdout, /^Reused, TLSv1\.3/m);
        assertEquals(/Z\] hello/.test(stdout), name === "alice", stdout);
      }
      await server.stderr.until(/refused: its session is not one of a verified certificate/);
    }),
);

test(
  "a client with a certificate of its own is no less strict with the server's",
  options,
  () =>
    withCertificates(async (folder) => {
      const own = ["--cert", folder.file("alice-bundle.pem")];
      const table: [string, string[], string][] = [
        ["server", [], "the certificate is not trusted; name the file of its CA with --ca"],
        [
          "self",
          ["--ca", folder.file("ca.pem")],
          "the certificate is not trusted; name the file of its CA with --ca",
        ],
        [
          "other",
          ["--ca", folder.file("ca.pem")],
          "the certificate is for another name: other.example; --server-name tells which to expect",
        ],
        ["expired", ["--ca", folder.file("ca.pem")], "the certificate has expired"],
      ];
      for (const [name, trust, reason] of table) {
        await using server = await serveCertificate(folder, name);
        const { url } = server;
        const { code, stderr } = await failing(["client", url, ...trust, ...own, "-m", "hello"]);
        assertEquals([code, stderr], [1, `tsecho: Cannot connect to "${url}": ${reason}\n`]);
      }
    }),
);
