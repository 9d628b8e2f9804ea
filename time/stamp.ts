/** The formats that `--stamp` offers. */
export const STAMP_FORMATS = ["iso", "ctime", "unix", "none"] as const;
export type StampFormat = typeof STAMP_FORMATS[number];

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * The part of a stamp that stays the same for a whole second, and what follows its six microsecond digits.
 * `fraction` is false where the format has no such digits.
 */
interface SecondText {
  head: string;
  fraction: boolean;
  tail: string;
}

function secondText(format: StampFormat, second: number): SecondText {
  switch (format) {
    case "iso":
      return { head: new Date(second * 1000).toISOString().slice(0, -4), fraction: true, tail: "Z" };
    case "unix":
      return { head: `${second}.`, fraction: true, tail: "" };
    case "ctime":
      return { head: ctime(new Date(second * 1000)), fraction: false, tail: "" };
    case "none":
      return { head: "", fraction: false, tail: "" };
  }
}

/** Local time as C's ctime(3) without its newline, which is also Python's `time.ctime()`: day padded with a space. */
function ctime(date: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const day = String(date.getDate()).padStart(2, " ");
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${DAYS[date.getDay()]} ${MONTHS[date.getMonth()]} ${day} ${clock} ${date.getFullYear()}`;
}

/**
 * The bytes that go in front of each line: `[stamp] `, or `[stamp tag] `, or nothing for `none`.
 *
 * A reply costs one prefix, and most replies fall into the same second as the one before: only the digits are
 * written anew then.
 */
export class Prefix {
  readonly #format: StampFormat;
  readonly #tail: string;
  readonly #room: Uint8Array;
  #bytes: Uint8Array;
  #micros = NaN;
  #second = NaN;
  /** Where the six microsecond digits begin, or -1 where the format has none. */
  #digits = -1;

  /**
   * @param tag ASCII without control characters, blanks and brackets, so that the prefix can be read back.
   * @param room where to write the prefix: 32 bytes and the tag's length at least.
   */
  constructor(format: StampFormat, tag = "", room: Uint8Array = new Uint8Array(32 + tag.length)) {
    this.#format = format;
    this.#room = room;
    this.#bytes = room.subarray(0, 0);
    this.#tail = format === "none" ? "" : (tag === "" ? "] " : ` ${tag}] `);
  }

  /**
   * The prefix for a moment in microseconds since the epoch. The array is the same at each call while the second
   * lasts: copy it, or be done with it, before the next call.
   */
  at(micros: number): Uint8Array {
    if (micros === this.#micros) return this.#bytes;
    this.#micros = micros;
    const second = Math.floor(micros / 1e6);
    if (second !== this.#second) this.#startSecond(second);
    if (this.#digits >= 0) {
      let rest = micros - second * 1e6;
      for (let i = this.#digits + 5; i >= this.#digits; i--) {
        const tens = Math.floor(rest / 10);
        this.#bytes[i] = 48 + rest - tens * 10;
        rest = tens;
      }
    }
    return this.#bytes;
  }

  #startSecond(second: number): void {
    this.#second = second;
    if (this.#format === "none") return;
    const { head, fraction, tail } = secondText(this.#format, second);
    const text = `[${head}${fraction ? "000000" : ""}${tail}${this.#tail}`;
    this.#bytes = this.#room.subarray(0, new TextEncoder().encodeInto(text, this.#room).written);
    this.#digits = fraction ? 1 + head.length : -1;
  }
}

/** What a prefix looks like in any format, with or without a tag. */
const PREFIX =
  /^\[(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}|\d{1,11}\.\d{6})(?: [!-Z\\^-~]{1,64})?\] /;
/** No prefix has more bytes. */
export const LONGEST_PREFIX = 100;
const BRACKET = 0x5b;

/** How many bytes the prefix takes that a message begins with, in whatever format; 0 if it begins with none. */
export function prefixLength(message: Uint8Array): number {
  if (message[0] !== BRACKET) return 0;
  return PREFIX.exec(String.fromCharCode(...message.subarray(0, LONGEST_PREFIX)))?.[0].length ?? 0;
}
