import type { LineBatch } from "./line_queue.ts";
import type { PendingLines } from "./pending_lines.ts";

/** A path for lines that is open, whatever it runs over. */
export interface LoadConnection {
  readonly lines: PendingLines;
  readonly isOpen: boolean;
  /** Writes the lines that wait, unless that is under way. */
  flush(): void;
  /** Resolves when nothing is read any more. */
  readonly ended: Promise<void>;
  /** Closes it; {@linkcode ConnectionEvents.onEnd} is not called any more. */
  close(): void;
}

/** What becomes of a connection. */
export interface ConnectionEvents {
  /** The fate of so many lines has become known. */
  onFreed(connection: LoadConnection, lines: number): void;
  /** It has ended. @param queued the lines that it did not write. */
  onEnd(connection: LoadConnection, queued: LineBatch[]): void;
}
