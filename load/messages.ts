import type { DialOptions } from "../net/dial.ts";
import type { TlsFileRole } from "../net/certificates.ts";
import type { EncodedLoadInterval } from "../stats/load_interval.ts";
import type { LoadPlan } from "./options.ts";
import type { ClockMemory } from "./thread_clock.ts";

/** Numbers of an exchange among the samples of a message: the index of its tag, and those of `ExchangeSample`. */
export const SAMPLE_FIELDS = 5;

/** What the main thread tells another. */
export type ToThread =
  /**
   * @property memory by which the thread asks for the main thread's clock.
   * @property inFlight is shared: each thread writes how many lines it has in flight, at its number.
   * @property planEnd is shared: the main thread writes when the plan of all threads ends, if it is cut short.
   */
  | {
    type: "open";
    plan: LoadPlan;
    dial: DialOptions;
    thread: number;
    memory: ClockMemory;
    inFlight: Int32Array<SharedArrayBuffer>;
    planEnd: Float64Array<SharedArrayBuffer>;
  }
  | { type: "run"; began: number }
  | { type: "stop" }
  | { type: "abort" }
  | { type: "close" };

/** What a thread tells the main one. */
export type FromThread =
  /** It is about to ask for the main thread's clock. */
  | { type: "clock" }
  /** @property clockError how far its clock may be off the main thread's, in ms. */
  | { type: "opened"; clockError: number }
  /** @property file that cannot be used, if one is to blame. */
  | { type: "failed"; reason: string; file?: { role: TlsFileRole; path: string } }
  /** An interval of its rehearsal: the main thread makes figures of it to rehearse that. */
  | ThreadInterval & { type: "rehearsed" }
  /** Exchanges of an interval that goes on: told as they come where one thread alone sends. */
  | ThreadExchanges & { type: "exchanges" }
  | IntervalMessage
  /** @property stalled as in `Runner`. */
  | { type: "over"; stalled: number }
  /** Something went wrong that should not. */
  | { type: "broken"; message: string }
  /** Nothing is open any more. */
  | { type: "closed" };

export type IntervalMessage = ThreadInterval & { type: "interval" };

/** Exchanges that a thread found. */
export interface ThreadExchanges {
  samples: Float64Array<ArrayBuffer>;
  /** By the index that samples have. */
  tags: (string | null)[];
}

/** An interval of a thread, and what was found in it besides; exchanges that were not told of before. */
export interface ThreadInterval extends ThreadExchanges {
  interval: EncodedLoadInterval;
  /** As in `Runner`, up to its end. */
  turned: number;
  /** The server of each connection that had its first reply. */
  servers: (string | null)[];
}
