import type { AdmittedConnection } from "../net/admission.ts";
import { farewellText, Rejection } from "../net/rejection.ts";
import { closeQuietly } from "../net/stream.ts";
import { acquireSlot, errorReply, Prefix, SMALL_SLOT } from "../protocol.ts";
import { formatMillis } from "../time/duration.ts";
import type { Clock } from "../time/timers.ts";
import type { Capacity } from "./capacity.ts";
import { Connection, type Shared } from "./connection.ts";
import type { EndedState } from "./connection_state.ts";
import type { Counters } from "./counters.ts";
import type { Report } from "./events.ts";
import { hadTime, type IdleClock } from "./idle_clock.ts";
import type { ServerSettings } from "./settings.ts";
import { LineMemory } from "./line_memory.ts";
import { ReadTurns } from "./read_turns.ts";
import { RejectionLog } from "./rejection_log.ts";
import { SilentConnections } from "./silent_connections.ts";

/** A rejected connection may read its error line for this many milliseconds before it makes room for another. */
const MIN_LINGER_MS = 100;
/** A hint is given once in this many milliseconds. */
const HINT_PAUSE_MS = 60_000;
const SCRATCH_SIZE = 64 * 1024;

/** What connections need of the server around them. */
export interface Surroundings {
  settings: ServerSettings;
  capacity: Capacity;
  counters: Counters;
  report: Report;
  clock: Clock;
  idleClock: IdleClock;
}

/** All connections of a server: those that are served, and those that are being told why they are not. */
export class Connections {
  readonly #shared: Shared;
  readonly #memory: LineMemory;
  readonly #capacity: Capacity;
  readonly #counters: Counters;
  readonly #report: Report;
  readonly #clock: Clock;
  readonly #serving = new Set<Connection>();
  readonly #rejected = new Set<Connection>();
  readonly #rejections: RejectionLog<Rejection["code"]>;
  readonly #silent: SilentConnections;
  #readsBefore = 0;
  /** Connections that sent a byte. */
  #opened = 0;
  #hintedAt = -Infinity;
  #allEnded: PromiseWithResolvers<void> | undefined;

  constructor({ settings, capacity, counters, report, clock, idleClock }: Surroundings) {
    this.#memory = new LineMemory(settings.maxMemory, this.#serving, report, clock);
    this.#shared = {
      settings,
      prefix: new Prefix(settings.stamp, settings.tag, acquireSlot(SMALL_SLOT)),
      idleClock,
      scratch: new Uint8Array(SCRATCH_SIZE),
      tooLong: errorReply(`line longer than ${settings.maxLine} bytes`),
      lateLine: errorReply(`line not finished in ${formatMillis(settings.lineTimeout)}`),
      idle: errorReply(`idle for ${formatMillis(settings.idleTimeout)}`),
      quietEnd: undefined,
      reads: 0,
      busyUntil: 0,
      memory: this.#memory,
      readTurns: new ReadTurns(this.#serving, clock),
      onOpen: (connection) => this.#onOpen(connection),
      onNoLf: (connection) => this.#onNoLf(connection),
      onEnd: (connection, state) => this.#onEnd(connection, state),
    };
    this.#capacity = capacity;
    this.#counters = counters;
    this.#report = report;
    this.#clock = clock;
    const now = () => clock.now();
    this.#rejections = new RejectionLog((it) => report({ type: "reject", ...it }), now);
    this.#silent = new SilentConnections(counters, report, clock);
  }

  /** The connections that are served. */
  get open(): number {
    return this.#serving.size;
  }

  /** Reads so far. */
  get reads(): number {
    return this.#shared.reads;
  }

