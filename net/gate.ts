/** What a client passes before it is served: the doors, the balancer's header, the TLS handshake. */
import type { CidrSet } from "./cidr.ts";
import { type Address, formatAddress, sourceOf, withoutMapping } from "./endpoint.ts";
import { reasonOf } from "../failure.ts";
import { isPeerGone } from "./errors.ts";
import { LONGEST_HEADER, parseProxyHeader } from "./proxy.ts";
import { closeQuietly, type Stream, withEarly } from "./stream.ts";
import { type Accepted, ClientRefused, type ServerTls } from "./transport.ts";

/** Which addresses are let in. */
export interface Doors {
  /** Undefined for all. */
  allow?: CidrSet;
  /** Wins over `allow`. */
  deny?: CidrSet;
}

/** Whether an address may come in. */
export function isLetIn({ allow, deny }: Doors, ip: string): boolean {
  return !deny?.has(ip) && (allow === undefined || allow.has(ip));
}

export interface GateOptions extends Doors {
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

/** A client that was let in. */
export interface Guest {
  stream: Stream;
  /** The real client's address where a balancer tells it; undefined on a Unix socket. */
  peer: Address | undefined;
  /** The balancer, for people, where the client's address is another. */
  via?: string;
  /** To be called once, when the client has gone. */
  leave(): void;
}

/** A client was not let in. */
export class NotLetIn extends Error {
  /**
   * @param reason one of a few fixed texts.
   * @param detail what the system says about it.
   * @param stream the stream, still open, if the client is to be told.
   */
  constructor(
    readonly reason: string,
    readonly peer: Address | undefined,
    readonly detail?: string,
    readonly stream?: Stream,
  ) {
    super(reason);
    this.name = "NotLetIn";
  }
}

/** The gate of a server: all its stream listeners share it, and so the counts. */
export class Gate {
  readonly #options: GateOptions;
  readonly #perIp = new Map<string, number>();
  /** How to give up each of the streams on their way in, by their source (see {@linkcode sourceOf}), the oldest first. */
  readonly #pending = new Map<string, Set<(reason: string) => void>>();
  #pendingCount = 0;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /**
   * Lets a stream in, at once where there is nothing to wait for, or not.
   *
   * @param welcome is given the client; @param refuse why there is none. Neither must throw.
   */
  admit(
    accepted: Accepted,
    security: ServerTls | undefined,
    welcome: (guest: Guest) => void,
    refuse: (refusal: NotLetIn) => void,
  ): void {
    if (this.#options.proxyFrom !== undefined || security !== undefined) {
      this.#admitInSteps(accepted, security).then(welcome, refuse);
      return;
    }
    const { stream, peer } = accepted;
    let leave;
    try {
      leave = this.#enter(stream, peer, true);
    } catch (error) {
      return refuse(error as NotLetIn);
    }
    welcome({ stream, peer, leave });
  }

