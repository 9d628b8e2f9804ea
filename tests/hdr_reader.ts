/** Reads HDR's exchange format with the package that others read it with. */
// deno-lint-ignore no-import-prefix
import * as hdr from "npm:hdr-histogram-js@3.0.1";
import { Distribution } from "../stats/distribution.ts";

/** The distribution in a text in nanoseconds, to the histogram's precision. @throws {Error} for other texts. */
export function decodeHdr(text: string): Distribution {
  const histogram = hdr.decodeFromCompressedBase64(text, 64) as hdr.Histogram & {
    countsArrayLength: number;
    getCountAtIndex(index: number): number;
    valueFromIndex(index: number): number;
    medianEquivalentValue(value: number): number;
  };
  const values = new Distribution();
  for (let index = 0; index < histogram.countsArrayLength; index++) {
    const count = histogram.getCountAtIndex(index);
    if (count === 0) continue;
    values.record(histogram.medianEquivalentValue(histogram.valueFromIndex(index)) / 1000, count);
  }
  return values;
}
