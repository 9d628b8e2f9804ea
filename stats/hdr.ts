import { deflateSync } from "node:zlib";
import type { Distribution } from "./distribution.ts";

/** Nanoseconds in a unit of a distribution's histogram. */
const NANOS_PER_UNIT = 100;
/** Significant digits, and the bins of both histograms: half as many for each doubling from this value on. */
export const DIGITS = 3;
export const HALF = 1024;
/** What the format begins with, inside and outside of the compressed part, and the length of what is before the counts. */
export const COOKIE = 0x1c849313;
export const COMPRESSED_COOKIE = 0x1c849314;
export const HEADER = 40;

/**
 * A distribution in HdrHistogram's exchange format (V2, compressed, base64), its values in nanoseconds.
 *
 * It is written here since hdr-histogram-js writes a header that others take at its word: with its index offset of 1 the
 * C library finds each value a bin too high, and that for Rust refuses it.
 */
export function encodeHdr(values: Distribution): string {
  const { histogram: source } = values;
  const bytes: number[] = [];
  let next = 0;
  let most = 0;
  let [bin, count] = [0, 0];
  const put = () => {
    if (count === 0) return;
    if (bin > next) putSigned(bytes, next - bin); // so many bins are empty
    putSigned(bytes, count);
    next = bin + 1;
  };
  for (let index = 0; index < source.countsArrayLength; index++) {
    const added = source.getCountAtIndex(index);
    if (added === 0) continue;
    most = middleOf(index) * NANOS_PER_UNIT;
    const place = binOf(most);
    if (place !== bin) {
      put();
      [bin, count] = [place, 0];
    }
    count += added;
  }
  put();
  const data = new Uint8Array(HEADER + bytes.length);
  const view = new DataView(data.buffer);
  view.setInt32(0, COOKIE);
  view.setInt32(4, bytes.length);
  view.setInt32(8, 0); // the index offset
  view.setInt32(12, DIGITS);
  view.setBigInt64(16, 1n); // the lowest value and the highest
  view.setBigInt64(24, BigInt(Math.max(2, Math.floor(most))));
  view.setFloat64(32, 1); // the ratio of integers to values
  data.set(bytes, HEADER);
  const compressed = deflateSync(data);
  const whole = new Uint8Array(8 + compressed.length);
  new DataView(whole.buffer).setInt32(0, COMPRESSED_COOKIE);
  new DataView(whole.buffer).setInt32(4, compressed.length);
  whole.set(compressed, 8);
  return whole.toBase64();
}

/** Adds a number in ZigZag LEB128: 7 bits a byte, the lowest first, the sign in the lowest bit. */
function putSigned(bytes: number[], value: number): void {
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push(128 + rest % 128);
  bytes.push(rest);
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
