import { inflateSync } from "node:zlib";
import { Distribution } from "./distribution.ts";
import { COMPRESSED_COOKIE, COOKIE, DIGITS, HALF, HEADER } from "./hdr.ts";

const NANOS_PER_MICRO = 1000;
/** Before what is compressed: its cookie and its length. */
const OUTER_HEADER = 8;
/** Far beyond the bytes of any histogram that is written here: a small text must not fill the memory. */
const MAX_INFLATED = 4 * 1024 ** 2;
/** Beyond this bin no duration lies. */
const MAX_BIN = 64 * HALF;

/**
 * The distribution in a text that `encodeHdr` made, to the histogram's precision.
 *
 * @throws {Error} for other texts.
 */
export function decodeHdr(text: string): Distribution {
  const values = new Distribution();
  for (const [micros, count] of hdrValues(text)) values.record(micros, count);
  return values;
}

/**
 * The values in a text that `encodeHdr` made, each with its count. They fall, so that a histogram that takes them grows
 * but once.
 *
 * Not with hdr-histogram-js, which takes five times as long.
 *
 * @throws {Error} for other texts.
 */
export function hdrValues(text: string): [micros: number, count: number][] {
  const data = inflated(Uint8Array.fromBase64(text));
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const isOurs = view.getInt32(0) === COOKIE && view.getInt32(8) === 0 && view.getInt32(12) === DIGITS &&
    view.getBigInt64(16) === 1n && view.getInt32(4) === data.length - HEADER;
  if (!isOurs) throw new Error("it is another histogram");
  const values: [number, number][] = [];
  let at = HEADER;
  for (let bin = 0; at < data.length;) {
    let [number, factor] = [0, 1];
    for (;; factor *= 128) { // ZigZag LEB128
      const byte = data[at++];
      if (byte === undefined) throw new Error("a count is cut");
      number += (byte & 127) * factor;
      if (byte < 128) break;
    }
    if (number % 2 === 1) {
      bin += (number + 1) / 2; // so many bins are empty
    } else {
      if (bin > MAX_BIN) throw new Error("a value is no duration");
      if (number > 0) values.push([middleOf(bin) / NANOS_PER_MICRO, number / 2]);
      bin++;
    }
  }
  return values.reverse();
}

/** The middle of a bin's values: 2,048 bins hold one value each, the others two, four and so on. */
function middleOf(bin: number): number {
  const doublings = Math.max(0, Math.floor(bin / HALF) - 1);
  const width = 2 ** doublings;
  return (bin - doublings * HALF) * width + Math.floor(width / 2);
}

/** @throws {Error} when it is no compressed histogram, or one too large. */
function inflated(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer);
  if (view.getInt32(0) !== COMPRESSED_COOKIE) throw new Error("it is no compressed histogram");
  const end = OUTER_HEADER + view.getInt32(4);
  return new Uint8Array(
    inflateSync(bytes.subarray(OUTER_HEADER, end), { maxOutputLength: MAX_INFLATED }),
  );
}
