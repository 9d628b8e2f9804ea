/** A run as JSON and as CSV: what is written, and read back. docs/json.md describes the fields. */
import { STAMP_FORMATS, type StampFormat } from "../time/stamp.ts";
import { FATES } from "./account.ts";
import { type Happening, Run } from "./run.ts";
import { seconds } from "./units.ts";

/** What a run began with. Times are in seconds. */
export interface Start {
  type: "start";
  /** The format's version: fields may be added within it, none changes its meaning. */
  version: 1;
  /** The client's wall clock, since the Unix epoch. */
  time: number;
  endpoint: string;
  interval: number;
  size: number;
  timeout: number;
  clocks_synced: boolean;
  /** What the connection took, if it is the same for all lines. */
  connect: number | null;
  handshake: number | null;
}

const FIELDS = [
  "seq",
  "fate",
  "at",
  "rtt",
  "sent",
  "stamp",
  "received",
  "format",
  "tag",
  "connect",
  "handshake",
  "reason",
] as const;
/** Those that are microseconds in a {@linkcode Happening}: durations to the nanosecond, and readings of wall clocks. */
const DURATIONS: readonly string[] = ["rtt", "connect", "handshake"];
const READINGS: readonly string[] = ["sent", "stamp", "received"];

type Json = Record<string, unknown>;

const TEXTS: readonly string[] = ["fate", "format", "tag", "reason"];

/** What has happened, with times in seconds. */
export function toRecord(happening: Happening): Json {
  const record: Json = { type: "reply" };
  for (const field of FIELDS) {
    const value = happening[field];
    if (value === undefined) continue;
    record[field] = DURATIONS.includes(field)
      ? seconds(value as number)
      : READINGS.includes(field)
      ? (value as number) / 1e6
      : value;
  }
  return record;
}

export const CSV_HEADER = FIELDS.join(",");

/** A row of CSV (RFC 4180): what is unknown is empty. */
export function toCsv(happening: Happening): string {
  const record = toRecord(happening);
  return FIELDS.map((field) => {
    const text = String(record[field] ?? "");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }).join(",");
}

/** Reads what {@linkcode toRecord} made. @throws {Error} when it is something else. */
function fromRecord(record: Json): Happening {
  const happening: Json = {};
  for (const field of FIELDS) {
    const value = record[field];
    if (value === undefined) continue;
    const actual: string = typeof value;
    const expected = TEXTS.includes(field) ? "string" : "number";
    if (actual !== expected) throw new Error(`a reply's "${field}" is no ${expected}`);
    happening[field] = DURATIONS.includes(field)
      ? Math.round(value as number * 1e9) / 1e3
      : READINGS.includes(field)
      ? Math.round(value as number * 1e6)
      : value;
  }
  const { seq, at, fate, format } = happening;
  if (seq === undefined || at === undefined || !(FATES as readonly unknown[]).includes(fate)) {
    throw new Error("a reply has no seq, at or fate that is known");
  }
  if (format !== undefined && !(STAMP_FORMATS as readonly unknown[]).includes(format as StampFormat)) {
    throw new Error(`a reply's format is unknown: "${format}"`);
  }
  return happening as unknown as Happening;
}

/**
 * Lives through a saved run again: the document of `--json`, or the lines of `--json-stream`.
 *
 * @throws {Error} whose message says what the text is not.
 */
export function replay(text: string): { start: Start; run: Run; ended: string | null } {
  const records = readRecords(text);
  const start = records.find(({ type }) => type === "start") as Start | undefined;
  if (start === undefined || typeof start.endpoint !== "string") {
    throw new Error("it has no start; is it of tsecho ping?");
  }
  if (start.version !== 1) throw new Error(`its version is ${start.version}, and only 1 is known here`);
  const run = new Run(start.clocks_synced);
  if (start.connect !== null) {
    run.connected(start.connect * 1e6, start.handshake === null ? undefined : start.handshake * 1e6);
  }
  const replies = records.filter(({ type }) => type === "reply");
  if (replies.length === 0) throw new Error("it has no replies; was it a --json-stream with -q?");
  for (const record of replies) run.add(fromRecord(record));
  const ended = records.find(({ type }) => type === "end")?.ended;
  return { start, run, ended: typeof ended === "string" ? ended : null };
}

function readRecords(text: string): Json[] {
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    return text.split("\n").filter((line) => line.trim() !== "").map((line, i) => {
      try {
        return JSON.parse(line) as Json;
      } catch {
        throw new Error(`line ${i + 1} is not JSON`);
      }
    });
  }
  const { start, replies, end } = (document ?? {}) as { start?: Json; replies?: Json[]; end?: Json };
  if (start === undefined) return [document as Json];
  return [start, ...(Array.isArray(replies) ? replies : []), ...(end === undefined ? [] : [end])];
}
