// Named here, not in deno.json: who imports load.ts by its path has another import map. The package's index would load
// WebAssembly besides.
// deno-lint-ignore no-import-prefix
import hdr from "npm:hdr-histogram-js@3.0.1/dist/Float64Histogram.js";
// deno-lint-ignore no-import-prefix
import encoding from "npm:hdr-histogram-js@3.0.1/dist/JsHistogram.encoding.js";
import { Distribution } from "./distribution.ts";

/** Nanoseconds in a unit of a distribution's histogram. */
const NANOS_PER_UNIT = 100;
const NANOS_PER_MICRO = 1000;
/** Counts are read into doubles. */
const BITS_OF_COUNT = 64;
/** Significant digits, and the bins of both histograms: half as many for each doubling from this value on. */
const DIGITS = 3;
const HALF = 1024;

/**
 * A distribution in HdrHistogram's exchange format (V2, compressed, base64), its values in nanoseconds. A run writes some
 * each second while lines are due: the bins are found here, in half the time that the package takes.
 */
export function encodeHdr(values: Distribution): string {
  const { histogram: source } = values;
  let last = source.countsArrayLength - 1;
  while (last > 0 && source.getCountAtIndex(last) === 0) last--;
  const most = middleOf(last) * NANOS_PER_UNIT;
  const histogram = new hdr.default(1, Math.max(2, most), DIGITS);
  for (let index = 0; index <= last; index++) {
    const count = source.getCountAtIndex(index);
    if (count > 0) histogram.addToCountAtIndex(binOf(middleOf(index) * NANOS_PER_UNIT), count);
  }
  histogram.setTotalCount(source.totalCount);
  histogram.maxValue = Math.floor(most);
  return histogram.encodeIntoCompressedBase64();
}

/** The middle of a bin's values: 2,048 bins hold one value each, the others two, four and so on. */
function middleOf(bin: number): number {
  const doublings = Math.max(0, Math.floor(bin / HALF) - 1);
  const width = 2 ** doublings;
  return (bin - doublings * HALF) * width + (width - 1) / 2;
}

function binOf(value: number): number {
  const doublings = value < 2 * HALF ? 0 : Math.floor(Math.log2(value)) - 10;
  return doublings * HALF + Math.floor(value / 2 ** doublings);
}

/**
 * The distribution in a text that {@linkcode encodeHdr} made, to the histogram's precision.
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
