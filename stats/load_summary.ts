/** What a run of `tsecho load` amounts to, under the names that docs/json.md promises: times are in seconds. */
import type { Durations, Estimate } from "./summary.ts";

/** The percentiles that are told. */
export const LOAD_PERCENTILES = { p50: 50, p90: 90, p95: 95, p99: 99, p99_9: 99.9 } as const;
export type PercentileName = keyof typeof LOAD_PERCENTILES;

/** Durations in seconds, each percentile with its interval. */
export interface LoadDurations extends Durations {
  /** The 95th percentile. */
  p95: number | null;
  /** 95 % intervals of the percentiles, from batches of the run; null of a run that is too short for one. */
  intervals: Record<PercentileName, [lower: number, upper: number] | null>;
  /** Lines that never came. A percentile that they leave no room for is null: it is above the time-out. */
  never: number;
  /** Percentiles that are null for this reason. */
  beyond: PercentileName[];
}

/** How well the generator kept to its plan. */
export interface GeneratorVerdict {
  /** `limited`: the figures are those of the generator, and the server can do at least as much. */
  verdict: "ok" | "strained" | "limited";
  /** Why, in words; empty for `ok`. */
  reasons: string[];
}

/** What is known of one server. */
export interface LoadServer {
  /** Null for a server without one. */
  tag: string | null;
  /** Its lines. */
  received: number;
  /** Connections that it answered on. */
  connections: number;
  /** Delays above the direction's best; null where the stamps cannot tell. */
  up: LoadDurations | null;
  down: LoadDurations | null;
  /** Server minus client at the end, in seconds; null where the stamps cannot tell. */
  offset: Estimate | null;
}

/** A whole run, or what is known of it so far. */
export interface LoadSummary {
  planned: number;
  sent: number;
  received: number;
  lost: number;
  late: number;
  dropped: number;
  unsent: number;
  corrupt: number;
  duplicates: number;
  pending: number;
  /** Lines that failed, by reason. */
  errors: Record<string, number>;
  /** Connects that failed, by reason. */
  connect_errors: Record<string, number>;
  /** Seconds of the plan that have passed: without the warm-up, and without the wait for the last replies. */
  duration: number;
  loop: "open" | "closed";
  /** Lines a second over the duration. */
  rate: { planned: number; sent: number; received: number };
  /** Null in a closed loop, which has no plan. */
  response: LoadDurations | null;
  service: LoadDurations | null;
  send_lag: LoadDurations | null;
  blocked: LoadDurations | null;
  connect: LoadDurations | null;
  handshake: LoadDurations | null;
  servers: LoadServer[];
  generator: GeneratorVerdict;
  /** Whether the 99th percentile kept its level; null for a run that is too short to tell, or follows stages. */
  steady: boolean | null;
}
