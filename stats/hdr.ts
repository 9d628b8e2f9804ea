// The package's own file for this format, which its index loads together with WebAssembly.
// deno-lint-ignore no-import-prefix
import hdr from "npm:hdr-histogram-js@3.0.1/dist/Float64Histogram.js";
// deno-lint-ignore no-import-prefix
import format from "npm:hdr-histogram-js@3.0.1/dist/JsHistogram.encoding.js";
import { Distribution } from "./distribution.ts";

/** Nanoseconds in a unit of a distribution's histogram. */
const NANOS_PER_UNIT = 100;
const DIGITS = 3;

/** A distribution in HdrHistogram's exchange format (V2, compressed, base64), its values in nanoseconds. */
export function encodeHdr(values: Distribution): string {
  const histogram = new hdr.default(1, 2, DIGITS);
  histogram.autoResize = true;
  const { histogram: source } = values;
  for (let index = 0; index < source.countsArrayLength; index++) {
    const count = source.getCountAtIndex(index);
    if (count === 0) continue;
    const units = source.medianEquivalentValue(source.valueFromIndex(index));
    histogram.recordValueWithCount(Math.round(units * NANOS_PER_UNIT), count);
  }
  return histogram.encodeIntoCompressedBase64();
}

/** The distribution in a text of {@linkcode encodeHdr}, to the histogram's precision. @throws {Error} for other texts. */
export function decodeHdr(text: string): Distribution {
  const bytes = format.decompress(Uint8Array.from(atob(text), (it) => it.charCodeAt(0)));
  const histogram = format.doDecode(bytes, 64);
  const values = new Distribution();
  for (let index = 0; index < histogram.countsArrayLength; index++) {
    const count = histogram.getCountAtIndex(index);
    if (count === 0) continue;
    const nanos = histogram.medianEquivalentValue(histogram.valueFromIndex(index));
    values.record(nanos / 1000, count);
  }
  return values;
}
