import type { ProbeEvent } from "../stats/events.ts";
import type { IntervalSummary } from "../stats/interval.ts";
import type { End, Exporter, PingExporter, Sink } from "./exporter.ts";
import { type Start, toRecord } from "./record.ts";

/** One JSON document, with an event a line: what a run that is killed has written can be read back. */
export class JsonDocument implements PingExporter {
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

/** What becomes the object of a stream for each part of a run; a part that is left out has none. */
export type Records<Start, Event, Interval, End> = {
  start(start: Start): object;
  event?(event: Event): object;
  interval?(interval: Interval): object;
  end(end: End): object;
};

/** A JSON object a line, while the run goes on. */
export class JsonStream<Start, Event, Interval, End> implements Exporter<Start, Event, Interval, End> {
  readonly #sink: Sink;
  readonly #records: Records<Start, Event, Interval, End>;

  constructor(sink: Sink, records: Records<Start, Event, Interval, End>) {
    this.#sink = sink;
    this.#records = records;
  }

  start(start: Start): void {
    this.#write(this.#records.start(start));
  }

  event(event: Event): void {
    this.#write(this.#records.event?.(event));
  }

  interval(interval: Interval): void {
    this.#write(this.#records.interval?.(interval));
  }

  end(end: End): void {
    this.#write(this.#records.end(end));
  }

  #write(record: object | undefined): void {
    if (record !== undefined) this.#sink.write(`${JSON.stringify(record)}\n`);
  }
}

/** The stream of a run of ping's. @param events whether events are written too. */
export function jsonStreamOf(sink: Sink, events: boolean): PingExporter {
  return new JsonStream<Start, ProbeEvent, IntervalSummary, End>(sink, {
    start: (start) => start,
    ...(events && { event: toRecord }),
    interval: (interval) => ({ type: "interval", ...interval }),
    end: endRecord,
  });
}

function endRecord({ ended, summary, thresholds }: End): object {
  return { type: "end", ended, ...summary, thresholds };
}
