/** Certificates and keys: read from files, and checked before they are used. */
import type { X509Certificate } from "node:crypto";
import { Failure, reasonOfFile } from "../failure.ts";
import { unlessAborted } from "../time/timers.ts";
import { readText } from "./file.ts";

/** What one side of TLS shows the other: a certificate with its chain, and its key, both PEM. */
export interface Identity {
  cert: string;
  key: string;
}

/** What a file that TLS reads is for. */
export type TlsFileRole = "certificate" | "key" | "CA" | "client CA";

/** A file cannot be used for TLS: its `value` is the path. A command names its option instead (report/option_names.ts). */
export class TlsFileFailure extends Failure {
  /** What the file is for. */
  readonly role: TlsFileRole;

  /** Makes the message of these parts. @param reason why it cannot be used. */
  constructor(role: TlsFileRole, file: string, reason: string, options?: ErrorOptions) {
    super(`use the ${role} file`, file, reason, options);
    this.role = role;
  }
}

/** Bytes of a file of certificates; a system's own, of all CAs, has a quarter of a MiB. */
const MAX_FILE_SIZE = 16 * 1024 ** 2;

/** Where systems keep the certificates that they trust, in one file: Debian, Red Hat, SUSE, Alpine and BSD. */
const SYSTEM_ROOTS = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

const UNUSABLE_KEY =
  "TLS cannot use this key: RSA of 2048 bits or more, ECDSA on P-256, P-384 or P-521, or Ed25519 can be";
const OF_VERSION_1 = "of X.509 version 1; make it anew as version 3";
/** A block of PEM, or one that is cut off. */
const CERTIFICATE = /^-----BEGIN CERTIFICATE-----[^]*?(?:^-----END CERTIFICATE-----|(?![^]))/gm;
const PRIVATE_KEY =
  /^-----BEGIN ((?:[A-Z]+ )?)PRIVATE KEY-----[^]*?(?:^-----END \1PRIVATE KEY-----|(?![^]))/gm;

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
 * Reads a certificate (with its chain) and its key, and checks that TLS can use them.
 *
 * @param keyFile may be the same file.
 * @param signal ends the wait for a file that blocks, such as a FIFO.
 * @returns them, and the leaf for a look at it.
 * @throws {TlsFileFailure}
 */
export async function readIdentity(
  certFile: string,
  keyFile: string,
  signal?: AbortSignal,
): Promise<{ identity: Identity; leaf: X509Certificate }> {
  const cert = await readCertificates("certificate", certFile, signal);
  const role = keyFile === certFile ? "certificate" : "key";
  const [key] = await readPem(role, keyFile, PRIVATE_KEY, "a private key", signal) as [string];
  const { createPrivateKey, X509Certificate } = await import("node:crypto");
  const leaf = new X509Certificate(cert);
  if (key.includes("-----BEGIN ENCRYPTED PRIVATE KEY-----") || key.includes("Proc-Type: 4,ENCRYPTED")) {
    const reason = "the key is encrypted; openssl pkey -in FILE -out PLAIN decrypts it";
    throw new TlsFileFailure(role, keyFile, reason);
  }
  let matches;
  try {
    matches = leaf.checkPrivateKey(createPrivateKey(key));
  } catch (error) {
    const isOfCurve = /curve/.test((error as Error).message);
    const reason = isOfCurve ? UNUSABLE_KEY : "the private key cannot be read";
    throw new TlsFileFailure(role, keyFile, reason, { cause: error });
  }
  if (!matches) {
    throw new TlsFileFailure(role, keyFile, `the key is not that of the certificate in ${certFile}`);
  }
  try {
    Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key }).close();
  } catch (error) {
    if ((error as { code?: string }).code !== undefined) throw error; // not for the key, but for want of a port
    if (!isVersion3(leaf)) {
      const reason = `the certificate is ${OF_VERSION_1}`;
      throw new TlsFileFailure("certificate", certFile, reason, { cause: error });
    }
    throw new TlsFileFailure(role, keyFile, UNUSABLE_KEY, { cause: error });
  }
  return { identity: { cert, key }, leaf };
}