  /** Serves an admitted connection, if there is a place for it. */
  admit(admitted: AdmittedConnection): void {
    const { stream, peer } = admitted;
    if (this.#serving.size < this.#capacity.conns) return this.#serve(admitted);
    const limit = { limit: this.#capacity.conns };
    this.#tellRejected(new Rejection("too-many-connections", peer, limit, stream), admitted);
  }

  /** Counts a connection that was not admitted, and tells its client why if it is to know. */
  reject(rejection: Rejection): void {
    const { code, stream, peer } = rejection;
    if (code === "silent") return this.#silent.add();
    this.#tellRejected(rejection, stream && { stream, peer, release: () => {} });
  }

  /** Ends connections whose time has come, and tells what was held back. To be called at each tick of the idle clock. */
  tick(now: number): void {
    if (!hadTime(this.reads - this.#readsBefore)) this.#shared.busyUntil = now;
    this.#readsBefore = this.reads;
    for (const connection of this.#serving) connection.tick(now);
    for (const connection of this.#rejected) connection.tick(now);
    this.#rejections.tick();
    this.#memory.tick();
    this.#silent.tick();
  }

  /** Ends each connection when it has been quiet for this many milliseconds from now on. */
  endWhenQuiet(millis: number): void {
    this.#shared.quietEnd = millis;
    for (const connection of this.#serving) connection.touch();
  }

  /** Ends all connections that are served once what has been read is answered. */
  finishAll(reason: string): void {
    for (const connection of this.#serving) connection.finish(reason);
  }

  /** Ends all connections at once. */
  cutAll(reason: string): void {
    for (const connection of [...this.#serving, ...this.#rejected]) connection.cut(reason);
  }

  /** Resolves when there is no connection. */
  whenAllEnded(): Promise<void> {
    this.#allEnded ??= Promise.withResolvers();
    this.#checkAllEnded();
    return this.#allEnded.promise;
  }

  /** Tells all that was held back. */
  flush(): void {
    this.#rejections.flush();
    this.#memory.flush();
    this.#silent.flush();
  }

  #serve(admitted: AdmittedConnection): void {
    const connection = new Connection(admitted, this.#shared, this.#clock.now());
    this.#serving.add(connection);
    this.#counters.opened(connection);
    void connection.serve();
  }

  #onOpen(connection: Connection): void {
    const { peer, via } = connection.admitted;
    connection.id = ++this.#opened;
    this.#report({ type: "open", id: connection.id, peer, ...(via !== undefined && { via }) });
  }

  #onNoLf({ admitted: { peer } }: Connection): void {
    const now = this.#clock.now();
    if (now - this.#hintedAt < HINT_PAUSE_MS) return;
    this.#hintedAt = now;
    this.#report({ type: "hint", peer });
  }

  #tellRejected(rejection: Rejection, admitted: AdmittedConnection | undefined): void {
    const { code, message: reason, peer, detail } = rejection;
    this.#counters.rejected(code);
    this.#rejections.add({ code, reason, peer, ...(detail !== undefined && { detail }) });
    if (admitted === undefined) return;
    if (!this.#makeRoomToReject()) {
      closeQuietly(admitted.stream);
      return admitted.release();
    }
    const connection = new Connection(admitted, this.#shared, this.#clock.now());
    this.#rejected.add(connection);
    void connection.reject(errorReply(farewellText(rejection)));
  }

  /** Makes room for one more that is told why it is rejected: of many, the oldest has had its time. */
  #makeRoomToReject(): boolean {
    if (this.#rejected.size < this.#capacity.rejected) return true;
    const [oldest] = this.#rejected;
    if (this.#clock.now() - oldest!.openedAt < MIN_LINGER_MS) return false;
    oldest!.cut("rejected");
    return true;
  }

  #onEnd(connection: Connection, state: EndedState): void {
    if (!this.#rejected.delete(connection) && this.#serving.delete(connection)) {
      this.#onServedEnd(connection, state);
    }
    connection.admitted.release();
    this.#checkAllEnded();
  }

  #onServedEnd(connection: Connection, { reason, cut }: EndedState): void {
    const { id, admitted: { peer }, lines, bytesIn, bytesOut, openedAt } = connection;
    this.#memory.release(connection);
    this.#counters.closed(connection, cut);
    if (id === 0) return this.#silent.add();
    const duration = this.#clock.now() - openedAt;
    this.#report({ type: "close", id, peer, lines, bytesIn, bytesOut, duration, reason, cut });
  }

  #checkAllEnded(): void {
    if (this.#serving.size + this.#rejected.size === 0) this.#allEnded?.resolve();
  }
}
