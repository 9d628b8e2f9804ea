import type { Log, LogFields } from "./cli/log.ts";
import { Failure, reasonOf, reasonOfFile } from "./failure.ts";
import { acceptLoop } from "./net/accept.ts";
import type { CidrSet } from "./net/cidr.ts";
import { type Endpoint, formatAddress, formatEndpoint, type HostEndpoint } from "./net/endpoint.ts";
import { isClosedHere, reasonOfEnd } from "./net/errors.ts";
import { formatPeer, Gate, type Guest, type NotLetIn } from "./net/gate.ts";
import { DatagramGuard } from "./net/guard.ts";
import { descriptorLimit, growDescriptorTable } from "./net/limits.ts";
import { aborted, closeQuietly, type Stream, writeAll } from "./net/stream.ts";
import { faultsOf, readClientCa, readIdentity } from "./net/certificates.ts";
import type { BoundListener, DatagramSocket, ServerTlsOptions } from "./net/transport.ts";
import { type ListenOptions, transportOf } from "./net/transports.ts";
import { DATAGRAM_BUFFER } from "./net/udp.ts";
import {
  acquireSlot,
  errorReply,
  type Framing,
  MAX_PREFIX_LENGTH,
  Prefix,
  prefixLength,
  Responder,
  SMALL_SLOT,
  type StampFormat,
} from "./protocol.ts";
import { wallMicros } from "./time/clock.ts";
import { formatMillis } from "./time/duration.ts";

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
  /** Whether other processes may listen on the same ports and take their share of connections. */
  reusePort: boolean;
  /** A connection that neither sends nor takes a byte for so long is closed. */
  idleTimeout: number;
  /** How long connections may take to end after the signal to stop. */
  drainTimeout: number;
  /** Files (PEM) for TLS: the certificate, with its chain, its key, and the CAs of clients' certificates. */
  tls?: TlsFiles;
  /** How long a TLS handshake may take. */
  handshakeTimeout: number;
  /** The permissions of Unix sockets' files. */
  unixMode: number;
  /** The most answers a second to datagrams from one source; 0 for any number. */
  udpRate: number;
  /** Streams begin with a PROXY protocol header, and come from these addresses alone. */
  proxyFrom?: CidrSet;
  /** The clients let in; undefined for all. */
  allow?: CidrSet;
  /** The clients kept out, those of `allow` among them. */
  deny?: CidrSet;
  /** The most connections at once from one address. */
  maxConnsPerIp?: number;
}

/** What a server does where nothing else is asked for. */
export const SERVER_DEFAULTS = {
  framing: "line",
  stamp: "iso",
  maxLine: 64 * 1024,
  reusePort: false,
  idleTimeout: 600_000,
  drainTimeout: 10_000,
  handshakeTimeout: 10_000,
  unixMode: 0o600,
  udpRate: 1000,
} as const satisfies Partial<ServerOptions>;
/** Where a server's identity is read from, at the start and at each SIGHUP. */
export interface TlsFiles {
  cert: string;
  key: string;
  /** Undefined where clients need no certificate. */
  clientCa?: string;
}

/** The most connections at once where neither the user nor the descriptor limit says less. */
export const MOST_CONNS = 10_000;
/** Descriptors kept for all that is not a connection: listeners, stdio, the runtime's own, refusals. */
const SPARE_DESCRIPTORS = 64;
/** Assumed where the descriptor limit cannot be told: the usual soft limit on Unix. */
const USUAL_DESCRIPTORS = 1024;

/** Connections that may be in the middle of a PROXY header or a TLS handshake at once, if descriptors allow it. */
const MOST_PENDING = 256;
/** The part of all descriptors that they may take. */
const PENDING_SHARE = 16;

/** Refused connections that may be taking their leave at once; further ones wait to be accepted. */
const MOST_REFUSING = 32;
/** A peer that has been told good-bye and keeps sending is listened to for so long in all ... */
const LINGER_MS = 30_000;
/** ... and for so long after its last byte, that no reset destroys the replies under way to it. */
const LINGER_QUIET_MS = 2_000;
/** A drain accepts who waits for it until none has come for so long, some turns of the event loop ... */
const ACCEPT_QUIET_MS = 5;
/** A drain waits for lines under way until none has come for so long ... */
const LINES_QUIET_MS = 50;
/** ... but for either no longer than this. */
const DRAIN_GRACE_MS = 1_000;
/** The clock by which idle and lingering connections are closed ticks once a second, or faster for short timeouts. */
const SLOWEST_TICK_MS = 1_000;
const FASTEST_TICK_MS = 10;

