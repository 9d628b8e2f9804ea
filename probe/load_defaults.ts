/** What load uses where nothing is asked for: apart from what uses it, since the command line shows it without a run. */
import { DIAL_DEFAULTS } from "../net/dial.ts";

/** The options of a run; durations are in milliseconds, sizes in bytes. */
export const LOAD_DEFAULTS = {
  ...DIAL_DEFAULTS,
  connections: 50,
  arrivals: "uniform",
  depth: 1,
  think: 0,
  duration: 10_000,
  warmup: 1000,
  timeout: 5000,
  maxInFlight: 100_000,
  reconnect: false,
  size: 56,
  threads: 1,
  udpRate: 500,
} as const;

/** The first rate of a search, in lines a second, and the length of its trials in ms. */
export const FIND_DEFAULTS = { rate: 1000, trial: 10_000 };
