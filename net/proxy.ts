/**
 * The PROXY protocol, versions 1 and 2, without sockets: a receiver's verdict on bytes, and a sender's header. The source is HAProxy's
 * specification (doc/proxy-protocol.txt, 2020/03/05), whose sections are named below.
 */
import { parseIp } from "./cidr.ts";
import { type Address, canonical, isIpv4, isIpv6 } from "./endpoint.ts";

/** What the bytes that a connection began with are. */
export type ProxyHeader =
  /** They may become a header: read on. */
  | { state: "incomplete" }
  /** They are no header, and never will be. The reason is one of a few fixed texts. */
  | { state: "bad"; reason: string }
  /**
   * They begin with a header.
   *
   * `source` is the real client; undefined if the proxy speaks for itself (LOCAL), or does not know or tell an IP
   * address (UNKNOWN, UNSPEC, UNIX): then the connection's own address counts (2.1, 2.2).
   */
  | { state: "complete"; length: number; source: Address | undefined };

const INCOMPLETE: ProxyHeader = { state: "incomplete" };

const SIGNATURE_V1 = new TextEncoder().encode("PROXY ");
/** With its CRLF (2.1). */
const MAX_V1_LENGTH = 107;
const CR = 13;
const LF = 10;

const SIGNATURE_V2 = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
/** Signature, version and command, family and protocol, length (2.2). */
const FIXED_V2 = 16;
/** The most that a header takes: the length of what follows the fixed part has 16 bits. */
export const MAX_HEADER_LENGTH = FIXED_V2 + 0xffff;

/** Bytes of the two addresses and ports of a family (2.2): unspecified, IPv4, IPv6, Unix. */
const ADDRESS_BYTES = [0, 12, 36, 216];
const [UNSPEC, INET, INET6] = [0, 1, 2];
/** The protocol of TCP (2.2). */
const STREAM = 1;

/** Reads the header that a connection begins with. It never throws, and takes no longer for bytes that are no header. */
export function parseProxyHeader(bytes: Uint8Array): ProxyHeader {
  if (startsAlike(bytes, SIGNATURE_V1)) return parseV1(bytes);
  if (startsAlike(bytes, SIGNATURE_V2)) return parseV2(bytes);
  return bad("no PROXY header");
}

/** Whether one begins with the other, whichever is longer. */
function startsAlike(bytes: Uint8Array, signature: Uint8Array): boolean {
  return bytes.subarray(0, signature.length).every((byte, i) => byte === signature[i]);
}

function bad(reason: string): ProxyHeader {
  return { state: "bad", reason };
}

/** Section 2.1: one line of words with single blanks between them. */
function parseV1(bytes: Uint8Array): ProxyHeader {
  const end = bytes.subarray(0, MAX_V1_LENGTH).indexOf(LF);
  if (end < 0) return bytes.length < MAX_V1_LENGTH ? INCOMPLETE : bad("PROXY header longer than 107 bytes");
  if (bytes[end - 1] !== CR) return bad("malformed PROXY header: no CRLF at its end");
  const line = new TextDecoder("latin1").decode(bytes.subarray(SIGNATURE_V1.length, end - 1));
  const length = end + 1;
  // What follows UNKNOWN is to be ignored.
  if (/^UNKNOWN(?: |$)/.test(line)) return { state: "complete", length, source: undefined };
  const [family, source, destination, sourcePort, destinationPort, ...more] = line.split(" ");
  const isIp = family === "TCP4" ? isIpv4 : family === "TCP6" ? isIpv6 : undefined;
  if (isIp === undefined) return bad("malformed PROXY header: unknown family");
  const addresses = [source, destination], ports = [sourcePort, destinationPort];
  // Unlike an endpoint's, an address has no zone, and a number no leading zero.
  if (!addresses.every((ip) => ip !== undefined && isIp(ip) && !/%|(^|\.)0\d/.test(ip))) {
    return bad("malformed PROXY header: bad address");
  }
  if (!ports.every((port) => /^(?:0|[1-9]\d{0,4})$/.test(port ?? "") && Number(port) <= 65535)) {
    return bad("malformed PROXY header: bad port");
  }
  if (more.length > 0) return bad("malformed PROXY header: more than it should have");
  return { state: "complete", length, source: { hostname: canonical(source!), port: Number(sourcePort) } };
}

