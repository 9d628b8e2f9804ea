/** stub */
import type { DialOptions } from "./net/dial.ts";
import type { Endpoint } from "./net/endpoint.ts";
import type { LoadInterval } from "./stats/load_interval.ts";
import type { LoadSummary } from "./stats/load_summary.ts";
import type { Setup } from "./probe/channel.ts";
export interface Stage {
  duration: number;
  rate: number;
}
export interface LoadOptions extends Partial<Omit<DialOptions, "endpoint">> {
  connections?: number;
  rate?: number;
  stages?: Stage[];
  arrivals?: "uniform" | "poisson";
  seed?: number;
  depth?: number;
  think?: number;
  count?: number;
  duration?: number;
  warmup?: number;
  timeout?: number;
  maxInFlight?: number;
  reconnect?: boolean;
  size?: number;
  lines?: Uint8Array[];
  threads?: number;
  udpRate?: number;
  signal?: AbortSignal;
}
export const LOAD_DEFAULTS = {
  connections: 50,
  arrivals: "uniform",
  depth: 1,
  think: 0,
  duration: 10_000,
  warmup: 1000,
  timeout: 5000,
  maxInFlight: 100_000,
  size: 56,
  threads: 1,
  udpRate: 500,
} as const;
export class Load implements AsyncIterable<LoadInterval>, AsyncDisposable {
  endpoint = "";
  loop: "open" | "closed" = "open";
  open(): Promise<Setup[]> {
    throw 0;
  }
  [Symbol.asyncIterator](): AsyncIterator<LoadInterval> {
    throw 0;
  }
  stop(): void {}
  abort(): void {}
  progress = { share: 0, inFlight: 0 };
  elapsed = 0;
  ended: string | null = null;
  summary(): LoadSummary {
    throw 0;
  }
  async [Symbol.asyncDispose]() {}
}
export function load(_e: string | Endpoint, _o?: LoadOptions): Load {
  return new Load();
}
