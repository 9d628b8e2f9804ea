/** Which datagrams get no answer, by their source: an answer could go to somebody who never asked. */
import { type AccessLists, isAllowed } from "./access.ts";
import { type Address, isIpv4, sourceOf, withoutMapping } from "./endpoint.ts";
import type { DropCode } from "./rejection.ts";

/** What a guard goes by. */
export interface GuardOptions extends AccessLists {
  /** The most answers a second to one source, an IPv4 address or the /64 of an IPv6 one; 0 for any number. */
  rate: number;
  /** The ports of the server's own sockets. */
  ownPorts: Set<number>;
}

/** Below are the ports of services, some of which answer whatever comes (echo, chargen): no client has one. */
const FIRST_CLIENT_PORT = 1024;
/** More sources in a second are a flood with forged addresses; answers to further ones would be part of it. */
const MAX_SOURCES = 100_000;
const WINDOW_MS = 1000;

/** Decides which datagrams are answered. */
export class DatagramGuard {
  readonly #options: GuardOptions;
  readonly #answers = new Map<string, number>();
  #windowEnd = 0;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /**
   * Why a datagram gets no answer; undefined if it gets one, which is counted then.
   *
   * @param now milliseconds of a monotonic clock.
   */
  check(from: Address, now: number): DropCode | undefined {
    const { rate, ownPorts } = this.#options;
    if (from.port < FIRST_CLIENT_PORT) return "low-source-port";
    const ip = withoutMapping(from.hostname);
    if (isForMany(ip)) return "broadcast-source";
    if (ownPorts.has(from.port) && isOwnAddress(ip)) return "own-socket";
    if (!isAllowed(this.#options, ip)) return "denied";
    if (rate === 0) return undefined;
    if (now >= this.#windowEnd) {
      this.#answers.clear();
      this.#windowEnd = now + WINDOW_MS;
    }
    const source = sourceOf(ip);
    const count = this.#answers.get(source) ?? 0;
    if (count >= rate) return "rate";
    if (count === 0 && this.#answers.size >= MAX_SOURCES) return "too-many-sources";
    this.#answers.set(source, count + 1);
    return undefined;
  }
}

/** Multicast (RFC 5771, RFC 4291 2.7), limited broadcast, class E, and the unspecified address. */
function isForMany(ip: string): boolean {
  return isIpv4(ip)
    ? ip === "0.0.0.0" || Number(ip.slice(0, ip.indexOf("."))) >= 224
    : /^(?:ff..:|::$)/i.test(ip);
}

/** Whether an address is one of this machine's: those alone can be listened on. */
function isOwnAddress(ip: string): boolean {
  try {
    Deno.listenDatagram({ transport: "udp", hostname: ip, port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}