/** What clients will not like about a server's certificate, for a log. */
export function faultsOf({ ca, subjectAltName, validFrom, validTo }: X509Certificate): string[] {
  const now = Date.now();
  const faults = [];
  if (Date.parse(validTo) < now) faults.push(`the certificate expired on ${validTo}`);
  if (Date.parse(validFrom) > now) faults.push(`the certificate is not valid before ${validFrom}`);
  if (subjectAltName === undefined) {
    faults.push("the certificate has no subjectAltName: no client can verify it");
  } else if (ca) {
    faults.push("the certificate is a CA's (CA:TRUE): clients must be given this very one to trust");
  }
  return faults;
}

/** Reads a file of certificates (PEM), and looks at each. @throws {TlsFileFailure} */
export async function readCertificates(
  role: TlsFileRole,
  file: string,
  signal?: AbortSignal,
): Promise<string> {
  const each = await readPem(role, file, CERTIFICATE, "a certificate", signal);
  const { X509Certificate } = await import("node:crypto");
  for (const [i, one] of each.entries()) {
    try {
      new X509Certificate(one);
    } catch (error) {
      const which = each.length > 1 ? `certificate ${i + 1} of ${each.length}` : "the certificate";
      throw new TlsFileFailure(role, file, `${which} cannot be read`, { cause: error });
    }
  }
  return each.join("\n");
}

/**
 * Reads a file of CA certificates against which clients are verified.
 *
 * A certificate of X.509 version 1 is refused: with one, rustls under node:tls takes a client's signature unchecked.
 *
 * @throws {TlsFileFailure}
 */
export async function readClientCa(file: string, signal?: AbortSignal): Promise<string> {
  const pem = await readCertificates("client CA", file, signal);
  for (const certificate of await parseCertificates(pem)) {
    if (!isVersion3(certificate)) {
      throw new TlsFileFailure("client CA", file, `a certificate in it is ${OF_VERSION_1}`);
    }
  }
  return pem;
}

/** The certificates of a PEM text; those that cannot be read are left out. */
export async function parseCertificates(pem: string): Promise<X509Certificate[]> {
  const { X509Certificate } = await import("node:crypto");
  return (pem.match(CERTIFICATE) ?? []).flatMap((one) => {
    try {
      return [new X509Certificate(one)];
    } catch {
      return []; // among the system's there may be one of a kind that Deno does not know
    }
  });
}

/** Whether a certificate is of version 3 (RFC 5280, 4.1.2.1): in both outer sequences' place, [0] { INTEGER 2 }. */
export function isVersion3({ raw }: { raw: Uint8Array }): boolean {
  const inner = (at: number) => at + 2 + (raw[at + 1]! < 0x80 ? 0 : raw[at + 1]! & 0x7f);
  const at = inner(inner(0));
  return [0xa0, 0x03, 0x02, 0x01, 0x02].every((byte, i) => raw[at + i] === byte);
}

/** The blocks of a kind in a PEM file, at least one; a file may hold others too. @throws {TlsFileFailure} */
async function readPem(
  role: TlsFileRole,
  file: string,
  kind: RegExp,
  what: string,
  signal?: AbortSignal,
): Promise<string[]> {
  let text;
  try {
    text = await unlessAborted(readText(file, MAX_FILE_SIZE), signal);
  } catch (error) {
    throw new TlsFileFailure(role, file, reasonOfFile(error), { cause: error });
  }
  const blocks = text.replace(/^\uFEFF/, "").match(kind); // a BOM, as editors on Windows write it, is no fault
  if (blocks === null) throw new TlsFileFailure(role, file, `there is not ${what} (PEM) in it`);
  return blocks;
}
