/** Sets of IP addresses, made of CIDR blocks. */
import { isIpv4, isIpv6, withoutMapping } from "./endpoint.ts";

/** A block of addresses: those whose first `prefix` bits are those of `bits`. */
interface Block {
  /** 32 or 128. */
  width: number;
  prefix: number;
  bits: bigint;
}

const IPV4_WIDTH = 32;
const IPV6_WIDTH = 128;
/** The first 96 bits of an IPv4-mapped IPv6 address, ::ffff:0:0/96 (RFC 4291, 2.5.5.2). */
const MAPPED = 0xffffn;

/**
 * A set of addresses made of CIDR blocks (RFC 4632; RFC 4291, 2.3). IPv4-mapped IPv6 addresses and blocks are the
 * IPv4 ones that they stand for.
 */
export class CidrSet {
  readonly #blocks: Block[];

  private constructor(readonly text: string, blocks: Block[]) {
    this.#blocks = blocks;
  }

  /**
   * Reads blocks with commas between them: `10.0.0.0/8,2001:db8::/32,127.0.0.1`. An address alone is a block of one.
   *
   * @throws {Error} whose message says what was expected, bits beyond the prefix among the faults.
   */
  static parse(text: string): CidrSet {
    return new CidrSet(text, text.split(",").map((part) => parseBlock(part.trim())));
  }

  /** Whether an address, as Deno writes it, is in one of the blocks; what is no IP address is in none. */
  has(ip: string): boolean {
    const address = parseIp(ip);
    return address !== undefined &&
      this.#blocks.some(({ width, prefix, bits }) =>
        width === address.width && (address.bits ^ bits) >> BigInt(width - prefix) === 0n
      );
  }
}

function parseBlock(text: string): Block {
  const [, ip, size] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  // Some read a number with a leading zero as octal: who means which is not to be guessed at a door.
  const unclear = ip === undefined || /%|(^|[.:])0\d+\./.test(ip) || /\.0\d/.test(ip);
  const address = unclear ? undefined : parseIp(ip, false);
  if (address === undefined) {
    throw new Error(`"${text}" is not an address or a block such as 10.0.0.0/8 or 2001:db8::/32`);
  }
  const prefix = size === undefined ? address.width : Number(size);
  if (prefix > address.width) throw new Error(`in "${text}" the prefix has more than ${address.width} bits`);
  const block = { ...address, prefix };
  if (block.bits & ((1n << BigInt(block.width - prefix)) - 1n)) {
    throw new Error(`in "${text}" the address has bits beyond its prefix of ${prefix}`);
  }
  const inMapped = block.width === IPV6_WIDTH && prefix >= IPV6_WIDTH - IPV4_WIDTH &&
    block.bits >> 32n === MAPPED;
  return inMapped
    ? { width: IPV4_WIDTH, prefix: prefix - (IPV6_WIDTH - IPV4_WIDTH), bits: block.bits & 0xffffffffn }
    : block;
}

/** An address as a number, an IPv4-mapped one as IPv4's if `unmap` says so; undefined for what is none. */
export function parseIp(text: string, unmap = true): Omit<Block, "prefix"> | undefined {
  const [plain] = text.split("%");
  const ip = unmap ? withoutMapping(plain!) : plain!;
  if (isIpv4(ip)) return { width: IPV4_WIDTH, bits: join(ip.split(".").map(Number), 8) };
  if (!isIpv6(ip)) return undefined;
  // The URL parser writes every form as hexadecimal groups, the longest run of zeros left out (RFC 5952).
  const [head, tail] = new URL(`http://[${ip}]/`).hostname.slice(1, -1).split("::");
  const groups = (part: string | undefined) =>
    part ? part.split(":").map((group) => parseInt(group, 16)) : [];
  const before = groups(head), after = groups(tail);
  const bits = join([...before, ...Array(8 - before.length - after.length).fill(0), ...after], 16);
  if (unmap && bits >> 32n === MAPPED) return { width: IPV4_WIDTH, bits: bits & 0xffffffffn };
  return { width: IPV6_WIDTH, bits };
}

function join(parts: number[], width: number): bigint {
  return parts.reduce((bits, part) => bits << BigInt(width) | BigInt(part), 0n);
}
