/** Certificates and keys: read from files, checked before they are used. */
import { FileProblem, reasonOfFile } from "./errors.ts";

/** Where systems keep the certificates that they trust, in one file: Debian, Red Hat, SUSE, Alpine and BSD. */
const SYSTEM_ROOTS = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** The system's trusted certificates, or nothing where there is no such file: Mozilla's come with Deno. */
export async function systemRoots(): Promise<string> {
  for (const file of SYSTEM_ROOTS) {
    try {
      return await Deno.readTextFile(file);
    } catch {
      // Another system has another place.
    }
  }
  return "";
}

/**
 * Reads a server's certificate (with its chain) and key, and checks that they can be used.
 *
 * @returns them, and a warning if the certificate's time is over or has not come.
 * @throws {FileProblem}
 */
export async function readIdentity(
  certFile: string,
  keyFile: string,
): Promise<{ identity: { cert: string; key: string }; warning?: string }> {
  const cert = await readCertificates(certFile);
  const key = await readPem(keyFile, /^-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/m, "a private key");
  const { createPrivateKey, X509Certificate } = await import("node:crypto");
  const certificate = new X509Certificate(cert);
  if (key.includes("-----BEGIN ENCRYPTED PRIVATE KEY-----") || key.includes("Proc-Type: 4,ENCRYPTED")) {
    throw new FileProblem(keyFile, "the key is encrypted; openssl pkey -in FILE -out PLAIN decrypts it");
  }
  let matches;
  try {
    matches = certificate.checkPrivateKey(createPrivateKey(key));
  } catch (error) {
    throw new FileProblem(keyFile, "the private key cannot be read", { cause: error });
  }
  if (!matches) throw new FileProblem(keyFile, `the key is not that of the certificate in ${certFile}`);
  try {
    Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key }).close();
  } catch (error) {
    if ((error as { code?: string }).code !== undefined) throw error; // not for the key, but for want of a port
    const reason =
      "TLS cannot use this key: RSA of 2048 bits or more, ECDSA on P-256, P-384 or P-521, or Ed25519 can be";
    throw new FileProblem(keyFile, reason, { cause: error });
  }
  const now = Date.now();
  const warning = Date.parse(certificate.validTo) < now
    ? `the certificate expired on ${certificate.validTo}`
    : Date.parse(certificate.validFrom) > now
    ? `the certificate is not valid before ${certificate.validFrom}`
    : undefined;
  return { identity: { cert, key }, ...(warning !== undefined && { warning }) };
}

/** Reads a file of certificates (PEM), and looks at each. @throws {FileProblem} */
export async function readCertificates(file: string): Promise<string> {
  const pem = await readPem(file, /^-----BEGIN CERTIFICATE-----/m, "a certificate");
  const { X509Certificate } = await import("node:crypto");
  const each = pem.match(/^-----BEGIN CERTIFICATE-----[^]*?(?:^-----END CERTIFICATE-----|(?![^]))/gm) ??
    [pem];
  for (const [i, one] of each.entries()) {
    try {
      new X509Certificate(one);
    } catch (error) {
      const which = each.length > 1 ? `certificate ${i + 1} of ${each.length}` : "the certificate";
      throw new FileProblem(file, `${which} cannot be read`, { cause: error });
    }
  }
  return pem;
}

async function readPem(file: string, begin: RegExp, what: string): Promise<string> {
  let text;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    throw new FileProblem(file, reasonOfFile(error), { cause: error });
  }
  if (!begin.test(text)) throw new FileProblem(file, `there is not ${what} (PEM) in it`);
  return text;
}
