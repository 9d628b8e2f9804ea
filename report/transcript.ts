import { FATES, type ProbeEvent, STAMP_STEPS } from "../stats/events.ts";
import { isInTime } from "../stats/line_counters.ts";
import { RunStats } from "../stats/run_stats.ts";
import { micros } from "../stats/units.ts";
import { type Json, REPLY_FIELD_NAMES, REPLY_FIELDS, type Start, VERSION } from "./record.ts";
import { MAX_SECONDS, numberOf, readRecords, startOf, textOf } from "./saved_records.ts";

/** The event of an object that {@linkcode toRecord} made. @throws {Error} when it is something else. */
function fromRecord(record: Json): ProbeEvent {
  const event: Json = {};
  for (const field of REPLY_FIELD_NAMES) {
    if (record[field] !== undefined) event[field] = valueOf(record, field);
  }
  const { seq, at, fate, format, stamp, count } = event;
  if (!Number.isInteger(seq) || at === undefined || !(FATES as readonly unknown[]).includes(fate)) {
    throw new Error("a reply has no seq, at or fate that is known");
  }
  if (format !== undefined && !Object.hasOwn(STAMP_STEPS, format as string)) {
    throw new Error(`a reply's format is unknown: "${format}"`);
  }
  if (stamp !== undefined && format === undefined) throw new Error("a reply has a stamp and no format");
  if (fate === "missed" && !Number.isInteger(count)) throw new Error("missed lines have no count");
  return event as unknown as ProbeEvent;
}

function valueOf(record: Json, field: keyof typeof REPLY_FIELDS): string | number {
  const whose = "a reply's";
  switch (REPLY_FIELDS[field]) {
    case "text":
      return textOf(record, whose, field);
    case "number":
      return numberOf(record, whose, field, 0);
    case "duration":
      return micros(numberOf(record, whose, field, 0));
    case "reading":
      return Math.round(numberOf(record, whose, field, -MAX_SECONDS) * 1e6);
  }
}

/** The reason of a line whose time-out had not passed when a run of version 1 ended. */
const ENDED_1 = "the run has ended";

/** What an event of version 1 is in this one. @param timeout in µs. */
function fromVersion1(event: ProbeEvent, timeout: number): ProbeEvent[] {
  if (event.fate === "lost" && event.reason === ENDED_1) {
    const { reason: _, ...rest } = event;
    return [{ ...rest, fate: "pending" }];
  }
  if (!isInTime(event) || !(event.rtt! > timeout)) return [event];
  const { connect, handshake, ...late } = event;
  const { seq, at, sent } = event;
  return [{ fate: "lost", seq, at, sent, connect, handshake }, { ...late, fate: "late" }];
}

/** A run read back. */
export interface SavedRun {
  start: Start;
  events: ProbeEvent[];
  /** Why it ended before it was meant to; null if it did not, or if that is unknown. */
  ended: string | null;
  /** Whether its end is missing. */
  cut: boolean;
}

/**
 * Reads a saved run: the document of `--json`, or the lines of `--json-stream`. The end may be missing, and the last
 * line be cut, as after a crash.
 *
 * @throws {Error} whose message says what the text is not.
 */
export function readRun(text: string): SavedRun {
  const records = readRecords(text, "tsecho ping");
  const start = startOf(records, "tsecho ping");
  if (start.command === "load") throw new Error("it is of tsecho load: tsecho load --from reads it");
  if (start.command !== undefined) throw new Error("it is of another command, not of tsecho ping");
  checkStart(start);
  const replies = records.filter(({ type }) => type === "reply");
  const end = records.find(({ type }) => type === "end");
  if (replies.length === 0 && end?.sent !== 0) {
    throw new Error(
      "it has no replies; was it a --json-stream with -q, or saved from the page of a long run?",
    );
  }
  const events = replies.map(fromRecord);
  const { version, timeout } = start as { version: number; timeout: number };
  return {
    start: { ...start, version: VERSION, pace: start.pace ?? null },
    events: version === 1 ? events.flatMap((it) => fromVersion1(it, micros(timeout))) : events,
    ended: typeof end?.ended === "string" ? end.ended : null,
    cut: end === undefined,
  };
}

/** The figures of a run that has only begun. */
export function newStats({ clocks_synced, connect, handshake }: Start): RunStats {
  const stats = new RunStats(clocks_synced);
  if (connect !== null) stats.connected(micros(connect), handshake === null ? undefined : micros(handshake));
  return stats;
}

function checkStart(start: Json): asserts start is Json & Start {
  const whose = "the start's";
  if (start.version !== 1 && start.version !== VERSION) {
    throw new Error(`its version is ${start.version}, and only 1 and ${VERSION} are known here`);
  }
  textOf(start, whose, "endpoint");
  for (const field of ["time", "interval", "size", "timeout"]) numberOf(start, whose, field, 0);
  for (const field of ["count", "deadline", "connect", "handshake", "pace"]) {
    if ((start[field] ?? null) !== null) numberOf(start, whose, field, 0);
  }
  const { clocks_synced, reconnect = false } = start;
  for (const [field, value] of Object.entries({ clocks_synced, reconnect })) {
    if (typeof value !== "boolean") throw new Error(`${whose} "${field}" is no boolean`);
  }
}
