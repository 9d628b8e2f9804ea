/** What the tests of TLS share: certificates, servers and connections. */
import { assertEquals } from "@std/assert";
import { E2E, lacking, type Options } from "./harness.ts";
import { Folder, makeCertificates, run, ServerProcess, tsecho, within } from "./helpers.ts";

/** Test options for tests of a TLS server: left out, and said aloud, where there is none. */
export async function needsTlsServer(...programs: string[]): Promise<Options> {
  return { needs: ["openssl", ...programs], ignore: lacking(E2E).length === 0 && !await servesTls() };
}

/** Whether the command under test can be a TLS server: the Deno in it may be too old. */
export async function servesTls(): Promise<boolean> {
  const [, ...version] = /deno (\d+)\.(\d+)\.(\d+)/.exec((await tsecho(["--version"])).stdout)!;
  const [major, minor, patch] = version.map(Number) as [number, number, number];
  const serves = major > 2 || major === 2 && (minor > 9 || minor === 9 && patch >= 5);
  if (!serves) console.log(`skipped: tests of a TLS server, which Deno ${version.join(".")} is too old for`);
  return serves;
}

/** Runs a test with certificates in a folder, and a server's options for them. */
export async function withCertificates(
  test: (folder: Folder, server: string[]) => Promise<void>,
): Promise<void> {
  await using folder = await Folder.make();
  await makeCertificates(folder);
  await test(folder, ["--cert", folder.file("server.pem"), "--key", folder.file("server.key")]);
}

/** Connects with TLS from within the test. */
export async function connect(folder: Folder, port: number, alpnProtocols?: string[]): Promise<Deno.TlsConn> {
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
export function tlsServer(identity: string[], ...args: string[]): Promise<ServerProcess> {
  return ServerProcess.start(["tls://127.0.0.1:0", ...identity, ...args]);
}

/** Certificates of clients beside those of servers: `alice`, `late` (expired), `host` (for servers) and `stranger`. */
export async function makeClientCertificates(folder: Folder): Promise<void> {
  const script = `set -e; cd "$0"
    key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }
    sign() {
      key $1; openssl req -new -key $1.key -subj /CN=$1 -out $1.csr; echo "extendedKeyUsage=$3" > $1.ext
      openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days $2 -extfile $1.ext -out $1.pem
    }
    sign alice 2 clientAuth; sign late -1 clientAuth; sign host 2 serverAuth
    key stranger; openssl req -x509 -new -key stranger.key -subj /CN=stranger -days 2 -out stranger.pem
    openssl x509 -req -in alice.csr -signkey alice.key -days 2 -out v1.pem
    cat server.pem ca.pem server.key > bundle.pem; cat alice.key alice.pem > alice-bundle.pem`;
  const { code, stderr } = await run(["sh", "-c", script, folder.path]);
  assertEquals(code, 0, stderr);
}
