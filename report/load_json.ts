import type { LoadInterval } from "../stats/load_interval.ts";
import type { LoadTrial } from "../stats/load_trial.ts";
import type { Sink } from "./exporter.ts";
import { JsonStream } from "./json.ts";
import { type LoadEnd, type LoadExporter, type LoadStart, toEnd, toSecond } from "./load_record.ts";

/** One JSON document, with a second a line, or more where a run has many. */
export class LoadDocument implements LoadExporter {
  readonly #sink: Sink;
  #loop: LoadStart["loop"] = "open";

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  start(start: LoadStart): void {
    this.#loop = start.loop;
    this.#sink.write(`{"start":${JSON.stringify(start)},"seconds":[`);
  }

  end(end: LoadEnd): void {
    let separator = "\n";
    for (const interval of end.stats.seconds()) {
      this.#sink.write(separator + JSON.stringify(toSecond(interval, this.#loop)));
      separator = ",\n";
    }
    this.#sink.write(`\n],"end":${JSON.stringify(toEnd(end))}}\n`);
  }
}

/** A JSON object a line, while the run goes on. @param seconds whether each second is written. */
export function loadStream(sink: Sink, seconds: boolean): LoadExporter {
  let loop: LoadStart["loop"] = "open";
  return new JsonStream<LoadStart, LoadTrial, LoadInterval, LoadEnd>(sink, {
    start(start) {
      loop = start.loop;
      return start;
    },
    ...(seconds && {
      interval: (interval: LoadInterval) => ({ type: "interval", ...toSecond(interval, loop) }),
    }),
    end: toEnd,
  });
}