const SCRATCH_SIZE = 64 * 1024;

/** How many connections there may be at once, and how many on their way in. */
async function capacity(
  { maxConns, tls, proxyFrom }: ServerOptions,
): Promise<{ conns: number; pending: number }> {
  const limit = await descriptorLimit() ?? USUAL_DESCRIPTORS;
  const pending = Math.max(1, Math.min(MOST_PENDING, Math.floor(limit / PENDING_SHARE)));
  const spare = SPARE_DESCRIPTORS + (tls === undefined && proxyFrom === undefined ? 0 : pending);
  const conns = maxConns ?? Math.max(1, Math.min(MOST_CONNS, limit - spare));
  return { conns, pending };
}

/**
 * Listens on every endpoint and answers until the signal to stop; then it drains: no new connections, the lines that
 * have been read are answered, each peer sees an orderly end.
 *
 * @param announce is given each endpoint listened on, with its real port, once it accepts connections.
 * @param onHangup is given what to do when the user wants certificates read again (SIGHUP).
 * @returns whether every connection could end in order; false if the drain timeout cut some off from their replies.
 * @throws {Failure} when an endpoint cannot be listened on, or a certificate or key not be used.
 */
export async function runServer(
  options: ServerOptions,
  announce: (endpoint: string) => void,
  log: Log,
  stop: AbortSignal,
  onHangup: (reload: () => void) => void,
): Promise<boolean> {
  const { conns: maxConns, pending } = await capacity(options);
  // Who names a number expects it to be needed; the default is not worth a tenth of a second at each start.
  if (options.maxConns !== undefined) await growDescriptorTable(maxConns);
  const { tls: files, ...listening } = options;
  const tls = files && await readTls(files, log, stop);
  const sockets = await listenAll(
    options.endpoints,
    { ...listening, ...(tls && { tls }), signal: stop },
    log,
  );
  onHangup(() => void reloadTls(files, sockets.streams, log));
  const server = new Server({ ...options, maxConns }, pending, sockets, log);
  log.info("start", {
    pid: Deno.pid,
    framing: options.framing,
    stamp: options.stamp,
    tag: options.tag,
    max_line: options.maxLine,
    max_conns: maxConns,
    max_pending: options.tls === undefined && options.proxyFrom === undefined ? undefined : pending,
    max_conns_per_ip: options.maxConnsPerIp,
    idle_timeout: formatMillis(options.idleTimeout),
    drain_timeout: formatMillis(options.drainTimeout),
    proxy_from: options.proxyFrom?.text,
    allow: options.allow?.text,
    deny: options.deny?.text,
  });
  for (const endpoint of sockets.endpoints) announce(formatEndpoint(endpoint));
  return await server.run(stop);
}

/** Reads the files for TLS, and logs what clients will not like. @throws {Failure} */
async function readTls(
  { cert, key, clientCa }: TlsFiles,
  log: Log,
  stop?: AbortSignal,
): Promise<ServerTlsOptions> {
  const { identity, leaf } = await readIdentity(cert, key, stop);
  const ca = clientCa === undefined ? {} : { clientCa: await readClientCa(clientCa, stop) };
  for (const reason of faultsOf(leaf)) log.warn("certificate", { file: cert, reason });
  return { identity, ...ca };
}

/** Has new handshakes use what the files for TLS hold now, unless it cannot be used. */
async function reloadTls(files: TlsFiles | undefined, bound: BoundListener[], log: Log): Promise<void> {
  if (files === undefined) return log.info("reload", { reason: "there is no tls:// endpoint" });
  try {
    const options = await readTls(files, log);
    for (const { security } of bound) security?.renew(options);
    log.info("reload", { file: files.cert });
  } catch (error) {
    // The reason names the file, and the old certificate stays.
    log.warn("reload", { reason: error instanceof Failure ? error.message : reasonOf(error) });
  }
}

/** What a server listens on. */
interface Sockets {
  endpoints: Endpoint[];
  streams: BoundListener[];
  datagrams: DatagramSocket[];
}

