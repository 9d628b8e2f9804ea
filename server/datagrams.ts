import { reasonOf } from "../failure.ts";
import { type Address, type HostEndpoint, isIpv4, withoutMapping } from "../net/endpoint.ts";
import { isClosedHere } from "../net/errors.ts";
import { DatagramGuard } from "../net/guard.ts";
import { type DropCode, dropText } from "../net/rejection.ts";
import type { DatagramSocket } from "../net/transport.ts";
import { DATAGRAM_BUFFER } from "../net/udp.ts";
import { MAX_PREFIX_LENGTH, Prefix, prefixLength } from "../protocol.ts";
import { wallMicros } from "../time/clock.ts";
import type { Clock } from "../time/timers.ts";
import type { Counters } from "./counters.ts";
import type { Report } from "./events.ts";
import type { ServerSettings } from "./settings.ts";
import { RejectionLog } from "./rejection_log.ts";

/** An answer's packet may be this many times as long as the request's, as in QUIC (RFC 9000, 8.1). */
const MAX_AMPLIFICATION = 3;
/** The headers of UDP and IP, without options. */
const HEADERS_IPV4 = 8 + 20;
const HEADERS_IPV6 = 8 + 40;

/** Whether an answer is so much longer than its request that it would serve to flood somebody with. */
function isAmplified(length: number, prefixLength: number, from: Address): boolean {
  if (prefixLength <= (MAX_AMPLIFICATION - 1) * (HEADERS_IPV4 + length)) return false; // most of them
  const request = length + (isIpv4(withoutMapping(from.hostname)) ? HEADERS_IPV4 : HEADERS_IPV6);
  return request + prefixLength > MAX_AMPLIFICATION * request;
}

/** Answers the datagrams of a server's sockets. */
export class Datagrams {
  readonly #prefix: Prefix;
  readonly #guard: DatagramGuard;
  readonly #rate: number;
  readonly #counters: Counters;
  readonly #clock: Clock;
  readonly #drops: RejectionLog<DropCode>;

  constructor(
    settings: ServerSettings,
    sockets: DatagramSocket[],
    counters: Counters,
    report: Report,
    clock: Clock,
  ) {
    const ownPorts = new Set(sockets.map(({ endpoint }) => (endpoint as HostEndpoint).port));
    this.#prefix = new Prefix(settings.stamp, settings.tag);
    this.#guard = new DatagramGuard({ ...settings, rate: settings.udpRate, ownPorts });
    this.#rate = settings.udpRate;
    this.#counters = counters;
    this.#clock = clock;
    this.#drops = new RejectionLog((it) => report({ type: "drop", ...it }), () => clock.now());
  }

  /** Answers each datagram with one, or drops it, until the socket is closed. */
  async answer(socket: DatagramSocket): Promise<void> {
    const buffer = new Uint8Array(DATAGRAM_BUFFER);
    const out = new Uint8Array(MAX_PREFIX_LENGTH + DATAGRAM_BUFFER);
    for (;;) {
      let received;
      try {
        received = await socket.receive(buffer);
      } catch (error) {
        if (isClosedHere(error)) return;
        // Windows tells here that an earlier answer could not be delivered.
        this.#drop("receive-failed", undefined, reasonOf(error));
        continue;
      }
      const [bytes, from] = received;
      const readAt = wallMicros();
      const prefix = this.#prefix.at(readAt);
      const code = prefixLength(bytes) > 0
        ? "looks-like-reply"
        : isAmplified(bytes.length, prefix.length, from)
        ? "amplification"
        : this.#guard.check(from, this.#clock.now());
      if (code !== undefined) {
        this.#drop(code, from);
        continue;
      }
      out.set(prefix);
      out.set(bytes, prefix.length);
      try {
        await socket.send(out.subarray(0, prefix.length + bytes.length), from);
        this.#counters.answered(bytes.length, prefix.length + bytes.length);
      } catch (error) {
        if (isClosedHere(error)) return;
        this.#drop("unsendable", from, reasonOf(error));
      }
    }
  }

  /** Tells what was held back for a second. To be called now and then. */
  tick(): void {
    this.#drops.tick();
  }

  /** Tells all that was held back. */
  flush(): void {
    this.#drops.flush();
  }

  #drop(code: DropCode, peer: Address | undefined, detail?: string): void {
    const reason = dropText(code, { limit: this.#rate });
    this.#counters.dropped(code);
    this.#drops.add({ code, reason, peer, ...(detail !== undefined && { detail }) });
  }
}
