/** A run as JSON and as CSV: what is written, and read back. docs/json.md describes the fields. */
import { STAMP_FORMATS, type StampFormat } from "../protocol.ts";
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

/** No duration and no moment of a run is longer, in seconds, and no reading of a clock later: far beyond any real one. */
const LARGEST = 1e12;

/** A number of seconds, or a count, as a file has it. @throws {Error} when it is something else. */
function numberOf(record: Json, whose: string, field: string, least: number): number {
  const value = record[field];
  if (typeof value !== "number") throw new Error(`${whose} "${field}" is no number`);
  if (!(value >= least && value <= LARGEST)) throw new Error(`${whose} "${field}" is out of range`);
  return value;
}

function textOf(record: Json, whose: string, field: string): string {
  const value = record[field];
  if (typeof value !== "string") throw new Error(`${whose} "${field}" is no string`);
  return value;
}

/** Reads what {@linkcode toRecord} made. @throws {Error} when it is something else. */
function fromRecord(record: Json): Happening {
  const happening: Json = {};
  for (const field of FIELDS) {
    if (record[field] === undefined) continue;
    if (TEXTS.includes(field)) {
      happening[field] = textOf(record, "a reply's", field);
      continue;
    }
    const reading = READINGS.includes(field);
    const value = numberOf(record, "a reply's", field, reading ? -LARGEST : 0);
    happening[field] = DURATIONS.includes(field)
      ? Math.round(value * 1e9) / 1e3
      : reading
      ? Math.round(value * 1e6)
      : value;
  }
  const { seq, at, fate, format, stamp } = happening;
  if (!Number.isInteger(seq) || at === undefined || !(FATES as readonly unknown[]).includes(fate)) {
    throw new Error("a reply has no seq, at or fate that is known");
  }
  if (format !== undefined && !(STAMP_FORMATS as readonly unknown[]).includes(format as StampFormat)) {
    throw new Error(`a reply's format is unknown: "${format}"`);
  }
  if (stamp !== undefined && format === undefined) throw new Error("a reply has a stamp and no format");
  return happening as unknown as Happening;
}

/** What is left of a run that was saved. */
export interface SavedRun {
  start: Start;
  replies: Happening[];
  /** Why it ended before it was to; null if it did not, or that is not known. */
  ended: string | null;
  /** Whether its end is missing. */
  cut: boolean;
}

/**
 * Reads a saved run: the document of `--json`, or the lines of `--json-stream`. The end may be missing, and the last
 * line cut, as when the machine went down.
 *
 * @throws {Error} whose message says what the text is not.
 */
export function readRun(text: string): SavedRun {
  const records = readRecords(text);
  const start = records.find(({ type }) => type === "start");
  if (start === undefined) throw new Error("it has no start; is it of tsecho ping?");
  checkStart(start);
  const replies = records.filter(({ type }) => type === "reply");
  if (replies.length === 0) throw new Error("it has no replies; was it a --json-stream with -q?");
  const end = records.find(({ type }) => type === "end");
  return {
    start,
    replies: replies.map(fromRecord),
    ended: typeof end?.ended === "string" ? end.ended : null,
    cut: end === undefined,
  };
}

/** A run that has begun and seen nothing yet. */
export function newRun({ clocks_synced, connect, handshake }: Start): Run {
  const run = new Run(clocks_synced);
  if (connect !== null) run.connected(connect * 1e6, handshake === null ? undefined : handshake * 1e6);
  return run;
}

function checkStart(start: Json): asserts start is Json & Start {
  const whose = "the start's";
  if (start.version !== 1) throw new Error(`its version is ${start.version}, and only 1 is known here`);
  textOf(start, whose, "endpoint");
  for (const field of ["time", "interval", "size", "timeout"]) numberOf(start, whose, field, 0);
  for (const field of ["connect", "handshake"]) {
    if (start[field] !== null) numberOf(start, whose, field, 0);
  }
  if (typeof start.clocks_synced !== "boolean") throw new Error(`${whose} "clocks_synced" is no boolean`);
}

function readRecords(text: string): Json[] {
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    return readLines(text);
  }
  const { start, replies, end } = objectOf(document);
  if (start === undefined) return [objectOf(document)];
  return [start, ...(Array.isArray(replies) ? replies : []), ...(end === undefined ? [] : [end])].map(
    objectOf,
  );
}

/** The objects of a stream, one a line; or of a document whose end is missing, for it has a reply a line. */
function readLines(text: string): Json[] {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return lines.flatMap((line, i) => {
    const object = line.replace(/^\{"start":(.*),"replies":\[$/, "$1").replace(/,$/, "");
    try {
      return [objectOf(JSON.parse(object))];
    } catch {
      if (i > 0 && i === lines.length - 1) return [];
      throw new Error(`line ${i + 1} is not a JSON object`);
    }
  });
}

function objectOf(value: unknown): Json {
  if (typeof value !== "object" || value === null) throw new Error("it is not of tsecho ping");
  return value as Json;
}
