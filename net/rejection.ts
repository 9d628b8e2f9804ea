/** Why connections and datagrams are turned away: codes for programs, and the texts for people, made here alone. */
import type { Address } from "./endpoint.ts";
import type { Stream } from "./stream.ts";

/** Why a connection is not served. */
export type RejectionCode =
  | "too-many-connections"
  | "too-many-from-address"
  | "denied"
  | "untrusted-proxy"
  | "bad-proxy-header"
  | "late-proxy-header"
  | "late-tls-handshake"
  | "gone-in-tls-handshake"
  | "failed-tls-handshake"
  | "client-certificate"
  | "silent"
  | "too-many-pending"
  | "server-ends";

/** Why a datagram is not answered. */
export type DropCode =
  | "low-source-port"
  | "broadcast-source"
  | "own-socket"
  | "denied"
  | "rate"
  | "too-many-sources"
  | "looks-like-reply"
  | "amplification"
  | "unsendable"
  | "receive-failed";

/** What a text says beside the code. */
export interface RejectionDetails {
  /** What exactly is wrong, where the code leaves that open: one of a few fixed texts. */
  why?: string;
  /** The limit that was reached. */
  limit?: number;
}

const REJECTION_TEXTS: Record<RejectionCode, (details: RejectionDetails) => string> = {
  "too-many-connections": () => "too many connections",
  "too-many-from-address": () => "too many connections from one address",
  "denied": () => "denied",
  "untrusted-proxy": () => "not a trusted proxy",
  "bad-proxy-header": ({ why }) => why!,
  "late-proxy-header": () => "late PROXY header",
  "late-tls-handshake": () => "late TLS handshake",
  "gone-in-tls-handshake": () => "gone in the TLS handshake",
  "failed-tls-handshake": () => "TLS handshake failed",
  "client-certificate": ({ why }) => `client certificate refused: ${why}`,
  "silent": () => "no byte came",
  "too-many-pending": () => "too many on their way in",
  "server-ends": () => "the server ends",
};

const DROP_TEXTS: Record<DropCode, (details: RejectionDetails) => string> = {
  "low-source-port": () => "source port below 1024",
  "broadcast-source": () => "broadcast or multicast source",
  "own-socket": () => "sent by an own socket",
  "denied": () => "denied",
  "rate": ({ limit }) => `more than ${limit} a second from one source`,
  "too-many-sources": () => "too many sources",
  "looks-like-reply": () => "it looks like a reply",
  "amplification": () => "the answer would be more than three times as long",
  "unsendable": () => "the answer cannot be sent",
  "receive-failed": () => "a receive failed",
};

/** A connection was not admitted. */
export class Rejection extends Error {
  override readonly name = "Rejection";
  readonly details: RejectionDetails;

  /**
   * @param peer the client's address, where it has one.
   * @param stream the stream, still open, if the client is to be told.
   * @param detail what the system says about it.
   */
  constructor(
    readonly code: RejectionCode,
    readonly peer: Address | undefined,
    details: RejectionDetails = {},
    readonly stream?: Stream,
    readonly detail?: string,
  ) {
    super(rejectionText(code, details));
    this.details = details;
  }
}

/** Why a connection is not served, for a log: one of few texts, without the limit. */
export function rejectionText(code: RejectionCode, details: RejectionDetails): string {
  return REJECTION_TEXTS[code](details);
}

/** What the client of a rejected connection is told. */
export function farewellText({ code, details }: Rejection): string {
  const text = rejectionText(code, details);
  return details.limit === undefined ? text : `${text} (${details.limit})`;
}

/** Why a datagram is not answered, for a log. */
export function dropText(code: DropCode, details: RejectionDetails): string {
  return DROP_TEXTS[code](details);
}
