import type { Log } from "./cli/log.ts";
import { Failure, formatMillis } from "./cli/text.ts";
import { acceptLoop } from "./net/accept.ts";
import { type Endpoint, formatAddress, formatEndpoint } from "./net/endpoint.ts";
import { isPeerGone, reasonOf } from "./net/errors.ts";
import { descriptorLimit } from "./net/limits.ts";
import { aborted, closeQuietly } from "./net/stream.ts";
import { ALL_INTERFACES, type Bound, listenTcp } from "./net/tcp.ts";
import { Answers, errorReply, type Framing } from "./protocol.ts";
import { wallMicros } from "./time/clock.ts";
import { Prefix, type StampFormat } from "./time/stamp.ts";

/** What `tsecho server` was asked for. Durations are in milliseconds, 0 for none; sizes in bytes. */
export interface ServerOptions {
  endpoints: Endpoint[];
  framing: Framing;
  stamp: StampFormat;
  /** Shown after the stamp, to tell servers apart. */
  tag?: string;
  /** The longest line, its LF not counted. */
  maxLine: number;
  /** The most connections at once; undefined for the smaller of 10,000 and what the descriptor limit leaves. */
  maxConns?: number;
  /** A connection that neither sends nor takes a byte for so long is closed. */
  idleTimeout: number;
  /** How long connections may take to end after the signal to stop. */
  drainTimeout: number;
}

/** The most connections at once where neither the user nor the descriptor limit says less. */
export const MOST_CONNS = 10_000;
/** Descriptors kept for all that is not a connection: listeners, stdio, the runtime's own, refusals. */
const SPARE_DESCRIPTORS = 64;
/** Assumed where the descriptor limit cannot be told: the usual soft limit on Unix. */
const USUAL_DESCRIPTORS = 1024;

/** Refused connections that may be taking their leave at once; further ones wait to be accepted. */
const MOST_REFUSING = 32;
/** A peer that has been told good-bye and keeps sending is listened to for so long in all ... */
const LINGER_MS = 30_000;
/** ... and for so long after its last byte, that no reset destroys the replies under way to it. */
const LINGER_QUIET_MS = 2_000;
/** How long a drain waits for lines that are just being read. */
const DRAIN_GRACE_MS = 50;
/** The clock by which idle and lingering connections are closed ticks once a second, or faster for short timeouts. */
const SLOWEST_TICK_MS = 1_000;
const FASTEST_TICK_MS = 10;

/** A buffer for replies is needed only while they are written; so many wait for their next use. */
const MOST_SPARE_OUTS = 64;
const OUT_SIZE = 64 * 1024;

/** The smaller of 10,000 and what the descriptor limit leaves; at least one. */
async function defaultMaxConns(): Promise<number> {
  const limit = await descriptorLimit() ?? USUAL_DESCRIPTORS;
  return Math.max(1, Math.min(MOST_CONNS, limit - SPARE_DESCRIPTORS));
}

/**
 * Listens on every endpoint and answers until the signal to stop; then it drains: no new connections, the lines that
 * have been read are answered, each peer sees an orderly end.
 *
 * @param announce is given each endpoint listened on, with its real port, once it accepts connections.
 * @returns whether every connection could end in order; false if the drain timeout cut some off from their replies.
 * @throws {Failure} when an endpoint cannot be listened on.
 */
export async function runServer(
  options: ServerOptions,
  announce: (endpoint: string) => void,
  log: Log,
  stop: AbortSignal,
): Promise<boolean> {
  const maxConns = options.maxConns ?? await defaultMaxConns();
  const server = new Server({ ...options, maxConns }, log);
  const listeners = listenAll(options.endpoints, log);
  log.info("start", {
    pid: Deno.pid,
    framing: options.framing,
    stamp: options.stamp,
    tag: options.tag,
    max_line: options.maxLine,
    max_conns: maxConns,
    idle_timeout: formatMillis(options.idleTimeout),
    drain_timeout: formatMillis(options.drainTimeout),
  });
  for (const { endpoint } of listeners) announce(formatEndpoint(endpoint));
  return await server.run(listeners.map(({ listener }) => listener), stop);
}

