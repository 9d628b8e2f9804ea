import { encodeHdr } from "../stats/hdr.ts";
import type { LoadInterval } from "../stats/load_interval.ts";
import type { Sink } from "./exporter.ts";
import type { LoadExporter, LoadStart } from "./load_record.ts";

/**
 * An HDR interval log (version 1.3): a line for each second and each kind of duration, which its tag names. Values are
 * in nanoseconds, maxima in ms, moments in seconds since the measured part of the run began.
 */
export class HdrLog implements LoadExporter {
  readonly #sink: Sink;
  #open = false;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  start({ time, loop }: LoadStart): void {
    this.#open = loop === "open";
    const began = `${time.toFixed(3)} (seconds since epoch)`;
    this.#sink.write(
      "#[Logged by tsecho load]\n" +
        "#[Histogram log format version 1.3]\n" +
        `#[BaseTime: ${began}]\n` +
        `#[StartTime: ${began}, ${new Date(time * 1000).toISOString()}]\n` +
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n',
    );
  }

  interval({ from, to, response, service, sendLag }: LoadInterval): void {
    const kinds = this.#open ? { response, service, send_lag: sendLag } : { service };
    for (const [tag, values] of Object.entries(kinds)) {
      const max = values.count === 0 ? 0 : values.max / 1000;
      const numbers = [from / 1000, (to - from) / 1000, max].map((it) => it.toFixed(3));
      this.#sink.write(`Tag=${tag},${numbers.join(",")},${encodeHdr(values)}\n`);
    }
  }
}
