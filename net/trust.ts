/** Whether a peer's certificate is trusted, where `node:tls` is used: it is not strict enough by itself. */
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { checkServerIdentity, type DetailedPeerCertificate, type TLSSocket } from "node:tls";
import { isVersion3, parseCertificates } from "./certificates.ts";

/** The longest chain of certificates that is followed. */
const MAX_CHAIN_LENGTH = 10;

/** Verifies the certificates of a server's clients. */
export class ClientVerifier {
  readonly #clientCa: string;
  /** Fingerprints of the certificates that were verified in full handshakes. */
  readonly #verified = new Set<string>();

  /** @param clientCa the CAs (PEM) of clients' certificates. */
  constructor(clientCa: string) {
    this.#clientCa = clientCa;
  }

  /**
   * Why a client is refused after its handshake, as one of a few texts; undefined if it is trusted.
   *
   * For node:tls a handshake succeeds even if the certificate does not, and the client gets a ticket. When it resumes
   * that session nothing is verified, so the certificate of a resumed session must be one that was verified before.
   */
  async refusal(socket: TLSSocket): Promise<string | undefined> {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) return "it is missing";
    const { fingerprint256, validTo } = certificate;
    if (!isInTime(certificate)) {
      return Date.parse(validTo) < Date.now() ? "it has expired" : "it is not valid yet";
    }
    if (socket.isSessionReused()) {
      return this.#verified.has(fingerprint256)
        ? undefined
        : "its session is not one of a verified certificate";
    }
    if (verifyError(socket) === "") {
      this.#verified.add(fingerprint256);
      return undefined;
    }
    // node:tls has one code for all of these.
    if (!isSigned(certificate, chainOf(socket), await parseCertificates(this.#clientCa))) {
      return "it is not signed by a CA that is trusted here";
    }
    return isForClients(certificate)
      ? "a CA in its chain was not allowed to sign it (path length or name constraints)"
      : "a CA that is trusted here has signed it, but not for a client (extendedKeyUsage)";
  }
}

/** In DER: the OIDs of extendedKeyUsage, and of what it has to allow (RFC 5280, 4.2.1.12). */
const EXTENDED_KEY_USAGE = "0603551d25";
const CLIENT_AUTH = "06082b06010505070302";
const ANY_USAGE = "0604551d2500";

/** Whether a certificate's extendedKeyUsage, if it has one, allows clients: for words, not for a decision. */
function isForClients({ raw }: X509Certificate): boolean {
  const der = raw.toString("hex");
  return !der.includes(EXTENDED_KEY_USAGE) || der.includes(CLIENT_AUTH) || der.includes(ANY_USAGE);
}

/** What node:tls found wrong with the peer's certificate; "" for nothing. */
function verifyError(socket: TLSSocket): string {
  // Its public face, `authorized`, is set on sockets of a tls.Server alone.
  const { ssl } = socket as TLSSocket & { ssl?: { verifyError?: () => unknown } };
  const code = ssl?.verifyError?.();
  if (typeof code !== "string") {
    throw new TypeError("this Deno does not tell whether a certificate was verified");
  }
  return code;
}

/** The certificates that a client trusts. */
export interface Trust {
  roots: X509Certificate[];
  /** Certificates that a server may use as its own, although they are a CA's. */
  pinned: X509Certificate[];
}

/**
 * Checks a server's certificate: its name, and each signature up to a trusted certificate. node:tls accepts chains
 * of X.509 version 1 certificates, and others that it cannot read, for their names alone.
 *
 * @throws {Error} that says why it is not trusted, as rustls words it.
 */
export function checkServer(socket: TLSSocket, name: string, { roots, pinned }: Trust): void {
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined || !isVersion3(leaf)) throw new Error("invalid peer certificate: BadEncoding");
  if (!isInTime(leaf)) {
    const isOver = Date.parse(leaf.validTo) < Date.now();
    throw new Error(`invalid peer certificate: ${isOver ? "Expired" : "NotValidYet"}`);
  }
  const { subjectAltName: names } = leaf;
  // Without its subject, whose CN node:tls would take for a name.
  const nameError = checkServerIdentity(
    name,
    { subject: {}, subjectaltname: names } as unknown as Parameters<typeof checkServerIdentity>[1],
  );
  if (names === undefined || nameError !== undefined) {
    const shown = names?.replaceAll(/(?:DNS|IP Address):/g, "").replaceAll(", ", " or ");
    const only = shown === undefined ? "" : `; certificate is only valid for ${shown}`;
    throw new Error(
      names === undefined
        ? NO_NAMES
        : `invalid peer certificate: certificate not valid for name "${name}"${only}`,
    );
  }
  if (pinned.some(({ raw }) => raw.equals(leaf.raw))) return;
  if (!isSigned(leaf, chainOf(socket), roots)) throw new Error("invalid peer certificate: UnknownIssuer");
}

/** How rustls says that a certificate has no subjectAltName. */
const NO_NAMES = "certificate is not valid for any names";

/** The certificates among these that a server of that name may have made for itself with `openssl req -x509`. */
export function ownCertificates(certificates: X509Certificate[], name: string): X509Certificate[] {
  return certificates.filter((it) =>
    it.ca && it.subjectAltName !== undefined && isVersion3(it) && isIssuedBy(it, it) &&
    (isIP(name) === 0 ? it.checkHost(name) : it.checkIP(name)) !== undefined
  );
}

/** The certificates that a peer has shown, its own first. */
function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next?.raw !== undefined && chain.length < MAX_CHAIN_LENGTH) {
    chain.push(new X509Certificate(next.raw));
    next = next.issuerCertificate;
  }
  return chain;
}

/** Whether signatures lead from a certificate to a root, over those of a chain. */
function isSigned(leaf: X509Certificate, chain: X509Certificate[], roots: X509Certificate[]): boolean {
  let current: X509Certificate | undefined = leaf;
  for (let length = 0; current !== undefined && length < MAX_CHAIN_LENGTH; length++) {
    const below: X509Certificate = current;
    if (roots.some((root) => isIssuedBy(below, root))) return true;
    current = chain.find((it) => it.ca && !it.raw.equals(below.raw) && isIssuedBy(below, it));
  }
  return false;
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return isInTime(issuer) && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false; // a key of a kind that Deno does not know
  }
}

function isInTime({ validFrom, validTo }: X509Certificate): boolean {
  const now = Date.now();
  return Date.parse(validFrom) <= now && now <= Date.parse(validTo);
}
