import type { ProbeEvent } from "../stats/events.ts";
import type { Exporter, Sink } from "./exporter.ts";
import { REPLY_FIELD_NAMES, toRecord } from "./record.ts";

/** A table in CSV (RFC 4180) with a row for each event. */
export class CsvTable implements Exporter {
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

/** A row: unknown values are empty. */
export function toCsv(event: ProbeEvent): string {
  const record = toRecord(event);
  return REPLY_FIELD_NAMES.map((field) => {
    const text = String(record[field] ?? "");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }).join(",");
}
