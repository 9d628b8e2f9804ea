/** What the libraries say of TLS: they name files, and what each is for, where the command line names its options. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { load } from "../load.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import { ping } from "../ping.ts";
import { serve, type ServerEvent, TlsFileFailure } from "../server.ts";
import { e2e as test } from "./harness.ts";
import { failing, type Folder, run, tsecho, within } from "./helpers.ts";
import { needsTlsServer, serveCertificate, tlsServer, withCertificates } from "./tls_helpers.ts";

const options = await needsTlsServer();
const NO_SUCH_FILE = "there is no such file or directory";

/** What an attempt is refused with: the role of a file, its path and the message. */
async function refusalOf(attempt: () => Promise<unknown>) {
  const { role, value, message } = await assertRejects(attempt, TlsFileFailure);
  return [role, value, message];
}

/** The files that may be wrong in a server, a ping and a load, with the role of each and the option that names it. */
function wrongFiles(folder: Folder) {
  const [cert, key, other, missing] = ["server.pem", "server.key", "other.key", "missing"]
    .map((it) => folder.file(it)) as [string, string, string, string];
  const isOther = `the key is not that of the certificate in ${cert}`;
  const server = (tls: { cert: string; key: string; clientCa?: string }) => () =>
    serve({ listen: ["tls://127.0.0.1:0"], tls });
  const endpoint = "tls://127.0.0.1:1"; // the files are read before anything is connected to
  const table = [
    ["certificate", "--cert", missing, NO_SUCH_FILE, server({ cert: missing, key })],
    ["key", "--key", other, isOther, server({ cert, key: other })],
    [
      "client CA",
      "--client-ca",
      key,
      "there is not a certificate (PEM) in it",
      server({ cert, key, clientCa: key }),
    ],
    ["CA", "--ca", missing, NO_SUCH_FILE, () => ping(endpoint, { caFile: missing }).open()],
    ["key", "--key", other, isOther, () => ping(endpoint, { identity: { cert, key: other } }).open()],
    ["CA", "--ca", missing, NO_SUCH_FILE, () => load(endpoint, { caFile: missing }).open()],
    [
      "CA",
      "--ca",
      missing,
      NO_SUCH_FILE,
      () => load(endpoint, { caFile: missing, threads: 2, connections: 2 }).open(),
    ],
  ] as const;
  return { table, cert, key, other, missing };
}

test(
  "a file that TLS cannot use is told of by its path and what it is for, without an option",
  options,
  () =>
    withCertificates(async (folder) => {
      for (const [role, , path, reason, attempt] of wrongFiles(folder).table) {
        const message = `Cannot use the ${role} file "${path}": ${reason}`;
        assertEquals(await refusalOf(attempt), [role, path, message]);
      }
    }),
);

test(
  "the command line names the option that gave such a file, from whichever thread",
  options,
  () =>
    withCertificates(async (folder) => {
      const { table, cert, key, other, missing } = wrongFiles(folder);
      const server = ["server", "tls://127.0.0.1:0"];
      const endpoint = "tls://127.0.0.1:1";
      const argv = [
        [...server, "--cert", missing, "--key", key],
        [...server, "--cert", cert, "--key", other],
        [...server, "--cert", cert, "--key", key, "--client-ca", key],
        ["ping", endpoint, "--ca", missing],
        ["ping", endpoint, "--cert", cert, "--key", other],
        ["load", endpoint, "--ca", missing],
        ["load", endpoint, "--ca", missing, "--threads", "2", "-c", "2"],
      ];
      for (const [i, [, option, path, reason]] of table.entries()) {
        const { code, stderr } = await failing(argv[i]!);
        assertEquals([code, stderr], [1, `tsecho: Cannot use ${option} "${path}": ${reason}\n`]);
      }
    }),
);