async function listenAll(endpoints: Endpoint[], options: ListenOptions, log: Log): Promise<Sockets> {
  const sockets: Sockets = { endpoints: [], streams: [], datagrams: [] };
  for (const endpoint of endpoints) {
    const transport = transportOf(endpoint);
    try {
      let bound;
      if (transport.kind === "stream") {
        bound = await transport.listen(endpoint, options);
        sockets.streams.push(...bound);
      } else {
        bound = await transport.listen(endpoint, options);
        sockets.datagrams.push(...bound);
      }
      for (const { endpoint, warning } of bound) {
        sockets.endpoints.push(endpoint);
        if (warning !== undefined) log.warn("listen", { reason: warning });
      }
    } catch (error) {
      for (const { listener } of sockets.streams) listener.close(); // removes the files of Unix sockets
      const reason = "path" in endpoint ? reasonOfFile(error) : reasonOf(error);
      throw new Failure("listen on", formatEndpoint(endpoint), reason, { cause: error });
    }
  }
  return sockets;
}

/** Counts what was not served by reason, and logs it: each reason at most once a second. */
class Tally {
  readonly #log: Log;
  readonly #event: string;
  readonly #reasons = new Map<string, { total: number; unlogged: number; logged: number; last: LogFields }>();

  constructor(log: Log, event: string) {
    this.#log = log;
    this.#event = event;
  }

  get total(): number {
    return this.#reasons.values().reduce((sum, { total }) => sum + total, 0);
  }

  /** @param reason one of a limited number of texts. */
  count(reason: string, last: LogFields): void {
    let entry = this.#reasons.get(reason);
    if (entry === undefined) {
      this.#reasons.set(reason, entry = { total: 0, unlogged: 0, logged: -Infinity, last });
    }
    entry.total++;
    entry.unlogged++;
    entry.last = last;
    if (performance.now() - entry.logged >= SLOWEST_TICK_MS) this.write(performance.now() - SLOWEST_TICK_MS);
  }

  /** Logs what has been counted for reasons that were not logged after a moment on performance.now()'s clock. */
  write(before = Infinity): void {
    for (const [reason, entry] of this.#reasons) {
      if (entry.unlogged === 0 || entry.logged > before) continue;
      this.#log.warn(this.#event, { reason, count: entry.unlogged, total: entry.total, ...entry.last });
      entry.unlogged = 0;
      entry.logged = performance.now();
    }
  }
}

/** Waits until a count has not changed for so long, or until the grace is over. */
async function quiet(millis: number, count: () => number): Promise<void> {
  const deadline = performance.now() + DRAIN_GRACE_MS;
  let before;
  do {
    before = count();
    await new Promise((resolve) => setTimeout(resolve, millis));
  } while (count() !== before && performance.now() < deadline);
}

class Server {
  readonly #shared: Shared;
  readonly #maxConns: number;
  readonly #tickMs: number;
  #ticked = performance.now();
  /** The clock of timeouts, in milliseconds; it stands still while the process does. */
  #clock = 0;
  readonly #log: Log;
  readonly #serving = new Set<Connection>();
  readonly #refusing = new Set<Connection>();
  readonly #sockets: Sockets;
  readonly #gate: Gate;
  readonly #guard: DatagramGuard;
  readonly #refusals: Tally;
  readonly #drops: Tally;
  readonly #totals = { connections: 0, lines: 0, bytes_in: 0, bytes_out: 0, cut: 0 };
  #datagrams = 0;
  /** What the accept loops wait for when there is no place, all for the same. */
  #placeFree: PromiseWithResolvers<void> | undefined;
  #draining = false;
  #cutInDrain = 0;
  #allEnded: PromiseWithResolvers<void> | undefined;
  /** Connections accepted so far, served or not. */
  #accepts = 0;

