import type { EndCause } from "./state.ts";

/** From the word to begin to the beginning, in ms: meanwhile the outputs begin, and one thread is to have heard it. */
export const NOTICE_MS = 5;

/** What sends the lines of a plan: in this thread, or in others. `open`, then `run`. */
export interface Runner {
  /** Lines in flight. */
  readonly outstanding: number;
  /** How long a thread did not run in the measured part, in ms; of threads the one that is worst. */
  readonly stalled: number;
  /** How much of the processor all threads used in the measured part only to wait for moments, in ms. */
  readonly turned: number;
  /** How far a thread's clock may be off the run's, in ms; of threads the one that is worst. */
  readonly clockError: number;
  /** When the measured part begins, in ms on the run's clock; Infinity before that is known. */
  readonly from: number;
  /** Why nothing more is sent; undefined as long as lines are. */
  readonly cause: EndCause | undefined;
  /** Opens the connections. @throws {Failure} when the first cannot be opened. */
  open(): Promise<void>;
  /** Sends lines until the fate of all is known. @param began when the warm-up begins, in ms on the run's clock. */
  run(began: number): Promise<void>;
  /** Sends nothing more, and waits for what is in flight. */
  stop(): void;
  /** Ends at once. */
  abort(): void;
  /** Closes the connections. After it nothing can be sent. */
  close(): Promise<void>;
}