function listenAll(endpoints: Endpoint[], log: Log): Bound[] {
  const bound: Bound[] = [];
  for (const endpoint of endpoints) {
    try {
      const found = listenTcp(endpoint);
      bound.push(...found);
      if (endpoint.hostname === ALL_INTERFACES && found[0]!.endpoint.hostname !== ALL_INTERFACES) {
        log.warn("listen", { reason: "this machine has no IPv6: listening on IPv4 alone" });
      }
    } catch (error) {
      for (const { listener } of bound) listener.close();
      throw new Failure("listen on", formatEndpoint(endpoint), reasonOf(error), { cause: error });
    }
  }
  return bound;
}

class Server {
  readonly #shared: Shared;
  readonly #maxConns: number;
  readonly #log: Log;
  readonly #serving = new Set<Connection>();
  readonly #refusing = new Set<Connection>();
  readonly #refusals = { total: 0, unlogged: 0, logged: -Infinity, peer: "" };
  readonly #totals = { connections: 0, lines: 0, bytes_in: 0, bytes_out: 0, cut: 0 };
  /** What the accept loops wait for when there is no place, all for the same. */
  #placeFree: PromiseWithResolvers<void> | undefined;
  #draining = false;
  #cutInDrain = 0;

  constructor(options: ServerOptions & { maxConns: number }, log: Log) {
    this.#shared = {
      options,
      prefix: new Prefix(options.stamp, options.tag),
      outs: [],
      scratch: new Uint8Array(OUT_SIZE),
      tooLong: errorReply(`line longer than ${options.maxLine} bytes`),
      idle: errorReply(`idle for ${formatMillis(options.idleTimeout)}`),
    };
    this.#maxConns = options.maxConns;
    this.#log = log;
  }

  async run(listeners: Deno.TcpListener[], stop: AbortSignal): Promise<boolean> {
    const { idleTimeout, drainTimeout } = this.#shared.options;
    const started = performance.now();
    const tick = Math.min(Math.max(idleTimeout / 10, FASTEST_TICK_MS), SLOWEST_TICK_MS);
    const ticker = setInterval(() => this.#tick(), idleTimeout > 0 ? tick : SLOWEST_TICK_MS);
    const accepting = listeners.map((listener) =>
      acceptLoop(listener, {
        permit: () => this.#permit(),
        accepted: (conn) => this.#accepted(conn),
        failed: (error) =>
          this.#log.warn("accept", { reason: reasonOf(error), connections: this.#serving.size }),
      })
    );
    await aborted(stop);
    this.#log.info("drain", { connections: this.#serving.size });
    this.#draining = true;
    for (const listener of listeners) listener.close();
    this.#freePlace();
    const all = () => [...this.#serving, ...this.#refusing];
    const deadline = drainTimeout > 0 &&
      setTimeout(() => all().forEach((it) => it.cut("drain timeout")), drainTimeout);
    await Promise.all(accepting);
    const left = all();
    for (const connection of left) connection.drain();
    const grace = setTimeout(() => left.forEach((connection) => connection.leaveIfWaiting()), DRAIN_GRACE_MS);
    await Promise.all(left.map(({ done }) => done));
    clearTimeout(grace);
    if (deadline !== false) clearTimeout(deadline);
    clearInterval(ticker);
    this.#logRefusals();
    this.#log.info("end", {
      ...this.#totals,
      refused: this.#refusals.total,
      duration_s: secondsSince(started),
    });
    return this.#cutInDrain === 0;
  }

  #permit(): Promise<void> | undefined {
    if (this.#serving.size < this.#maxConns || this.#refusing.size < MOST_REFUSING || this.#draining) {
      return undefined;
    }
    this.#placeFree ??= Promise.withResolvers();
    return this.#placeFree.promise;
  }

  #freePlace(): void {
    this.#placeFree?.resolve();
    this.#placeFree = undefined;
  }

  #accepted(conn: Deno.TcpConn): void {
    if (this.#serving.size < this.#maxConns) this.#serve(conn);
    else this.#refuse(conn);
  }

  #serve(conn: Deno.TcpConn): void {
    const connection = new Connection(conn, this.#shared);
    const id = ++this.#totals.connections;
    this.#serving.add(connection);
    this.#log.info("open", { conn: id, peer: connection.peer });
    connection.done = Promise.race([connection.serve(), connection.cutOff]).then(() => {
      this.#serving.delete(connection);
      this.#freePlace();
      const { lines, bytesIn, bytesOut, reason } = connection;
      this.#totals.lines += lines;
      this.#totals.bytes_in += bytesIn;
      this.#totals.bytes_out += bytesOut;
      const facts = {
        conn: id,
        peer: connection.peer,
        lines,
        bytes_in: bytesIn,
        bytes_out: bytesOut,
        duration_s: secondsSince(connection.opened),
        reason,
      };
      if (connection.wasCut) {
        this.#totals.cut++;
        if (this.#draining) this.#cutInDrain++;
        this.#log.warn("cut", facts);
      } else {
        this.#log.info("close", facts);
      }
    });
  }

  #refuse(conn: Deno.TcpConn): void {
    const connection = new Connection(conn, this.#shared);
    this.#refusals.total++;
    this.#refusals.unlogged++;
    this.#refusals.peer = connection.peer;
    if (performance.now() - this.#refusals.logged >= SLOWEST_TICK_MS) this.#logRefusals();
    this.#refusing.add(connection);
    connection.done = connection.refuse(errorReply(`too many connections (${this.#maxConns})`)).then(() => {
      this.#refusing.delete(connection);
      this.#freePlace();
    });
  }

  #logRefusals(): void {
    const { unlogged, total, peer } = this.#refusals;
    if (unlogged === 0) return;
    this.#log.warn("refuse", { reason: "too many connections", count: unlogged, total, last_peer: peer });
    this.#refusals.unlogged = 0;
    this.#refusals.logged = performance.now();
  }

  #tick(): void {
    const now = performance.now();
    for (const connection of this.#serving) connection.tick(now);
    for (const connection of this.#refusing) connection.tick(now);
    if (now - this.#refusals.logged >= SLOWEST_TICK_MS) this.#logRefusals();
  }
}

/** What the connections of one server have in common. */
interface Shared {
  options: ServerOptions;
  prefix: Prefix;
  /** Buffers for replies that no connection is using. */
  outs: Uint8Array<ArrayBuffer>[];
  /** Where bytes go that nobody looks at. */
  scratch: Uint8Array<ArrayBuffer>;
  tooLong: Uint8Array;
  idle: Uint8Array;
}

class Connection {
  readonly opened = performance.now();
  bytesIn = 0;
  bytesOut = 0;
  /** Why it ends or has ended; undefined while it goes on. */
  reason: string | undefined;
  /** Whether it was closed in the middle of a reply. */
  wasCut = false;
  /** Resolves when it has ended; it never rejects. */
  done: Promise<void> = Promise.resolve();

  readonly #conn: Deno.TcpConn;
  readonly #shared: Shared;
  readonly #cutOff = Promise.withResolvers<void>();
  readonly #answers: Answers;
  /** Wall clock of the latest read, in microseconds. */
  #readAt = 0;
  #writing = false;
  /** Whether the good-bye (FIN) is on its way: from then on what the peer sends is read and dropped. */
  #left = false;
  /** When the peer's silence ends it, and when it ends whatever the peer does: on performance.now()'s clock. */
  #expires = Infinity;
  #lingersUntil = Infinity;

  constructor(conn: Deno.TcpConn, shared: Shared) {
    this.#conn = conn;
    this.#shared = shared;
    this.#answers = new Answers(shared.options.framing, shared.options.maxLine);
    this.#touch();
  }

  /**
   * Resolves when it was closed in the middle of a reply. A Deno before 2.9.5 lets the write that blocks wait for the
   * peer even then, so that {@linkcode serve} alone could keep the server from ending.
   */
  get cutOff(): Promise<void> {
    return this.#cutOff.promise;
  }

  get peer(): string {
    return formatAddress(this.#conn.remoteAddr);
  }

  get lines(): number {
    return this.#answers.lines;
  }

  /** Answers the peer's lines until one side ends. */
  async serve(): Promise<void> {
    try {
      // A reply is a message: Nagle's wait for an acknowledgement (RFC 896) would show as round-trip time.
      this.#conn.setNoDelay(true);
      for (;;) {
        const n = await this.#conn.read(this.#left ? this.#shared.scratch : this.#answers.space());
        if (n === null) break;
        this.#touch();
        if (this.#left) continue;
        this.#readAt = wallMicros();
        this.bytesIn += n;
        this.#answers.arrived(n);
        await this.#answer();
        if (this.#answers.overlong) await this.#leave("line too long", this.#shared.tooLong);
        else if (this.reason !== undefined) await this.#leave(this.reason);
      }
      if (!this.#left) {
        this.reason ??= "closed by peer";
        this.#answers.ended();
        await this.#answer();
      }
    } catch (error) {
      this.reason ??= isPeerGone(error) ? "reset by peer" : reasonOf(error);
    }
    closeQuietly(this.#conn);
  }

  /** Says why there is no service here, and waits, shortly, for the peer to have read it. */
  async refuse(farewell: Uint8Array): Promise<void> {
    try {
      await this.#leave("refused", farewell);
      this.#lingersUntil = performance.now() + LINGER_QUIET_MS;
      while (await this.#conn.read(this.#shared.scratch) !== null);
    } catch {
      // Refused is refused, however the peer takes it.
    }
    closeQuietly(this.#conn);
  }

  /** To be called now and then: ends the connection when its time has come. */
  tick(now: number): void {
    if (now < this.#expires && now < this.#lingersUntil) return;
    if (this.#left) closeQuietly(this.#conn);
    else if (this.#writing) this.cut("idle: the peer does not read");
    else void this.#leave("idle", this.#shared.idle).catch(() => closeQuietly(this.#conn));
  }

  /** Ends the connection after the lines that have been read. */
  drain(): void {
    this.reason ??= "drain";
  }

  /** Says good-bye now, unless a reply is being written, after which {@linkcode serve} does. */
  leaveIfWaiting(): void {
    if (!this.#writing && !this.#left) void this.#leave("drain").catch(() => closeQuietly(this.#conn));
  }

  /** Ends the connection at once, even in the middle of a reply. */
  cut(reason: string): void {
    if (this.#writing) {
      this.wasCut = true;
      this.reason = reason;
      this.#cutOff.resolve();
    }
    closeQuietly(this.#conn);
  }

  async #answer(): Promise<void> {
    const { outs, prefix } = this.#shared;
    const out = outs.pop() ?? new Uint8Array(OUT_SIZE);
    this.#writing = true;
    try {
      for (;;) {
        const n = this.#answers.take(out, prefix.at(this.#readAt));
        if (n === 0) break;
        await this.#write(out.subarray(0, n));
      }
    } finally {
      this.#writing = false;
      if (outs.length < MOST_SPARE_OUTS) outs.push(out);
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length;) {
      const n = await this.#conn.write(written === 0 ? bytes : bytes.subarray(written));
      this.#touch();
      this.bytesOut += n;
      written += n;
    }
  }

  /** Half-closes, after a last line to the peer if there is one, and lingers from then on. */
  async #leave(reason: string, farewell?: Uint8Array): Promise<void> {
    this.#left = true;
    this.reason ??= reason;
    this.#lingersUntil = performance.now() + LINGER_MS;
    this.#touch();
    if (farewell !== undefined) await this.#write(farewell);
    await this.#conn.closeWrite();
  }

  #touch(): void {
    const patience = this.#left ? LINGER_QUIET_MS : this.#shared.options.idleTimeout;
    this.#expires = patience > 0 ? performance.now() + patience : Infinity;
  }
}

/** Seconds since a moment on performance.now()'s clock, to the millisecond. */
function secondsSince(moment: number): number {
  return Math.round(performance.now() - moment) / 1000;
}
