/** What the objects of a saved load have to hold. */
import { LOAD_PERCENTILES } from "../stats/load_summary.ts";
import { MAX_TRIALS } from "../stats/load_trial.ts";
import { LOAD_COUNTS } from "../stats/metrics.ts";
import { MAX_REASONS } from "../stats/reason_counts.ts";
import { MAX_TAGS } from "../stats/server_stats.ts";
import { isObject, MAX_SECONDS } from "./saved_records.ts";

/** Checks a value. @param name what it is, in words. @throws {Error} whose message says what it is not. */
type Check = (value: unknown, name: string) => void;

function number(least: number): Check {
  return (value, name) => {
    if (typeof value !== "number") throw new Error(`${name} is no number`);
    if (!(value >= least && value <= MAX_SECONDS)) throw new Error(`${name} is out of range`);
  };
}

const ANY = number(-MAX_SECONDS);
const AMOUNT = number(0);

const COUNT: Check = (value, name) => {
  AMOUNT(value, name);
  if (!Number.isInteger(value)) throw new Error(`${name} is no whole number`);
};

const TEXT: Check = (value, name) => {
  if (typeof value !== "string") throw new Error(`${name} is no string`);
};

const FLAG: Check = (value, name) => {
  if (typeof value !== "boolean") throw new Error(`${name} is no boolean`);
};

function oneOf(...values: string[]): Check {
  return (value, name) => {
    if (!values.includes(value as string)) throw new Error(`${name} is unknown`);
  };
}

function maybe(check: Check): Check {
  return (value, name) => {
    if (value !== null) check(value, name);
  };
}

/** @param most entries. */
function list(check: Check, most = Infinity): Check {
  return (value, name) => {
    if (!Array.isArray(value)) throw new Error(`${name} is no list`);
    checkSize(value.length, most, name);
    for (const it of value) check(it, `an entry of ${name}`);
  };
}

/** An object with these fields, and maybe others. */
function record(fields: Record<string, Check>): Check {
  return (value, name) => {
    if (!isObject(value)) throw new Error(`${name} is no object`);
    for (const [field, check] of Object.entries(fields)) check(value[field], `${name}'s "${field}"`);
  };
}

/** A run tells so many things apart, and has one name for those beyond. */
function checkSize(size: number, most: number, name: string): void {
  if (size > most) throw new Error(`${name} has ${size} entries, and a run has ${most} at most`);
}

const COUNTS_BY_REASON: Check = (value, name) => {
  if (!isObject(value)) throw new Error(`${name} is no object`);
  const counts = Object.values(value);
  checkSize(counts.length, MAX_REASONS + 1, name);
  for (const count of counts) COUNT(count, `a count of ${name}`);
};

function fields<Name extends string>(names: readonly Name[], check: Check): Record<Name, Check> {
  return Object.fromEntries(names.map((it) => [it, check])) as Record<Name, Check>;
}

const PERCENTILES = Object.keys(LOAD_PERCENTILES);
const COUNTS = fields(LOAD_COUNTS, COUNT);

const FIGURES = {
  count: number(1),
  ...fields(["min", "avg", "max", "mdev"], AMOUNT),
  ...fields(PERCENTILES, maybe(AMOUNT)),
  histogram: TEXT,
};
const SECONDS_FIGURES = maybe(record(FIGURES));
const INTERVAL: Check = (value, name) => {
  list(AMOUNT)(value, name);
  if ((value as unknown[]).length !== 2) throw new Error(`${name} has not two ends`);
};
const DURATIONS = maybe(record({
  ...FIGURES,
  intervals: record(fields(PERCENTILES, maybe(INTERVAL))),
  never: COUNT,
  beyond: list(oneOf(...PERCENTILES)),
}));

/** Why something is as it is, in words and in codes. A later version may have further ones. */
const REASONS = {
  reasons: list(TEXT, MAX_REASONS),
  reason_codes: ((value, name) => list(TEXT, MAX_REASONS)(value ?? [], name)) as Check, // older runs have none
};
const GENERATOR = record({ verdict: oneOf("ok", "strained", "limited"), ...REASONS });

export const START: Check = record({
  ...{ endpoint: TEXT, loop: oneOf("open", "closed"), reconnect: FLAG },
  ...{ connections: COUNT, threads: COUNT },
  ...fields(["time", "warmup", "timeout"], AMOUNT),
  ...fields(["rate", "think", "duration"], maybe(AMOUNT)),
  ...fields(["seed", "max_in_flight", "depth", "count", "size"], maybe(COUNT)),
  stages: maybe(list(record({ duration: AMOUNT, rate: AMOUNT }))),
  arrivals: maybe(oneOf("uniform", "poisson")),
  ...fields(["data", "find"], maybe(TEXT)),
});

export const SECOND: Check = record({
  ...{ from: AMOUNT, to: AMOUNT, ...COUNTS, errors: COUNT, in_flight: COUNT },
  alike: (value, name) => FLAG(value ?? false, name), // older runs do not say it
  ...{ send_lag: SECONDS_FIGURES, blocked: SECONDS_FIGURES },
  response: (value, name) => SECONDS_FIGURES(value ?? null, name), // a closed loop has service instead
  service: (value, name) => SECONDS_FIGURES(value ?? null, name),
  servers: list(
    record({ tag: maybe(TEXT), received: COUNT, up: SECONDS_FIGURES, down: SECONDS_FIGURES }),
    MAX_TAGS + 1,
  ),
});

const TRIAL = record({
  ...{
    rate: AMOUNT,
    purpose: oneOf("search", "confirm"),
    passed: FLAG,
    cut_short: FLAG,
    ...REASONS,
  },
  ...{ value: maybe(ANY), duration: AMOUNT, generator: GENERATOR },
  ...fields(["planned", "sent", "received", "lost", "dropped"], COUNT),
  ...fields(["p50", "p99"], maybe(AMOUNT)),
});

export const END: Check = record({
  ...{ ended: maybe(TEXT), ...COUNTS, errors: COUNTS_BY_REASON, connect_errors: COUNTS_BY_REASON },
  ...{ duration: AMOUNT, loop: oneOf("open", "closed") },
  rate: record(fields(["planned", "sent", "received"], AMOUNT)),
  ...fields(["response", "service", "send_lag", "blocked", "connect", "handshake"], DURATIONS),
  servers: list(
    record({
      ...{ tag: maybe(TEXT), received: COUNT, connections: COUNT, up: DURATIONS, down: DURATIONS },
      ...{ offset: maybe(record({ value: ANY, bound: AMOUNT })), unsteady: maybe(oneOf("step", "drift")) },
      sampled: (value, name) => FLAG(value ?? false, name), // older runs do not say it
    }),
    MAX_TAGS + 1,
  ),
  alike: (value, name) => FLAG(value ?? false, name), // older runs do not say it
  ...{ generator: GENERATOR, steady: maybe(FLAG) },
  trend: (value, name) => maybe(oneOf("rises", "falls"))(value ?? null, name), // older runs do not say it
  found: maybe(record({
    outcome: oneOf("found", "at least", "none", "unconfirmed", "interrupted"),
    rate: maybe(AMOUNT),
  })),
  trials: list(TRIAL, MAX_TRIALS),
});
