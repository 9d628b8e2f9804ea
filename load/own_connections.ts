import { Failure } from "../failure.ts";
import type { Clock } from "../time/timers.ts";
import type {
  ConnectionEvents,
  LoadConnection,
  LoadLoop,
  MakeConnection,
  Outlet,
  Outlets,
} from "./connection.ts";
import type { LineBatch } from "./line_queue.ts";
import type { OutgoingLines } from "./outgoing_lines.ts";
import type { PendingLines } from "./pending_lines.ts";
import type { Recorder } from "./recorder.ts";
import { WorkSet } from "./work_set.ts";

/** A line with its own connection, from the attempt to open that on. */
interface Exchange {
  planned: number;
  begun: number;
  attempt: AbortController;
  lines: PendingLines;
  /** Undefined as long as it is being opened. */
  connection?: LoadConnection;
}

/**
 * Gives each line a connection of its own, so many at once: further lines wait. To the loop it is one outlet for all
 * lines. A line counts as sent when its connection is begun, and waits for its reply from then on.
 */
export class OwnConnections implements Outlets, Outlet, ConnectionEvents {
  loop: LoadLoop | undefined;
  readonly outgoing: OutgoingLines;
  readonly #max: number;
  readonly #make: MakeConnection;
  readonly #newLines: () => PendingLines;
  readonly #recorder: Recorder;
  readonly #timeout: number;
  readonly #clock: Clock;
  readonly #exchanges = new Map<PendingLines, Exchange>();
  /** Connections that are not closed yet. */
  readonly #working = new WorkSet();
  #isClosed = false;

  /**
   * @param max connections at once. @param newLines makes those of the next connection.
   * @param timeout how long a line waits, in ms.
   */
  constructor(
    max: number,
    make: MakeConnection,
    newLines: () => PendingLines,
    outgoing: OutgoingLines,
    recorder: Recorder,
    timeout: number,
    clock: Clock,
  ) {
    this.#max = max;
    this.#make = make;
    this.#newLines = newLines;
    this.outgoing = outgoing;
    this.#recorder = recorder;
    this.#timeout = timeout;
    this.#clock = clock;
  }

  get isOpen(): boolean {
    return !this.#isClosed;
  }

  *[Symbol.iterator](): Generator<Outlet> {
    yield this;
  }

  next(): Outlet {
    return this;
  }

  /** Connects once, to find out whether that can be done. */
  async openAll(signal: AbortSignal): Promise<void> {
    const { connection } = await this.#make(this.#newLines(), this, signal);
    connection.close();
    await connection.read();
  }

  flush(): void {
    while (!this.#isClosed && this.outgoing.count > 0 && this.#exchanges.size < this.#max) {
      const begun = this.#clock.now();
      const line = this.outgoing.takeNext(begun);
      if (line === undefined) return;
      this.#working.add(this.#begin(line, begun));
    }
  }

  onFreed(connection: LoadConnection): void {
    this.#finish(this.#exchanges.get(connection.lines)!);
  }

  onEnd(connection: LoadConnection, queued: LineBatch[], reason: string): void {
    const exchange = this.#exchanges.get(connection.lines)!;
    for (const { planned, lines } of queued) {
      this.#recorder.hand(lines);
      this.#recorder.fail(planned, reason, lines);
    }
    this.#finish(exchange);
  }

  expire(now: number): void {
    this.outgoing.expire(now);
    for (const exchange of this.#exchanges.values()) {
      if (now - exchange.begun <= this.#timeout) continue;
      const at = exchange.begun + this.#timeout;
      exchange.lines.settleAll((planned, lines) => this.#recorder.lose(planned, at, now, lines));
      this.#finish(exchange);
    }
  }

  unsend(): void {
    this.outgoing.unsend();
  }

  pend(): void {
    this.unsend();
    for (const { lines } of this.#exchanges.values()) {
      lines.settleAll((planned, count) => this.#recorder.pend(planned, count));
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { attempt, connection } of this.#exchanges.values()) {
      attempt.abort();
      connection?.close();
    }
    this.#exchanges.clear();
    await this.#working.ended();
  }

  async #begin({ planned, handed, lines: count }: LineBatch, begun: number): Promise<void> {
    this.#recorder.turn(begun);
    this.#recorder.send(planned, count);
    const lines = this.#newLines();
    lines.begun = begun;
    lines.outgoing.hand(planned, Math.min(handed, begun), count);
    const exchange: Exchange = { planned, begun, attempt: new AbortController(), lines };
    this.#exchanges.set(lines, exchange);
    try {
      const { connection, times } = await this.#make(lines, this, exchange.attempt.signal);
      this.#working.add(connection.read());
      if (!this.#exchanges.has(lines)) return connection.close();
      exchange.connection = connection;
      if (times !== undefined) {
        // All that the line has waited for it, so that the parts of its response make the whole.
        const connectMs = this.#clock.now() - begun - (times.handshakeMs ?? 0);
        this.#recorder.connected({ ...times, connectMs }, planned);
      }
      connection.flush();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (!this.#exchanges.has(lines)) return;
      this.#recorder.turn(this.#clock.now());
      this.#recorder.connectFailed(error.reason, planned);
      lines.settleAll((planned, count) => this.#recorder.fail(planned, error.reason, count));
      this.#finish(exchange);
    }
  }

  /** The fate of the line is known. */
  #finish({ lines, attempt, connection }: Exchange): void {
    if (!this.#exchanges.delete(lines)) return;
    attempt.abort();
    connection?.close();
    this.loop?.onFreed(this, 1, this.#clock.now());
    this.flush();
  }
}
