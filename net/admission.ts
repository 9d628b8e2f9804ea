/** What a connection passes before it is served: the lists, the balancer's header, the TLS handshake. */
import { reasonOf } from "../failure.ts";
import { type Clock, systemClock, TIMED_OUT, withTimeout } from "../time/timers.ts";
import { type AccessLists, isAllowed } from "./access.ts";
import type { CidrSet } from "./cidr.ts";
import { type Address, formatAddress, sourceOf, withoutMapping } from "./endpoint.ts";
import { isPeerGone } from "./errors.ts";
import { MAX_HEADER_LENGTH, parseProxyHeader } from "./proxy.ts";
import { Rejection, type RejectionCode } from "./rejection.ts";
import { closeQuietly, type Stream, withEarly } from "./stream.ts";
import { type Accepted, ClientRefused, type ServerTls } from "./transport.ts";

/** Who is admitted, and how long that may take. */
export interface AdmissionOptions extends AccessLists {
  /** The most connections at once from one address; undefined for any number. */
  maxConnsPerIp?: number;
  /** Where each stream begins with a PROXY protocol header: the addresses whose headers are believed. */
  proxyFrom?: CidrSet;
  /** Milliseconds for a TLS handshake; 0 for as long as it takes. */
  handshakeTimeout: number;
  /** The most streams that may be on their way in at once. One more, and one of those has to go. */
  maxPending: number;
}

/** Milliseconds for a PROXY protocol header, as HAProxy's specification has it (section 2: at least 3 seconds). */
const HEADER_TIMEOUT_MS = 3000;
const FIRST_HEADER_BUFFER = 256;
/** What a TLS client says first has some hundred bytes. */
const FIRST_READ_SIZE = 1024;

/** A connection that was admitted. */
export interface AdmittedConnection {
  stream: Stream;
  /** The real client's address where a balancer tells it; undefined on a Unix socket. */
  peer: Address | undefined;
  /** The balancer, for people, where the client's address is another. */
  via?: string;
  /** To be called once, when the connection has ended. */
  release(): void;
}

/** The admission of a server: all its stream listeners share it, and so the counts. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #clock: Clock;
  readonly #perIp = new Map<string, number>();
  readonly #pending: PendingStreams;
  #handshakes = 0;

  /** @param clock times headers and handshakes. */
  constructor(options: AdmissionOptions, clock: Clock = systemClock) {
    this.#options = options;
    this.#clock = clock;
    this.#pending = new PendingStreams(options.maxPending);
  }

  /**
   * Admits a stream, at once where there is nothing to wait for, or not.
   *
   * @param onAdmitted is given the connection; @param onRejected why there is none. Neither must throw.
   */
  admit(
    accepted: Accepted,
    security: ServerTls | undefined,
    onAdmitted: (admitted: AdmittedConnection) => void,
    onRejected: (rejection: Rejection) => void,
  ): void {
    if (this.#options.proxyFrom !== undefined || security !== undefined) {
      this.#admitInSteps(accepted, security).then(onAdmitted, onRejected);
      return;
    }
    const { stream, peer } = accepted;
    let release;
    try {
      release = this.#enter(stream, peer, true);
    } catch (error) {
      return onRejected(error as Rejection);
    }
    onAdmitted({ stream, peer, release });
  }

  /** How many streams are on their way in. */
  get pending(): number {
    return this.#pending.count;
  }

  /** How many of them have begun a TLS handshake. */
  get handshakes(): number {
    return this.#handshakes;
  }

  /** Gives up all that is on its way in. */
  close(): void {
    this.#pending.giveUpAll("server-ends");
  }

  async #admitInSteps(
    { stream, peer: nearest }: Accepted,
    security: ServerTls | undefined,
  ): Promise<AdmittedConnection> {
    let peer = nearest;
    let early: Uint8Array = new Uint8Array();
    if (this.#options.proxyFrom !== undefined) {
      const header = await this.#readHeader(stream, nearest, this.#options.proxyFrom);
      peer = header.source ?? nearest;
      early = header.rest;
    }
    // Nothing can be said to a TLS client before the handshake is over.
    const release = this.#enter(stream, peer, security === undefined);
    const admitted = { peer, ...(peer !== nearest && { via: formatPeer(nearest) }), release };
    if (security === undefined) return { ...admitted, stream: withEarly(stream, early) };
    try {
      return { ...admitted, stream: await this.#secure(stream, peer, security, early) };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Does the TLS handshake. @throws {Rejection} */
  #secure(
    stream: Stream,
    peer: Address | undefined,
    security: ServerTls,
    early: Uint8Array,
  ): Promise<Stream> {
    return this.#step(stream, peer, this.#options.handshakeTimeout, "late-tls-handshake", async () => {
      const first = early.length > 0 ? early : await readFirst(stream);
      if (first === undefined) {
        closeQuietly(stream);
        throw new Rejection("silent", peer);
      }
      this.#handshakes++;
      try {
        return await security.secure(stream, first);
      } catch (error) {
        if (error instanceof ClientRefused) {
          const detail = error.subject && `it names ${error.subject}`;
          throw new Rejection("client-certificate", peer, { why: error.reason }, error.stream, detail);
        }
        throw isPeerGone(error)
          ? new Rejection("gone-in-tls-handshake", peer)
          : new Rejection("failed-tls-handshake", peer, {}, undefined, reasonOf(error));
      } finally {
        this.#handshakes--;
      }
    });
  }

  /** Reads the header that a trusted proxy begins with, and what it has read beyond. @throws {Rejection} */
  async #readHeader(
    stream: Stream,
    proxy: Address | undefined,
    trusted: CidrSet,
  ): Promise<{ source: Address | undefined; rest: Uint8Array }> {
    // On a Unix socket the file's mode says who may come.
    if (proxy !== undefined && !trusted.has(proxy.hostname)) {
      closeQuietly(stream);
      throw new Rejection("untrusted-proxy", proxy);
    }
    return await this.#step(stream, proxy, HEADER_TIMEOUT_MS, "late-proxy-header", async () => {
      let buffer = new Uint8Array(FIRST_HEADER_BUFFER);
      let end = 0;
      for (;;) {
        const n = await stream.read(buffer.subarray(end)).catch(() => null);
        end += n ?? 0;
        const header = parseProxyHeader(buffer.subarray(0, end));
        if (header.state === "complete") {
          return { source: header.source, rest: buffer.subarray(header.length, end) };
        }
        if (header.state === "bad" || n === null) {
          closeQuietly(stream);
          if (end === 0) throw new Rejection("silent", proxy);
          const why = header.state === "bad" ? header.reason : "PROXY header cut off";
          throw new Rejection("bad-proxy-header", proxy, { why });
        }
        if (end === buffer.length) {
          const larger = new Uint8Array(Math.min(2 * end, MAX_HEADER_LENGTH));
          larger.set(buffer);
          buffer = larger;
        }
      }
    });
  }

  /** Takes a step on a stream that is on its way in. When its time is over, or it has to make room, it is closed. */
  async #step<T extends object>(
    stream: Stream,
    peer: Address | undefined,
    timeout: number,
    late: RejectionCode,
    step: () => Promise<T>,
  ): Promise<T> {
    let givenUp: RejectionCode | undefined;
    const giveUp = (code: RejectionCode) => {
      givenUp ??= code;
      closeQuietly(stream); // ends the step
    };
    const forget = this.#pending.add(peer === undefined ? "" : sourceOf(peer.hostname), giveUp);
    try {
      const result = await withTimeout(step(), timeout, this.#clock);
      if (result !== TIMED_OUT) return result;
      giveUp(late);
      throw new Rejection(late, peer);
    } catch (error) {
      throw givenUp === undefined ? error : new Rejection(givenUp, peer);
    } finally {
      forget();
    }
  }

  /**
   * Admits an address and counts it; a Unix socket's clients have none, and are all admitted.
   *
   * @param tell whether the client may be told that there are too many.
   * @returns what to call when the connection has ended. @throws {Rejection}
   */
  #enter(stream: Stream, peer: Address | undefined, tell: boolean): () => void {
    if (peer === undefined) return nothing;
    if (!isAllowed(this.#options, peer.hostname)) {
      closeQuietly(stream); // a stranger is not told anything
      throw new Rejection("denied", peer);
    }
    const { maxConnsPerIp } = this.#options;
    if (maxConnsPerIp === undefined) return nothing;
    const ip = withoutMapping(peer.hostname);
    const count = this.#perIp.get(ip) ?? 0;
    if (count >= maxConnsPerIp) {
      if (!tell) closeQuietly(stream);
      const limit = { limit: maxConnsPerIp };
      throw new Rejection("too-many-from-address", peer, limit, tell ? stream : undefined);
    }
    this.#perIp.set(ip, count + 1);
    return () => {
      const left = this.#perIp.get(ip)! - 1;
      if (left === 0) this.#perIp.delete(ip);
      else this.#perIp.set(ip, left);
    };
  }
}

