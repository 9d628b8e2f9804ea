import { MAX_ENTRIES } from "../stats/load_course.ts";
import type { LoadInterval } from "../stats/load_interval.ts";
import type { LoadTrial } from "../stats/load_trial.ts";
import type { Sink } from "./exporter.ts";
import { JsonStream } from "./json.ts";
import { type LoadEnd, type LoadExporter, type LoadStart, toEnd, toSecond } from "./load_record.ts";

/** One JSON document, with a second a line, or more where a run has many. It is written at the end. */
export class LoadDocument implements LoadExporter {
  readonly #sink: Sink;
  #start: LoadStart | undefined;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  start(start: LoadStart): void {
    this.#start = start;
  }

  end(end: LoadEnd): void {
    this.#sink.write(beginningOf(this.#start!, end));
    for (const text of restOf(end, secondsOf(this.#start!, end, 1))) this.#sink.write(text);
  }
}

/**
 * The document as a text of at most so many characters: neighbouring seconds are merged until it fits. Undefined where
 * not even one second does.
 *
 * @returns how many entries of the run make one of its seconds, too.
 */
export function boundedDocument(
  start: LoadStart,
  end: LoadEnd,
  most: number,
): { json: string; merged: number } | undefined {
  const whole = beginningOf(start, end);
  for (let merged = 1; merged <= MAX_ENTRIES; merged *= 2) {
    const texts = [whole];
    let length = whole.length;
    for (const text of restOf(end, secondsOf(start, end, merged))) {
      texts.push(text);
      if ((length += text.length) > most) break;
    }
    if (length <= most) return { json: texts.join(""), merged };
  }
  return undefined;
}

function beginningOf(start: LoadStart, { began = start.time }: LoadEnd): string {
  return `{"start":${JSON.stringify({ ...start, time: began })},"seconds":[`;
}

/** The objects of the seconds, each so many in one. */
function* secondsOf({ loop }: LoadStart, { seconds, stats }: LoadEnd, merged: number): Generator<object> {
  if (seconds !== undefined && merged === 1 && seconds.length <= MAX_ENTRIES) return yield* seconds;
  for (const interval of mergedBy(merged, stats.seconds())) yield toSecond(interval, loop);
}

/** The document behind its beginning, in parts. */
function* restOf(end: LoadEnd, seconds: Iterable<object>): Generator<string> {
  let separator = "\n";
  for (const second of seconds) {
    yield separator + JSON.stringify(second);
    separator = ",\n";
  }
  yield `\n],"end":${JSON.stringify(toEnd(end))}}\n`;
}

/** Each so many intervals in one; what came after the plan's end stays apart. */
function* mergedBy(count: number, intervals: Iterable<LoadInterval>): Generator<LoadInterval> {
  let [merged, parts]: [LoadInterval | undefined, number] = [undefined, 0];
  for (const interval of intervals) {
    if (merged !== undefined && (parts === count || interval.tail)) {
      yield merged;
      merged = undefined;
    }
    if (merged === undefined) {
      [merged, parts] = [interval, 1];
    } else {
      merged.extend(interval);
      parts++;
    }
  }
  if (merged !== undefined) yield merged;
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