test(
  "an embedded server's reload that fails carries the failure of its file",
  options,
  () =>
    withCertificates(async (folder) => {
      const cert = folder.file("server.pem"), key = folder.file("live.key");
      await Deno.copyFile(folder.file("server.key"), key);
      const events: ServerEvent[] = [];
      await using server = await serve({
        listen: ["tls://127.0.0.1:0"],
        tls: { cert, key },
        onEvent: (event) => void events.push(event),
      });
      await Deno.remove(key);
      await server.reload();
      const event = events.find((it) => it.type === "reload");
      assert(event?.type === "reload" && event.failure !== undefined, JSON.stringify(event));
      const reason = `Cannot use the key file "${key}": ${NO_SUCH_FILE}`;
      assertEquals([event.outcome, event.reason, event.failure.role], ["failed", reason, "key"]);
    }),
);

test(
  "a reload that waits for a FIFO is given up for a newer one, whose certificate stays",
  { ...options, needs: ["mkfifo", "openssl"] },
  () =>
    withCertificates(async (folder) => {
      const cert = folder.file("live.pem"), key = folder.file("server.key");
      const old = await Deno.readFile(folder.file("server.pem"));
      await Deno.writeFile(cert, old);
      const events: ServerEvent[] = [];
      await using server = await serve({
        listen: ["tls://127.0.0.1:0"],
        tls: { cert, key },
        onEvent: (event) => void (event.type === "reload" && events.push(event)),
      });
      await Deno.remove(cert);
      await run(["mkfifo", cert]);
      const overtaken = server.reload();
      using writer = await within(Deno.open(cert, { write: true }), "the reload to read the FIFO");
      await run([
        ...["openssl", "req", "-x509", "-new", "-key", key, "-subj", "/CN=new", "-days", "2"],
        ...["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"],
        ...["-out", folder.file("new.pem")],
      ]);
      await Deno.copyFile(folder.file("new.pem"), folder.file("next.pem"));
      await Deno.rename(folder.file("next.pem"), cert);
      await within(server.reload(), "the newer reload");
      await writer.write(old).catch(() => {}); // nobody may read it any more
      writer.close();
      await within(overtaken, "the older reload");
      assertEquals(events.map((it) => it.type === "reload" && [it.outcome, it.reason ?? it.file]), [
        ["failed", "a newer reload has overtaken it"],
        ["renewed", cert],
      ]);
      const url = formatEndpoint(server.endpoints[0]!);
      const trust = ["--ca", folder.file("new.pem"), "--server-name", "localhost"];
      const { code, stderr } = await tsecho(["client", url, ...trust, "-m", "x"]);
      assertEquals([code, stderr], [0, ""]);
    }),
);

test(
  "what to do about a certificate is told in words to a function's caller, and by options to a user",
  { ...options, level: "slow" },
  () =>
    withCertificates(async (folder, identity) => {
      await using strict = await tlsServer([...identity, "--client-ca", folder.file("ca.pem")]);
      await using other = await serveCertificate(folder, "other");
      const caFile = folder.file("ca.pem");
      const another = "the certificate is for another name: other.example";
      const certless = "the server asks for a client certificate";
      const table = [
        [other.url, {}, "the certificate is not trusted; name the file of its CA", " with --ca"],
        [other.url, { caFile }, `${another}; tell which to expect`, ""],
        [strict.url("tls"), { caFile }, `${certless}; name its file`, " with --cert"],
      ] as const;
      for (const [url, dial, said, option] of table) {
        const run = ping(url, { ...dial, count: 1, interval: 0 });
        const end = await (async () => {
          for await (const _ of run);
          return run.ended;
        })().catch((error: Error) => error.message);
        assert(end?.endsWith(said), `${end}`);
        const { stderr } = await tsecho([
          "ping",
          url,
          ...("caFile" in dial ? ["--ca", caFile] : []),
          "-c",
          "1",
        ]);
        const shown = option === "" ? `${another}; --server-name tells which to expect` : said + option;
        assert(stderr.endsWith(`${shown}\n`), stderr);
      }
    }),
);
