import type { ProbeEvent } from "../stats/events.ts";
import type { IntervalSummary } from "../stats/interval.ts";
import type { End, Exporter, Sink } from "./exporter.ts";
import { type Start, toRecord } from "./record.ts";

/** One JSON document, with an event a line: what a run that is killed has written can be read back. */
export class JsonDocument implements Exporter {
  readonly #sink: Sink;
  #events = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  start(start: Start): void {
    this.#sink.write(`{"start":${JSON.stringify(start)},"replies":[`);
  }

  event(event: ProbeEvent): void {
    this.#sink.write(`${this.#events++ === 0 ? "" : ","}\n${JSON.stringify(toRecord(event))}`);
  }

  end(end: End): void {
    this.#sink.write(`\n],"end":${JSON.stringify(endRecord(end))}}\n`);
  }
}

/** A JSON object a line, while the run goes on. */
export class JsonStream implements Exporter {
  readonly #sink: Sink;
  readonly #events: boolean;

  /** @param events whether events are written too. */
  constructor(sink: Sink, events: boolean) {
    this.#sink = sink;
    this.#events = events;
  }

  start(start: Start): void {
    this.#write(start);
  }

  event(event: ProbeEvent): void {
    if (this.#events) this.#write(toRecord(event));
  }

  interval(interval: IntervalSummary): void {
    this.#write({ type: "interval", ...interval });
  }

  end(end: End): void {
    this.#write(endRecord(end));
  }

  #write(record: object): void {
    this.#sink.write(`${JSON.stringify(record)}\n`);
  }
}

function endRecord({ ended, summary, thresholds }: End): object {
  return { type: "end", ended, ...summary, thresholds };
}
