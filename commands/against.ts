/** `tsecho load --against`: its options, which add a second endpoint to the first. */
import { UsageError } from "../cli/parser.ts";
import { parseCount, refuseOption } from "../cli/values.ts";
import { DEFAULT_PORT, type Endpoint } from "../net/endpoint.ts";
import { parseEndpoint } from "../net/transports.ts";
import { type ChangeThreshold, parseChange } from "../stats/compared_metrics.ts";
import type { TransportOptionTable } from "./endpoints.ts";

/** What finds 20% at a spread of 10% in 9 of 10 cases; an even number balances a steady drift. */
const DEFAULT_REPEAT = 8;
/** As many as compare takes. */
const MAX_REPEAT = 100;

export const AGAINST_OPTIONS = {
  against: {
    group: "Comparison",
    value: "ENDPOINT",
    read: parseOther,
    help:
      "load this endpoint and the command's in turn, and compare them: the command's is before, this one is after",
  },
  repeat: {
    group: "Comparison",
    value: "N",
    read: (text: string) => parseCount(text, 1, MAX_REPEAT),
    help:
      `runs of each endpoint (default ${DEFAULT_REPEAT}); 2 to 4 show values and ratios, without a verdict`,
  },
} as const satisfies TransportOptionTable;

/** Its port may be that of --port: it is read as an endpoint later. @throws {Error} for the next option. */
function parseOther(text: string): string {
  refuseOption(text, "expected an endpoint");
  return text;
}

/** What --against was asked for. */
export interface AgainstOptions {
  endpoint: Endpoint;
  /** How many runs each endpoint has. */
  repeat: number;
  /** Conditions under which the comparison has failed. */
  changes: ChangeThreshold[];
}

/** @param port of an endpoint that has none. @param conditions of --fail-if, as they were typed. @throws {UsageError} */
export function readAgainst(
  against: string,
  repeat = DEFAULT_REPEAT,
  port = DEFAULT_PORT,
  conditions: readonly string[] = [],
): AgainstOptions {
  const endpoint = readOption(
    "--against",
    against,
    (text) => parseEndpoint(text, { hostname: "localhost", port }, 1),
  );
  return { endpoint, repeat, changes: conditions.map((it) => readOption("--fail-if", it, parseChange)) };
}

/** Reads the value of an option whose reader depends on other options. @throws {UsageError} */
export function readOption<Value>(option: string, text: string, read: (text: string) => Value): Value {
  try {
    return read(text);
  } catch (error) {
    throw new UsageError(`use ${option}`, text, (error as Error).message);
  }
}
