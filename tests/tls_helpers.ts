/** What the tests of TLS share: certificates, servers and connections. */
import { formatEndpoint } from "../net/endpoint.ts";
import { serve } from "../server.ts";
import { E2E, lacking, type Options } from "./harness.ts";
import { copyCertificates, Folder, ServerProcess, TSECHO, tsecho, within } from "./helpers.ts";

/** Test options for tests of a TLS server: left out, and said aloud, where there is none. */
export async function needsTlsServer(...programs: string[]): Promise<Options> {
  return { needs: programs, ignore: lacking(E2E).length === 0 && !await servesTls() };
}

/** Whether the command under test can be a TLS server: the Deno in it may be too old. */
export async function servesTls(): Promise<boolean> {
  const own = TSECHO[0] === Deno.execPath();
  const text = own ? `deno ${Deno.version.deno}` : (await tsecho(["--version"])).stdout;
  const [, ...version] = /deno (\d+)\.(\d+)\.(\d+)/.exec(text)!;
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
  await copyCertificates(folder);
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

/** A TLS server within the test, for what a client makes of a certificate of the folder: NAME.pem with NAME.key. */
export async function serveCertificate(
  folder: Folder,
  name: string,
  chain = name,
): Promise<AsyncDisposable & { url: string }> {
  const tls = { cert: folder.file(`${chain}.pem`), key: folder.file(`${name}.key`) };
  const server = await serve({ listen: ["tls://127.0.0.1:0"], tls });
  return {
    url: formatEndpoint(server.endpoints[0]!),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