/** Section 2.2: a fixed part, then addresses by family, then TLVs up to the length given, which are skipped. */
function parseV2(bytes: Uint8Array): ProxyHeader {
  const version = bytes[12];
  if (version === undefined) return INCOMPLETE;
  if (version >> 4 !== 2) return bad("malformed PROXY header: unknown version");
  const command = version & 0xf;
  if (command > 1) return bad("malformed PROXY header: unknown command");
  if (bytes.length < FIXED_V2) return INCOMPLETE;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = FIXED_V2 + view.getUint16(14);
  const family = bytes[13]! >> 4, protocol = bytes[13]! & 0xf;
  // A LOCAL connection's family and addresses are to be discarded, whatever they are.
  if (command === 1) {
    const size = ADDRESS_BYTES[family];
    if (size === undefined || protocol > 2) return bad("malformed PROXY header: unknown family");
    if (length < FIXED_V2 + size) return bad("malformed PROXY header: shorter than its addresses");
  }
  if (bytes.length < length) return INCOMPLETE;
  let source: Address | undefined;
  if (command === 1 && protocol !== UNSPEC) {
    if (family === INET) {
      const hostname = bytes.subarray(FIXED_V2, FIXED_V2 + 4).join(".");
      source = { hostname, port: view.getUint16(FIXED_V2 + 8) };
    } else if (family === INET6) {
      const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(FIXED_V2 + 2 * i).toString(16));
      source = { hostname: canonical(groups.join(":")), port: view.getUint16(FIXED_V2 + 32) };
    }
  }
  return { state: "complete", length, source };
}

/** A version of the header: the text, or the binary one. */
export type ProxyVersion = "v1" | "v2";
/** The versions of the header that there are. */
export const PROXY_VERSIONS = ["v1", "v2"] as const satisfies readonly ProxyVersion[];

/** The two ends of a connection. */
export interface ProxyRoute {
  source: Address;
  destination: Address;
}

/**
 * The header that a connection begins with.
 *
 * @param route undefined where there are no IP addresses to tell, as on a Unix socket: UNKNOWN, or LOCAL in version 2.
 */
export function formatProxyHeader(version: ProxyVersion, route: ProxyRoute | undefined): Uint8Array {
  const ends = route &&
    [route.source, route.destination].map(({ hostname, port }) => ({ ip: canonical(hostname), port }));
  const isOfIpv4 = ends?.every(({ ip }) => isIpv4(ip));
  if (ends === undefined || !isOfIpv4 && ends.some(({ ip }) => isIpv4(ip))) {
    return version === "v1" ? new TextEncoder().encode("PROXY UNKNOWN\r\n") : headerV2(0x20, UNSPEC << 4, []);
  }
  const [source, destination] = ends as [typeof ends[0], typeof ends[0]];
  if (version === "v1") {
    const family = isOfIpv4 ? "TCP4" : "TCP6";
    const line = ["PROXY", family, source.ip, destination.ip, source.port, destination.port].join(" ");
    return new TextEncoder().encode(`${line}\r\n`);
  }
  const size = isOfIpv4 ? 4 : 16;
  return headerV2(0x21, (isOfIpv4 ? INET : INET6) << 4 | STREAM, [
    ...[source, destination].flatMap(({ ip }) => bytesOf(parseIp(ip)!.bits, size)),
    ...[source, destination].flatMap(({ port }) => bytesOf(BigInt(port), 2)),
  ]);
}

function headerV2(versionAndCommand: number, familyAndProtocol: number, addresses: number[]): Uint8Array {
  const fixed = [versionAndCommand, familyAndProtocol, ...bytesOf(BigInt(addresses.length), 2)];
  return Uint8Array.from([...SIGNATURE_V2, ...fixed, ...addresses]);
}

/** A number's bytes, the most significant first. */
function bytesOf(bits: bigint, size: number): number[] {
  return Array.from({ length: size }, (_, i) => Number(bits >> BigInt(8 * (size - 1 - i)) & 0xffn));
}
