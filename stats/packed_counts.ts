/** Counts of a histogram's bins as few bytes: gaps and counts in turn, seven bits a byte (LEB128). */

/** Packs counts by index, in rising order; those that are 0 take no bytes. */
export function packCounts(length: number, countAt: (index: number) => number): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(256);
  let used = 0;
  const put = (value: number) => {
    if (used + 8 > bytes.length) {
      const more = new Uint8Array(2 * bytes.length);
      more.set(bytes);
      bytes = more;
    }
    for (; value > 127; value = Math.floor(value / 128)) bytes[used++] = 128 | value % 128;
    bytes[used++] = value;
  };
  let next = 0;
  for (let index = 0; index < length; index++) {
    const count = countAt(index);
    if (count === 0) continue;
    put(index - next);
    put(count);
    next = index + 1;
  }
  return bytes.slice(0, used);
}

/** Calls back with each index and count that were packed. */
export function unpackCounts(bytes: Uint8Array, use: (index: number, count: number) => void): void {
  let at = 0;
  const take = () => {
    let value = 0;
    for (let factor = 1;; factor *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  for (let next = 0; at < bytes.length; next++) {
    next += take();
    use(next, take());
  }
}
