import { inflateSync } from "node:zlib";
// Named here, not in deno.json, as in distribution.ts: the package's index would load WebAssembly besides.
// deno-lint-ignore no-import-prefix
import encoding from "npm:hdr-histogram-js@3.0.1/dist/JsHistogram.encoding.js";
import { Distribution } from "./distribution.ts";

const NANOS_PER_MICRO = 1000;
/** Counts are read into doubles. */
const BITS_OF_COUNT = 64;
/** A compressed histogram begins with a cookie, whose second last digit is left open, and the length of what follows. */
const COOKIE = 0x1c849304;
const HEADER = 8;
/** Far beyond the bytes of any histogram that is written here: a small text must not fill the memory. */
const MAX_INFLATED = 4 * 1024 ** 2;

/**
 * The distribution in a text that `encodeHdr` made, to the histogram's precision.
 *
 * @throws {Error} for other texts.
 */
export function decodeHdr(text: string): Distribution {
  const values = new Distribution();
  const histogram = encoding.doDecode(inflated(Uint8Array.fromBase64(text)), BITS_OF_COUNT);
  for (let index = 0; index < histogram.countsArrayLength; index++) {
    const count = histogram.getCountAtIndex(index);
    if (count === 0) continue;
    values.record(histogram.medianEquivalentValue(histogram.valueFromIndex(index)) / NANOS_PER_MICRO, count);
  }
  return values;
}

/** @throws {Error} when it is no compressed histogram, or one too large. */
function inflated(bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  const view = new DataView(bytes.buffer);
  if ((view.getInt32(0) & ~0xf0) !== COOKIE) throw new Error("it is no compressed histogram");
  return inflateSync(bytes.subarray(HEADER, HEADER + view.getInt32(4)), { maxOutputLength: MAX_INFLATED });
}
