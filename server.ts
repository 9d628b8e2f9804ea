/**
 * A server that echoes each line with a timestamp from its own clock in front.
 *
 * ```ts
 * import { ping } from "./ping.ts";
 * import { serve } from "./server.ts";
 *
 * const server = await serve({ listen: ["tcp://127.0.0.1:0"], tag: "web-1" });
 * for await (const event of ping(server.endpoints[0]!, { count: 3, interval: 10 })) {
 *   console.log(event.seq, event.fate); // 1 received ...
 * }
 * console.log(server.counters.snapshot().lines); // 3
 * console.log(await server.stop()); // drained
 * ```
 *
 * It prints nothing and never ends the process. Datagrams (`udp://`) and `reusePort` need `--unstable-net`.
 *
 * How it works: server/listening.ts opens the sockets, net/accept.ts accepts connections, net/admission.ts decides who
 * is served, server/connection.ts answers the lines, server/counters.ts counts them, and server/drain.ts ends it all in
 * order. Here they meet.
 */
import { reasonOf } from "./failure.ts";
import { acceptLoop } from "./net/accept.ts";
import { Admission } from "./net/admission.ts";
import { CidrSet } from "./net/cidr.ts";
import type { Address, Endpoint, HostEndpoint, PathEndpoint } from "./net/endpoint.ts";
import { growDescriptorTable } from "./net/limits.ts";
import type { DropCode, RejectionCode } from "./net/rejection.ts";
import { aborted } from "./net/stream.ts";
import type { BoundListener } from "./net/transport.ts";
import { type Framing, FRAMINGS, STAMP_FORMATS, type StampFormat } from "./protocol.ts";
import { capacityFor, MAX_CONNS } from "./server/capacity.ts";
import { Connections, type Surroundings } from "./server/connections.ts";
import { Counters, type LiveCounters, mergeFigures, type ServerFigures } from "./server/counters.ts";
import { Datagrams } from "./server/datagrams.ts";
import { acceptAllWaiting, admitAllAccepted, type Arrivals, endConnections } from "./server/drain.ts";
import type { ServerEvent } from "./server/events.ts";
import { IdleClock, tickPeriod } from "./server/idle_clock.ts";
import { closeSockets, listen, type Sockets, TlsReloader } from "./server/listening.ts";
import { endpointsOf, type ServerOptions, settingsOf } from "./server/options.ts";
import { isTag, SERVER_DEFAULTS, type ServerSettings, type TlsFiles } from "./server/settings.ts";
import { type Clock, systemClock } from "./time/timers.ts";

export { Failure } from "./failure.ts";
export { TlsFileFailure, type TlsFileRole } from "./net/certificates.ts";
export { CidrSet, FRAMINGS, isTag, MAX_CONNS, mergeFigures, SERVER_DEFAULTS, STAMP_FORMATS };
export type { Address, Clock, DropCode, Endpoint, Framing, HostEndpoint, PathEndpoint, RejectionCode };
export type {
  LiveCounters,
  ServerEvent,
  ServerFigures,
  ServerOptions,
  ServerSettings,
  StampFormat,
  TlsFiles,
};
export type * from "./server/events.ts";

/** What a server does: it serves; it still serves, for the drain delay; it ends its connections; it has ended. */
export type ServerPhase = "ready" | "delaying" | "draining" | "ended";

/** How a server ended: in order, or with connections cut off from replies by the drain timeout. */
export type ServerOutcome = "drained" | "cut";

/**
 * Listens on every endpoint, and answers until the server is stopped.
 *
 * @param clock for time-outs and pauses; stamps are the system's time whatever it says.
 * @throws {Failure} when an endpoint cannot be listened on, a certificate or key not be used, or the signal is aborted
 * before that is done; then nothing stays open. {@linkcode RangeError} when an option is out of range.
 */
export async function serve(options: ServerOptions = {}, clock: Clock = systemClock): Promise<Server> {
  const settings = settingsOf(options);
  const report = options.onEvent ?? (() => {});
  const endpoints = endpointsOf({ ...options, ...settings });
  const capacity = await capacityFor(settings);
  // A number that was asked for is expected to be needed. For the default, a tenth of a second at each start is too much.
  if (settings.maxConns !== undefined) await growDescriptorTable(capacity.conns);
  if (capacity.warning !== undefined) report({ type: "capacity", reason: capacity.warning });
  const sockets = await listen(endpoints, settings, report, options.signal);
  const idleClock = new IdleClock(clock, tickPeriod(settings.idleTimeout, settings.lineTimeout));
  const server = new Server(
    { settings, capacity, counters: new Counters(), report, clock, idleClock },
    sockets,
  );
  if (options.signal !== undefined) server.stopOn(options.signal);
  return server;
}

/** A server that listens. {@linkcode serve} makes one. */
export class Server implements AsyncDisposable {
  /** Where it listens, with the real ports. */
  readonly endpoints: readonly Endpoint[];
  /** What it has done so far, at any moment. */
  readonly counters: LiveCounters;
  /** Resolves when the server has ended. */
  readonly finished: Promise<ServerOutcome>;
  readonly #own: Surroundings;
  readonly #sockets: Sockets;
  readonly #admission: Admission;
  readonly #connections: Connections;
  readonly #datagrams: Datagrams;
  readonly #tls: TlsReloader;
  readonly #stopping = new AbortController();
  readonly #draining = new AbortController();
  #phase: ServerPhase = "ready";
  /** Connections accepted so far, served or not. */
  #accepted = 0;

