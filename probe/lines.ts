/** The least payload of a probe line in bytes: its run, its number, and the dots between. */
export const MIN_PROBE = 20;
/** The most: what every transport carries, the prefix of the reply included. */
export const MAX_PROBE = 65_000;
const RUN_DIGITS = 8;
const SEQ_DIGITS = 10;

/** The lines of one run: they bear a random id of the run, and differ in their numbers alone. */
export class ProbeLines {
  readonly #line: Uint8Array<ArrayBuffer>;
  readonly #size: number;

  /** @param size of the payload in bytes, {@linkcode MIN_PROBE} to {@linkcode MAX_PROBE}. */
  constructor(size: number) {
    this.#size = size;
    const id = crypto.getRandomValues(new Uint32Array(2)).reduce((text, it) => text + it.toString(36), "");
    const head = `${id.slice(-RUN_DIGITS).padStart(RUN_DIGITS, "0")}.${"0".repeat(SEQ_DIGITS)}.`;
    const rest = "abcdefghijklmnopqrstuvwxyz".repeat(Math.ceil(size / 26));
    this.#line = new TextEncoder().encode(`${(head + rest).slice(0, size)}\n`);
  }

  /** The line with this number, 1 to 9,999,999,999, and its LF; valid until the next call. */
  line(seq: number): Uint8Array<ArrayBuffer> {
    for (let i = RUN_DIGITS + SEQ_DIGITS; i > RUN_DIGITS; i--) {
      const tens = Math.floor(seq / 10);
      this.#line[i] = 48 + seq - tens * 10;
      seq = tens;
    }
    return this.#line;
  }

  /** The number of the line that came back, which begins at `from`; 0 if it is not of this run, or was changed. */
  seqOf(line: Uint8Array, from = 0): number {
    if (line.length - from !== this.#size) return 0;
    let seq = 0;
    for (let i = 0; i < this.#size; i++) {
      const byte = line[from + i]!;
      if (i > RUN_DIGITS && i <= RUN_DIGITS + SEQ_DIGITS) {
        if (byte < 48 || byte > 57) return 0;
        seq = seq * 10 + byte - 48;
      } else if (byte !== this.#line[i]) {
        return 0;
      }
    }
    return seq;
  }
}
