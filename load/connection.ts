import type { LineBatch } from "./line_queue.ts";
import type { OutgoingLines } from "./outgoing_lines.ts";
import type { PendingLines } from "./pending_lines.ts";
import type { ConnectTimes } from "./recorder.ts";

/** Takes lines and sends them. */
export interface Outlet {
  readonly isOpen: boolean;
  /** The lines that wait to be written. */
  readonly outgoing: OutgoingLines;
  /** Writes them, unless that is under way. */
  flush(): void;
}

/** A path for lines that is open, whatever it runs over. */
export interface LoadConnection extends Outlet {
  readonly lines: PendingLines;
  /** Takes replies, from when its owner knows it; resolves when nothing is read any more. To be called once. */
  read(): Promise<void>;
  /** Closes it; {@linkcode ConnectionEvents.onEnd} is not called any more. */
  close(): void;
}

/** What becomes of a connection. */
export interface ConnectionEvents {
  /** The fate of so many lines has become known. @param now in ms on the run's clock. */
  onFreed(connection: LoadConnection, lines: number, now: number): void;
  /** It has ended. @param queued the lines that it did not write. */
  onEnd(connection: LoadConnection, queued: LineBatch[], reason: string): void;
}

/** A connection that was made, and what that took: undefined of datagrams, which need none. */
export interface Made {
  connection: LoadConnection;
  times: ConnectTimes | undefined;
}

/** Makes a connection for lines. @throws {Failure} */
export type MakeConnection = (
  lines: PendingLines,
  events: ConnectionEvents,
  signal: AbortSignal,
) => Promise<Made>;

/** What sends lines over connections. */
export interface LoadLoop {
  /** Sends until the plan ends or the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** Sends what is due and was not sent yet. */
  catchUp(): void;
  /** There is another outlet. */
  onOpen(outlet: Outlet): void;
  /** The fate of so many of its lines has become known. @param now in ms on the run's clock. */
  onFreed(outlet: Outlet, lines: number, now: number): void;
  /** A connection has ended that had not written these lines. */
  onUnwritten(lines: LineBatch[]): void;
}

/** All connections of a run. To iterate is to go through the outlets that are open. */
export interface Outlets extends Iterable<Outlet> {
  loop: LoadLoop | undefined;
  /** The next outlet in turn; undefined if none is open. */
  next(): Outlet | undefined;
  /** Opens what lines are sent over. @throws {Failure} if nothing can be opened, or the signal is aborted. */
  openAll(signal: AbortSignal): Promise<void>;
  /** Gives up the lines whose time-out has passed. */
  expire(now: number): void;
  /** Takes back what is not written yet: it is not to be sent. */
  unsend(): void;
  /** Nothing is awaited any more. */
  pend(): void;
  /** Closes all connections. */
  close(): Promise<void>;
}