  /** @ignore Only {@linkcode serve} makes servers. */
  constructor(own: Surroundings, sockets: Sockets) {
    const { settings, capacity, counters, report, clock } = own;
    this.endpoints = sockets.endpoints;
    this.counters = counters;
    this.#own = own;
    this.#sockets = sockets;
    this.#admission = new Admission({ ...settings, maxPending: capacity.pending }, clock);
    this.#connections = new Connections(own);
    this.#datagrams = new Datagrams(settings, sockets.datagrams, counters, report, clock);
    this.#tls = new TlsReloader(settings.tls, sockets.streams, report);
    // Without a handshake or a PROXY header a connection is admitted at once: none is ever pending.
    const mayPend = settings.tls !== undefined || settings.proxyFrom !== undefined;
    const maxPending = mayPend ? { maxPending: capacity.pending } : {};
    report({ type: "start", settings, maxConns: capacity.conns, ...maxPending });
    this.finished = this.#run();
  }

  /** What it does now. */
  get phase(): ServerPhase {
    return this.#phase;
  }

  /** Stops the server in order when the signal is aborted. */
  stopOn(signal: AbortSignal): void {
    if (signal.aborted) this.#stopping.abort();
    const stop = () => this.#stopping.abort();
    signal.addEventListener("abort", stop, { once: true, signal: this.#stopping.signal });
  }

  /** Stops the server in order, after the drain delay: what it has read is answered, and each peer sees the end. */
  stop(): Promise<ServerOutcome> {
    this.#stopping.abort();
    return this.finished;
  }

  /** Stops the server in order, without a delay or what is left of it. */
  drain(): Promise<ServerOutcome> {
    this.#draining.abort();
    return this.stop();
  }

  /**
   * Reads the files for TLS again, for new connections. If they cannot be used, an event says why. A call gives up
   * the one before that still reads.
   */
  reload(): Promise<void> {
    return this.#tls.reload();
  }

  /** Stops the server, and waits until it has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(): Promise<ServerOutcome> {
    const { settings, counters, report, clock, idleClock } = this.#own;
    const { streams, datagrams } = this.#sockets;
    const startedAt = clock.now();
    const ended = new AbortController();
    const ticking = idleClock.run((now) => this.#tick(now), ended.signal);
    const accepting = streams.map((bound) => this.#accept(bound));
    const answering = datagrams.map((socket) => this.#datagrams.answer(socket));

    await aborted(this.#stopping.signal);
    await this.#delay();
    this.#phase = "draining";
    report({ type: "drain", open: this.#connections.open });
    // Closing the listener resets connections that the system has taken but nobody has accepted: accept those first.
    const arrivals = () => this.#arrivals();
    await acceptAllWaiting(arrivals, clock);
    closeSockets(this.#sockets);
    await admitAllAccepted(arrivals, clock);
    this.#admission.close();
    await Promise.all([...accepting, ...answering]);
    const { cut } = counters.snapshot(); // so far: how it ended depends on those that the drain cuts
    await endConnections(this.#connections, settings.drainTimeout, clock, idleClock);
    await Promise.all(streams.map(({ security }) => security?.close()));

    this.#phase = "ended";
    ended.abort();
    await ticking;
    this.#connections.flush();
    this.#datagrams.flush();
    const figures = counters.snapshot();
    report({ type: "end", figures, datagrams: datagrams.length > 0, duration: clock.now() - startedAt });
    return figures.cut > cut ? "cut" : "drained";
  }

  /** Goes on serving for the drain delay, unless told to drain. */
  async #delay(): Promise<void> {
    const { settings: { drainDelay: delay }, report, clock } = this.#own;
    if (delay === 0 || this.#draining.signal.aborted) return;
    this.#phase = "delaying";
    report({ type: "delay", open: this.#connections.open, delay });
    await clock.sleep(delay, this.#draining.signal);
  }

  /** Accepts connections until the listener is closed, and serves those that are admitted. */
  #accept({ listener, security }: BoundListener): Promise<void> {
    const { report, clock } = this.#own;
    const connections = this.#connections;
    const onAdmitted = connections.admit.bind(connections);
    const onRejected = connections.reject.bind(connections);
    return acceptLoop(listener, {
      onAccepted: (accepted) => {
        this.#accepted++;
        this.#admission.admit(accepted, security, onAdmitted, onRejected);
      },
      onFailed: (error) => report({ type: "accept", reason: reasonOf(error), open: connections.open }),
    }, clock);
  }

  #arrivals(): Arrivals {
    const { pending, handshakes } = this.#admission;
    return { accepted: this.#accepted, reads: this.#connections.reads, pending, handshakes };
  }

  #tick(now: number): void {
    this.#connections.tick(now);
    this.#datagrams.tick();
  }
}