type GiveUp = (code: RejectionCode) => void;

/** How to give up each of the streams on their way in, by their source (see {@linkcode sourceOf}), the oldest first. */
class PendingStreams {
  readonly #max: number;
  readonly #bySource = new Map<string, Set<GiveUp>>();
  count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Adds a stream, for which another may have to go. @returns what removes it. */
  add(source: string, giveUp: GiveUp): () => void {
    if (this.count >= this.#max) this.#makeRoom();
    let giveUps = this.#bySource.get(source);
    if (giveUps === undefined) this.#bySource.set(source, giveUps = new Set());
    giveUps.add(giveUp);
    this.count++;
    return () => this.#remove(source, giveUp);
  }

  giveUpAll(code: RejectionCode): void {
    for (const giveUps of [...this.#bySource.values()]) {
      for (const giveUp of [...giveUps]) giveUp(code);
    }
  }

  #remove(source: string, giveUp: GiveUp): void {
    const giveUps = this.#bySource.get(source);
    if (giveUps === undefined || !giveUps.delete(giveUp)) return;
    this.count--;
    if (giveUps.size === 0) this.#bySource.delete(source);
  }

  /** Gives up the oldest stream of the source that has the most on their way in: a flood drives out itself. */
  #makeRoom(): void {
    let most: [string, Set<GiveUp>] | undefined;
    for (const entry of this.#bySource) {
      if (most === undefined || entry[1].size > most[1].size) most = entry;
    }
    const [source, giveUps] = most!;
    const [oldest] = giveUps;
    this.#remove(source, oldest!); // its step ends later
    oldest!("too-many-pending");
  }
}

function nothing(): void {}

/** The first bytes of a stream; undefined if it ends, however, without any. */
async function readFirst(stream: Stream): Promise<Uint8Array | undefined> {
  const buffer = new Uint8Array(FIRST_READ_SIZE);
  const n = await stream.read(buffer).catch(() => null);
  return n === null ? undefined : buffer.subarray(0, n);
}

/** A peer's address for people. */
export function formatPeer(peer: Address | undefined): string {
  return peer === undefined ? "unix" : formatAddress(peer);
}