  /** Gives up all that is on its way in. */
  close(): void {
    for (const giveUps of [...this.#pending.values()]) {
      for (const giveUp of [...giveUps]) giveUp("the server ends");
    }
  }

  async #admitInSteps({ stream, peer: nearest }: Accepted, security: ServerTls | undefined): Promise<Guest> {
    let peer = nearest;
    let early: Uint8Array = new Uint8Array();
    if (this.#options.proxyFrom !== undefined) {
      const header = await this.#readHeader(stream, nearest, this.#options.proxyFrom);
      peer = header.source ?? nearest;
      early = header.rest;
    }
    // Nothing can be said to a TLS client before the handshake is over.
    const leave = this.#enter(stream, peer, security === undefined);
    const guest = { peer, ...(peer !== nearest && { via: formatPeer(nearest) }), leave };
    if (security === undefined) return { ...guest, stream: withEarly(stream, early) };
    const { handshakeTimeout } = this.#options;
    try {
      const secured = await this.#step(stream, peer, handshakeTimeout, "late TLS handshake", async () => {
        try {
          return await security.secure(stream, early);
        } catch (error) {
          if (error instanceof ClientRefused) {
            const whose = error.subject && `it names ${error.subject}`;
            throw new NotLetIn(`client certificate refused: ${error.reason}`, peer, whose, error.stream);
          }
          const [reason, detail] = isPeerGone(error)
            ? ["gone in the TLS handshake"]
            : ["TLS handshake failed", reasonOf(error)];
          throw new NotLetIn(reason!, peer, detail);
        }
      });
      return { ...guest, stream: secured };
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Reads the header that a trusted proxy begins with, and what it has read beyond. */
  async #readHeader(
    stream: Stream,
    proxy: Address | undefined,
    trusted: CidrSet,
  ): Promise<{ source: Address | undefined; rest: Uint8Array }> {
    // On a Unix socket the file's mode says who may come.
    if (proxy !== undefined && !trusted.has(proxy.hostname)) {
      closeQuietly(stream);
      throw new NotLetIn("not a trusted proxy", proxy);
    }
    return await this.#step(stream, proxy, HEADER_TIMEOUT_MS, "late PROXY header", async () => {
      let buffer = new Uint8Array(FIRST_HEADER_BUFFER);
      let end = 0;
      for (;;) {
        const n = await stream.read(buffer.subarray(end)).catch(() => null);
        end += n ?? 0;
        const header = parseProxyHeader(buffer.subarray(0, end));
        if (header.state === "complete") {
          return { source: header.source, rest: buffer.subarray(header.length, end) };
        }
        const ended = end === 0 ? "no PROXY header" : "PROXY header cut off";
        if (header.state === "bad" || n === null) {
          closeQuietly(stream);
          throw new NotLetIn(header.state === "bad" ? header.reason : ended, proxy);
        }
        if (end === buffer.length) {
          const larger = new Uint8Array(Math.min(2 * end, LONGEST_HEADER));
          larger.set(buffer);
          buffer = larger;
        }
      }
    });
  }

  /**
   * Takes a step on a stream that is on its way in. When its time is over, or when it has to make room, the stream is
   * closed, which ends the step.
   */
  async #step<T>(
    stream: Stream,
    peer: Address | undefined,
    timeout: number,
    late: string,
    step: () => Promise<T>,
  ): Promise<T> {
    const source = peer === undefined ? "" : sourceOf(peer.hostname);
    let givenUp: string | undefined;
    const giveUp = (reason: string) => {
      givenUp = reason;
      this.#forget(source, giveUp);
      closeQuietly(stream);
    };
    if (this.#pendingCount >= this.#options.maxPending) this.#makeRoom();
    let giveUps = this.#pending.get(source);
    if (giveUps === undefined) this.#pending.set(source, giveUps = new Set());
    giveUps.add(giveUp);
    this.#pendingCount++;
    const timer = timeout > 0 && setTimeout(giveUp, timeout, late);
    try {
      return await step();
    } catch (error) {
      throw givenUp === undefined ? error : new NotLetIn(givenUp, peer);
    } finally {
      if (timer !== false) clearTimeout(timer);
      this.#forget(source, giveUp);
    }
  }

  #forget(source: string, giveUp: (reason: string) => void): void {
    const giveUps = this.#pending.get(source);
    if (giveUps === undefined || !giveUps.delete(giveUp)) return;
    this.#pendingCount--;
    if (giveUps.size === 0) this.#pending.delete(source);
  }

  /** Gives up the oldest stream of the source that has the most on their way in: a flood drives out itself. */
  #makeRoom(): void {
    let most: Set<(reason: string) => void> | undefined;
    for (const giveUps of this.#pending.values()) {
      if (most === undefined || giveUps.size > most.size) most = giveUps;
    }
    const [oldest] = most!;
    oldest!("too many on their way in");
  }

  /**
   * Lets an address in and counts it; a Unix socket's clients have none, and are let in all.
   *
   * @param tell whether the client may be told that there are too many.
   * @returns what to call when it leaves. @throws {NotLetIn}
   */
  #enter(stream: Stream, peer: Address | undefined, tell: boolean): () => void {
    if (peer === undefined) return nothing;
    if (!isLetIn(this.#options, peer.hostname)) {
      closeQuietly(stream); // a stranger is not told anything
      throw new NotLetIn("denied", peer);
    }
    const { maxConnsPerIp } = this.#options;
    if (maxConnsPerIp === undefined) return nothing;
    const ip = withoutMapping(peer.hostname);
    const count = this.#perIp.get(ip) ?? 0;
    if (count >= maxConnsPerIp) {
      if (!tell) closeQuietly(stream);
      const reason = `too many connections from one address (${maxConnsPerIp})`;
      throw new NotLetIn(reason, peer, undefined, tell ? stream : undefined);
    }
    this.#perIp.set(ip, count + 1);
    return () => {
      const left = this.#perIp.get(ip)! - 1;
      if (left === 0) this.#perIp.delete(ip);
      else this.#perIp.set(ip, left);
    };
  }
}

function nothing(): void {}

/** A peer's address for people. */
export function formatPeer(peer: Address | undefined): string {
  return peer === undefined ? "unix" : formatAddress(peer);
}
