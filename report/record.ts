/** The objects of a run in JSON; docs/json.md describes their fields. */
import type { ProbeEvent } from "../stats/events.ts";
import { seconds } from "../stats/units.ts";

/** The format's version: since 2 `lost` includes `late`, and a line is pending until its time-out has passed. */
export const VERSION = 2;

/** How a run began. Times are in seconds. */
export interface Start {
  type: "start";
  /** The format's version. Fields may be added without a new one; none changes its meaning. */
  version: typeof VERSION;
  /** The client's wall clock, since the Unix epoch. */
  time: number;
  endpoint: string;
  /** Lines to send, and seconds after which to stop; null for no limit. Earlier files do not have them ... */
  count?: number | null;
  deadline?: number | null;
  /** ... nor whether each line has a connection of its own. */
  reconnect?: boolean;
  interval: number;
  /** From one planned line to the next; null where each reply calls for the next line. */
  pace: number | null;
  size: number;
  timeout: number;
  clocks_synced: boolean;
  /** What the connection took, if all lines share one. */
  connect: number | null;
  handshake: number | null;
}

/**
 * The fields of a reply's object, in their order, and what each holds: a `duration` is microseconds in an event, to the
 * nanosecond, and a `reading` of a wall clock whole microseconds; in JSON both are seconds.
 */
export const REPLY_FIELDS = {
  seq: "number",
  fate: "text",
  at: "number",
  rtt: "duration",
  sent: "reading",
  stamp: "reading",
  received: "reading",
  format: "text",
  tag: "text",
  lag: "duration",
  blocked: "duration",
  connect: "duration",
  handshake: "duration",
  busy: "duration",
  count: "number",
  reason: "text",
} as const;
export const REPLY_FIELD_NAMES = Object.keys(REPLY_FIELDS) as (keyof typeof REPLY_FIELDS)[];

/** An object of JSON. */
export type Json = Record<string, unknown>;

/** The object of an event. */
export function toRecord(event: ProbeEvent): Json {
  const values: { [field in keyof typeof REPLY_FIELDS]?: string | number | undefined } = event;
  const record: Json = { type: "reply" };
  for (const field of REPLY_FIELD_NAMES) {
    const value = values[field];
    if (value !== undefined) record[field] = inSeconds(field, value);
  }
  return record;
}

function inSeconds(field: keyof typeof REPLY_FIELDS, value: string | number): string | number {
  switch (REPLY_FIELDS[field]) {
    case "duration":
      return seconds(value as number);
    case "reading":
      return (value as number) / 1e6;
    default:
      return value;
  }
}