  constructor(options: ServerOptions & { maxConns: number }, maxPending: number, sockets: Sockets, log: Log) {
    this.#shared = {
      options,
      prefix: new Prefix(options.stamp, options.tag, acquireSlot(SMALL_SLOT)),
      nextTick: 0,
      scratch: new Uint8Array(SCRATCH_SIZE),
      tooLong: errorReply(`line longer than ${options.maxLine} bytes`),
      idle: errorReply(`idle for ${formatMillis(options.idleTimeout)}`),
      ended: (connection) => this.#ended(connection),
    };
    const tick = Math.min(Math.max(options.idleTimeout / 10, FASTEST_TICK_MS), SLOWEST_TICK_MS);
    this.#tickMs = options.idleTimeout > 0 ? tick : SLOWEST_TICK_MS;
    this.#maxConns = options.maxConns;
    this.#sockets = sockets;
    this.#gate = new Gate({ ...options, maxPending });
    const ownPorts = new Set(sockets.datagrams.map(({ endpoint }) => (endpoint as HostEndpoint).port));
    this.#guard = new DatagramGuard({ ...options, rate: options.udpRate, ownPorts });
    this.#refusals = new Tally(log, "refuse");
    this.#drops = new Tally(log, "drop");
    this.#log = log;
  }

  async run(stop: AbortSignal): Promise<boolean> {
    const { streams, datagrams } = this.#sockets;
    const { drainTimeout } = this.#shared.options;
    const started = performance.now();
    this.#tick();
    const ticker = setInterval(() => this.#tick(), this.#tickMs);
    const welcome = (guest: Guest) => this.#welcome(guest);
    const refuse = (refusal: NotLetIn) => this.#turnAway(refusal);
    const accepting = streams.map(({ listener, security }) =>
      acceptLoop(listener, {
        permit: () => this.#permit(),
        accepted: (accepted) => {
          this.#accepts++;
          this.#gate.admit(accepted, security, welcome, refuse);
        },
        failed: (error) =>
          this.#log.warn("accept", { reason: reasonOf(error), connections: this.#serving.size }),
      })
    );
    const answering = datagrams.map((socket) => this.#answerDatagrams(socket));
    await aborted(stop);
    this.#log.info("drain", { connections: this.#serving.size });
    this.#draining = true;
    this.#freePlace();
    // Who has connected before the signal: closing the listener would reset them.
    await quiet(ACCEPT_QUIET_MS, () => this.#accepts + this.#totals.connections);
    for (const { listener } of streams) listener.close();
    for (const socket of datagrams) socket.close();
    this.#gate.close();
    const all = () => [...this.#serving, ...this.#refusing];
    const cut = () => {
      for (const connection of all()) connection.cut("drain timeout");
    };
    const deadline = drainTimeout > 0 && setTimeout(cut, drainTimeout);
    await Promise.all([...accepting, ...answering]);
    const left = all();
    this.#allEnded = Promise.withResolvers();
    if (left.length === 0) this.#allEnded.resolve();
    for (const connection of left) connection.drain();
    await Promise.race([
      this.#allEnded.promise,
      quiet(LINES_QUIET_MS, () => left.reduce((sum, { bytesIn }) => sum + bytesIn, 0)),
    ]);
    for (const connection of left) connection.leaveIfWaiting();
    await this.#allEnded.promise;
    await Promise.all(streams.map(({ security }) => security?.close()));
    if (deadline !== false) clearTimeout(deadline);
    clearInterval(ticker);
    this.#refusals.write();
    this.#drops.write();
    this.#log.info("end", {
      ...this.#totals,
      refused: this.#refusals.total,
      ...(datagrams.length > 0 && { datagrams: this.#datagrams, dropped: this.#drops.total }),
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

  #welcome(guest: Guest): void {
    if (this.#serving.size < this.#maxConns) this.#serve(guest);
    else this.#refuse(guest, `too many connections (${this.#maxConns})`);
  }

  #turnAway({ reason, peer, detail, stream }: NotLetIn): void {
    if (stream !== undefined) this.#refuse({ stream, peer, leave: () => {} }, reason, detail);
    else this.#refusals.count(reason, { last_peer: formatPeer(peer), last_error: detail });
  }

  #serve(guest: Guest): void {
    const connection = new Connection(guest, this.#shared, ++this.#totals.connections);
    this.#serving.add(connection);
    if (this.#log.verbose) {
      const { id, peer } = connection;
      this.#log.info("open", { conn: id, peer, ...(guest.via && { via: guest.via }) });
    }
    void connection.serve();
  }

  /** Tells a client why there is no place for it, unless too many are just being told. */
  #refuse(guest: Guest, why: string, detail?: string): void {
    this.#refusals.count(why.replace(/ \(.*/, ""), {
      last_peer: formatPeer(guest.peer),
      last_error: detail,
    });
    if (this.#refusing.size >= MOST_REFUSING) {
      closeQuietly(guest.stream);
      return guest.leave();
    }
    const connection = new Connection(guest, this.#shared, 0);
    this.#refusing.add(connection);
    void connection.refuse(errorReply(why));
  }

  /** Answers datagrams until the socket is closed: each with one, or with none and a reason in the log. */
  async #answerDatagrams(socket: DatagramSocket): Promise<void> {
    const buffer = new Uint8Array(DATAGRAM_BUFFER);
    const out = new Uint8Array(MAX_PREFIX_LENGTH + DATAGRAM_BUFFER);
    for (;;) {
      try {
        const [bytes, from] = await socket.receive(buffer);
        const readAt = wallMicros();
        const refusal = prefixLength(bytes) > 0
          ? "it looks like a reply"
          : this.#guard.refusal(from, performance.now());
        if (refusal !== undefined) {
          this.#drops.count(refusal, { last_peer: formatAddress(from) });
          continue;
        }
        const prefix = this.#shared.prefix.at(readAt);
        out.set(prefix);
        out.set(bytes, prefix.length);
        try {
          await socket.send(out.subarray(0, prefix.length + bytes.length), from);
        } catch (error) {
          if (isClosedHere(error)) return;
          const last = { last_peer: formatAddress(from), last_error: reasonOf(error) };
          this.#drops.count("the answer cannot be sent", last);
          continue;
        }
        this.#datagrams++;
        this.#totals.bytes_in += bytes.length;
        this.#totals.bytes_out += prefix.length + bytes.length;
      } catch (error) {
        if (isClosedHere(error)) return;
        // Windows tells here that an earlier answer could not be delivered.
        this.#drops.count("a receive failed", { last_error: reasonOf(error) });
      }
    }
  }

  #ended(connection: Connection): void {
    if (!this.#refusing.delete(connection) && this.#serving.delete(connection)) this.#served(connection);
    connection.guest.leave();
    this.#freePlace();
    if (this.#serving.size + this.#refusing.size === 0) this.#allEnded?.resolve();
  }

  #served(connection: Connection): void {
    const { id, lines, bytesIn, bytesOut, reason, wasCut } = connection;
    this.#totals.lines += lines;
    this.#totals.bytes_in += bytesIn;
    this.#totals.bytes_out += bytesOut;
    if (wasCut) this.#totals.cut++;
    if (wasCut && this.#draining) this.#cutInDrain++;
    if (!wasCut && !this.#log.verbose) return;
    const duration_s = secondsSince(connection.opened);
    this.#log[wasCut ? "warn" : "info"](wasCut ? "cut" : "close", {
      conn: id,
      peer: connection.peer,
      lines,
      bytes_in: bytesIn,
      bytes_out: bytesOut,
      duration_s,
      reason,
    });
  }

  #tick(): void {
    const now = performance.now();
    const passed = now - this.#ticked;
    this.#ticked = now;
    // What a peer sends while this process stands still is not read: such time is nobody's silence.
    const late = passed > 2 * this.#tickMs;
    this.#clock += late ? 0 : passed;
    this.#shared.nextTick = this.#clock + this.#tickMs;
    if (!late) {
      for (const connection of this.#serving) connection.tick(this.#clock);
      for (const connection of this.#refusing) connection.tick(this.#clock);
    }
    this.#refusals.write(now - SLOWEST_TICK_MS);
    this.#drops.write(now - SLOWEST_TICK_MS);
  }
}

/** What the connections of one server have in common. */
interface Shared {
  options: ServerOptions;
  prefix: Prefix;
  /** What the clock of timeouts will say at its next tick: what happens until then counts as happening then. */
  nextTick: number;
  /** Where bytes go that nobody looks at. */
  scratch: Uint8Array<ArrayBuffer>;
  tooLong: Uint8Array;
  idle: Uint8Array;
  /** Takes note that a connection has ended. */
  ended: (connection: Connection) => void;
}

class Connection {
  readonly opened = performance.now();
  bytesIn = 0;
  bytesOut = 0;
  /** Why it ends or has ended; undefined while it goes on. */
  reason: string | undefined;
  /** Whether it was closed in the middle of a reply. */
  wasCut = false;

  readonly #conn: Stream;
  readonly #shared: Shared;
  #responder: Responder | undefined;
  #writing = false;
  /** Whether the good-bye (FIN) is on its way: from then on what the peer sends is read and dropped. */
  #left = false;
  /** When it was last heard or took a byte, and when it ends whatever the peer does, on the clock of timeouts. */
  #active: number;
  #lingersUntil = Infinity;

  /** @param id counts the connections served; 0 for one that is refused. */
  constructor(readonly guest: Guest, shared: Shared, readonly id: number) {
    this.#conn = guest.stream;
    this.#shared = shared;
    this.#active = shared.nextTick;
  }

  get peer(): string {
    return formatPeer(this.guest.peer);
  }

  get lines(): number {
    return this.#responder?.lines ?? 0;
  }

  /** Answers the peer's lines until one side ends. */
  async serve(): Promise<void> {
    const { options, prefix, scratch } = this.#shared;
    const conn = this.#conn;
    const responder = this.#responder = new Responder(options.framing, options.maxLine);
    try {
      let readAt = 0;
      for (;;) {
        const n = await conn.read(this.#left ? scratch : responder.readBuffer());
        if (this.#left) {
          if (n === null) break;
          this.#active = this.#shared.nextTick;
          continue;
        }
        if (n === null) {
          this.reason ??= "closed by peer";
          responder.end();
        } else {
          readAt = wallMicros();
          this.#active = this.#shared.nextTick;
          this.bytesIn += n;
          responder.commit(n);
        }
        // Other connections use the prefix while this one writes: it is made anew for each write.
        let replies = responder.next(prefix.at(readAt));
        while (replies !== undefined) {
          this.#writing = true;
          let written = await conn.write(replies);
          this.bytesOut += written;
          while (written < replies.length) {
            this.#active = this.#shared.nextTick;
            const more = await conn.write(replies.subarray(written));
            this.bytesOut += more;
            written += more;
          }
          this.#writing = false;
          replies = responder.next(prefix.at(readAt));
        }
        this.#active = this.#shared.nextTick;
        if (n === null) break;
        if (responder.overlong) await this.#leave("line too long", this.#shared.tooLong);
        else if (this.reason !== undefined) await this.#leave(this.reason);
      }
    } catch (error) {
      this.reason ??= reasonOfEnd(error);
    }
    this.#writing = false;
    responder.close();
    this.#end();
  }

  /** Says why there is no service here, and waits, shortly, for the peer to have read it. */
  async refuse(farewell: Uint8Array): Promise<void> {
    try {
      await this.#leave("refused", farewell);
      this.#lingersUntil = this.#shared.nextTick + LINGER_QUIET_MS;
      while (await this.#conn.read(this.#shared.scratch) !== null);
    } catch {
      // Refused is refused, however the peer takes it.
    }
    this.#end();
  }

  /** To be called now and then: ends the connection when its time has come. */
  tick(now: number): void {
    const patience = this.#left ? LINGER_QUIET_MS : this.#shared.options.idleTimeout || Infinity;
    if (now - this.#active < patience && now < this.#lingersUntil) return;
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
    closeQuietly(this.#conn);
    if (!this.#writing) return;
    this.wasCut = true;
    this.reason = reason;
    // A Deno before 2.9.5 lets the write that blocks wait for the peer even now: nothing else may wait for it.
    this.#shared.ended(this);
  }

  #end(): void {
    closeQuietly(this.#conn);
    if (!this.wasCut) this.#shared.ended(this);
  }

  /** Half-closes, after a last line to the peer if there is one, and lingers from then on. */
  async #leave(reason: string, farewell?: Uint8Array): Promise<void> {
    this.#left = true;
    this.reason ??= reason;
    this.#lingersUntil = this.#shared.nextTick + LINGER_MS;
    this.#active = this.#shared.nextTick;
    if (farewell !== undefined) {
      await writeAll(this.#conn, farewell);
      this.bytesOut += farewell.length;
    }
    await this.#conn.closeWrite();
  }
}

/** Seconds since a moment on performance.now()'s clock, to the millisecond. */
function secondsSince(moment: number): number {
  return Math.round(performance.now() - moment) / 1000;
}
