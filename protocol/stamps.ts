/** The formats that `--stamp` offers. */
export const STAMP_FORMATS = ["iso", "ctime", "unix", "none"] as const;
/** How a moment is written in front of a line. */
export type StampFormat = typeof STAMP_FORMATS[number];

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A stamp's text around its six microsecond digits, which stays the same for a second. */
interface SecondText {
  head: string;
  /** Whether the format has these digits. */
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

function pad(n: number): string {
  return String(n).padStart(2, "0");
}

/** Local time as C's ctime(3) without its newline, which is also Python's `time.ctime()`: day padded with a space. */
function ctime(date: Date): string {
  const day = String(date.getDate()).padStart(2, " ");
  const clock = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return `${DAYS[date.getDay()]} ${MONTHS[date.getMonth()]} ${day} ${clock} ${date.getFullYear()}`;
}

/**
 * The bytes that go in front of each line: `[stamp] `, or `[stamp tag] `, or nothing for `none`.
 *
 * Every read needs one, and most fall into the same second as the one before: then only the digits are rewritten.
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
   * Writes stamps of one format.
   *
   * @param tag ASCII without control characters, blanks or brackets, so that the prefix can be parsed.
   * @param room where to write the prefix, at least 32 bytes and the tag's length.
   */
  constructor(format: StampFormat, tag = "", room: Uint8Array = new Uint8Array(32 + tag.length)) {
    this.#format = format;
    this.#room = room;
    this.#bytes = room.subarray(0, 0);
    this.#tail = format === "none" ? "" : (tag === "" ? "] " : ` ${tag}] `);
  }

  /**
   * The prefix for a moment in microseconds since the epoch. Valid until the next call, which reuses the array.
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

/** A prefix in any format, with or without a tag. */
const PREFIX =
  /^\[(?:(?<iso>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(?<isoMicros>\d{6})Z|(?<ctime>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})|(?<unix>\d{1,11})\.(?<unixMicros>\d{6}))(?: (?<tag>[!-Z\\^-~]{1,64}))?\] /;
/** The longest prefix in any format, with the longest tag, in bytes. */
export const MAX_PREFIX_LENGTH = 100;
const BRACKET = 0x5b;

function matchPrefix(message: Uint8Array): RegExpExecArray | null {
  return PREFIX.exec(String.fromCharCode(...message.subarray(0, MAX_PREFIX_LENGTH)));
}

/** The length in bytes of the prefix at a message's beginning, in any format; 0 if there is none. */
export function prefixLength(message: Uint8Array): number {
  if (message[0] !== BRACKET) return 0;
  return matchPrefix(message)?.[0].length ?? 0;
}

/** The prefix of an echoed line. */
export interface ReadPrefix {
  /** In bytes. */
  length: number;
  /** Undefined for brackets that hold no stamp. */
  format?: StampFormat | undefined;
  /** Microseconds since the epoch. A ctime, which has no zone, is read as this machine's local time. */
  micros?: number | undefined;
  /** The server's name, if the prefix has one. */
  tag?: string | undefined;
}

/**
 * Reads the prefixes that {@linkcode Prefix} writes, in any format. Most differ from the one before in the digits of
 * the microseconds alone, and only these are parsed then.
 */
export class PrefixReader {
  /** The last prefix that was parsed whole, and its meaning. */
  #bytes = new Uint8Array();
  #read: ReadPrefix = { length: 0 };
  /** The position of its six microsecond digits, and its second in microseconds. */
  #digits = 0;
  #second = 0;

  /** The prefix of a line; one of length 0 and format `none` if it has none. */
  read(line: Uint8Array): ReadPrefix {
    const micros = this.#sameButMicros(line);
    if (micros >= 0) {
      const { length, format, tag } = this.#read;
      return { length, format, micros: this.#second + micros, tag };
    }
    const read = readPrefix(line);
    if (read.format === "iso" || read.format === "unix") {
      this.#bytes = line.slice(0, read.length);
      this.#read = read;
      this.#digits = this.#bytes.indexOf(0x2e) + 1;
      this.#second = Math.floor(read.micros! / 1e6) * 1e6;
    }
    return read;
  }

  /** The microseconds of a prefix that differs from the last in them alone; -1 for any other. */
  #sameButMicros(line: Uint8Array): number {
    const bytes = this.#bytes;
    if (bytes.length === 0 || line.length < bytes.length) return -1;
    let micros = 0;
    for (let i = 0; i < bytes.length; i++) {
      if (i >= this.#digits && i < this.#digits + 6) {
        if (line[i]! < 48 || line[i]! > 57) return -1;
        micros = micros * 10 + line[i]! - 48;
      } else if (line[i] !== bytes[i]) {
        return -1;
      }
    }
    return micros;
  }
}

function readPrefix(line: Uint8Array): ReadPrefix {
  if (line[0] !== BRACKET) return { length: 0, format: "none" };
  const match = matchPrefix(line);
  if (match === null) {
    // Other text in brackets before a blank may be another server's prefix.
    const end = line.subarray(0, MAX_PREFIX_LENGTH).indexOf(0x5d);
    return { length: end > 0 && line[end + 1] === 0x20 ? end + 2 : 0 };
  }
  const [{ length }] = match;
  const { iso, isoMicros, unix, unixMicros, ctime, tag } = match.groups!;
  const format = iso !== undefined ? "iso" : unix !== undefined ? "unix" : "ctime";
  const second = iso !== undefined ? isoSecond(iso) : unix !== undefined ? Number(unix) : ctimeSecond(ctime!);
  const micros = second * 1e6 + Number(isoMicros ?? unixMicros ?? 0);
  if (Number.isNaN(micros)) return { length };
  return { length, format, micros, tag };
}

/** The second of a date in UTC; NaN for one that no calendar has, which JavaScript rolls over into the next month. */
function isoSecond(iso: string): number {
  const millis = Date.parse(`${iso}Z`);
  return isSame(millis, iso) ? millis / 1000 : NaN;
}

/** The second of a date in local time; NaN for one that no calendar has, or with another day of the week. */
function ctimeSecond(text: string): number {
  const [, month, day, clock, year] = text.split(/ +/) as [string, string, string, string, string];
  const date = `${year}-${pad(MONTHS.indexOf(month) + 1)}-${pad(Number(day))}T${clock}`;
  // Whether there is such a date is asked in UTC: what this machine's zone leaves out in spring another one has.
  const millis = Date.parse(`${date}Z`);
  if (!isSame(millis, date) || !text.startsWith(DAYS[new Date(millis).getUTCDay()]!)) return NaN;
  return Date.parse(date) / 1000;
}

function isSame(millis: number, iso: string): boolean {
  return !Number.isNaN(millis) && new Date(millis).toISOString().startsWith(iso);
}
