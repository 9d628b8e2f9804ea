// Named here, not in deno.json, as in distribution.ts: the package's index would load WebAssembly besides.
// deno-lint-ignore no-import-prefix
import encoding from "npm:hdr-histogram-js@3.0.1/dist/JsHistogram.encoding.js";
import { Distribution } from "./distribution.ts";

const NANOS_PER_MICRO = 1000;
/** Counts are read into doubles. */
const BITS_OF_COUNT = 64;

/**
 * The distribution in a text that `encodeHdr` made, to the histogram's precision.
 *
 * @throws {Error} for other texts.
 */
export function decodeHdr(text: string): Distribution {
  const values = new Distribution();
  const histogram = encoding.doDecode(encoding.decompress(Uint8Array.fromBase64(text)), BITS_OF_COUNT);
  for (let index = 0; index < histogram.countsArrayLength; index++) {
    const count = histogram.getCountAtIndex(index);
    if (count === 0) continue;
    values.record(histogram.medianEquivalentValue(histogram.valueFromIndex(index)) / NANOS_PER_MICRO, count);
  }
  return values;
}
