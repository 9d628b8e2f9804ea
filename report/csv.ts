import type { ProbeEvent } from "../stats/events.ts";
import type { PingExporter, Sink } from "./exporter.ts";
import { REPLY_FIELD_NAMES, toRecord } from "./record.ts";

/** A table in CSV (RFC 4180) with a row for each event. */
export class CsvTable implements PingExporter {
  readonly #sink: Sink;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  start(): void {
    this.#sink.write(`${REPLY_FIELD_NAMES.join(",")}\n`);
  }

  event(event: ProbeEvent): void {
    this.#sink.write(`${toCsv(event)}\n`);
  }
}

/** A row of ping's: unknown values are empty. */
export function toCsv(event: ProbeEvent): string {
  const record = toRecord(event);
  return csvRow(REPLY_FIELD_NAMES.map((field) => record[field]));
}

/** A row: null and undefined are empty (RFC 4180). */
export function csvRow(values: unknown[]): string {
  return values.map((value) => {
    const text = String(value ?? "");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }).join(",");
}
