/** The objects of a saved run, whatever its command, and their fields. */
import type { Json } from "./record.ts";

/** The most of a duration, a moment or a reading of a clock, in seconds: far beyond any real one. */
export const MAX_SECONDS = 1e12;

/** A number of seconds, or a count. @throws {Error} when the field holds something else. */
export function numberOf(record: Json, whose: string, field: string, least: number): number {
  const value = record[field];
  if (typeof value !== "number") throw new Error(`${whose} "${field}" is no number`);
  if (!(value >= least && value <= MAX_SECONDS)) throw new Error(`${whose} "${field}" is out of range`);
  return value;
}

/** @throws {Error} when the field holds no text. */
export function textOf(record: Json, whose: string, field: string): string {
  const value = record[field];
  if (typeof value !== "string") throw new Error(`${whose} "${field}" is no string`);
  return value;
}

/**
 * The objects of a run: of the document of `--json`, or of the lines of `--json-stream`. The end may be missing, and the
 * last line be cut, as after a crash.
 *
 * @param command that has saved it, in words. @throws {Error} whose message says what the text is not.
 */
export function readRecords(text: string, command: string): Json[] {
  if (/^\s*<!doctype html/i.test(text)) {
    throw new Error("it is a page: open it in a browser and save its JSON");
  }
  const document = parsed(text);
  if (document === undefined && !SERIES_BEGINS.test(text)) return readLines(text, command);
  const records = document === undefined ? {} : objectOf(document, command);
  if (document === undefined || Array.isArray(records.runs)) {
    throw new Error("it has the runs of load --against: compare reads it, without another file");
  }
  if (records.type === "compare") {
    throw new Error("it is a comparison, not a run");
  }
  return recordsOf(records, command);
}

/** How a run began. @param command that has saved it, in words. @throws {Error} when the run does not say. */
export function startOf(records: Json[], command: string): Json {
  const start = records.find(({ type }) => type === "start");
  if (start === undefined) throw new Error(`it has no start; is it of ${command}?`);
  return start;
}

/** The objects of a document. @param command that has saved it, in words. @throws {Error} */
export function recordsOf(document: Json, command: string): Json[] {
  const { start, replies, seconds, end } = document;
  if (start === undefined) return [document];
  const events = [replies, seconds].flatMap((it) => Array.isArray(it) ? it : []);
  return [start, ...events, ...(end === undefined ? [] : [end])].map((it) => objectOf(it, command));
}

/** The first line of a series of runs. */
const SERIES_BEGINS = /^\{"start":.*,"runs":\[\n/;

/**
 * The runs in the document of a series, whose end may be missing: then the whole ones; and why the series ended early,
 * in words.
 *
 * @returns undefined for a text that is none.
 */
export function parseSeries(text: string): { runs: unknown[]; ended: string | null } | undefined {
  const document = parsed(text);
  if (document !== undefined) {
    const { runs, ended } = isObject(document) ? document : {};
    if (!Array.isArray(runs)) return undefined;
    return { runs, ended: typeof ended === "string" ? ended : null };
  }
  if (!SERIES_BEGINS.test(text)) return undefined;
  const runs = text.split("\n").slice(1).map((line) => parsed(line.replace(/,$/, "")));
  return { runs: runs.filter((it) => it !== undefined), ended: "the end of the file is missing" };
}

/** What the JSON is of; undefined for what is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The objects of a stream, one a line; or of a document whose end is missing, which has a reply a line. */
function readLines(text: string, command: string): Json[] {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return lines.flatMap((line, i) => {
    const object = line.replace(/^\{"start":(.*),"(?:replies|seconds)":\[$/, "$1").replace(/,$/, "");
    try {
      return [objectOf(JSON.parse(object), command)];
    } catch {
      if (i > 0 && i === lines.length - 1) return [];
      throw new Error(`line ${i + 1} is not a JSON object`);
    }
  });
}

/** Whether a value is an object with fields, as a list is not. */
export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value as an object. @throws {Error} when it is none. */
export function objectOf(value: unknown, command: string): Json {
  if (!isObject(value)) throw new Error(`it is not of ${command}`);
  return value;
}
