/** What the values of options are made of: each reader's error says what was expected. */
import { looksLikeOption } from "./parser.ts";

/** Takes any text. */
export function parseText(text: string): string {
  return text;
}

/** Reads the name of a file. @throws {Error} for what can be no file's name, or is the next option. */
export function parsePath(text: string): string {
  if (text === "" || text.includes("\0")) throw new Error("expected a file");
  refuseOption(text, `for a file, ./${text}`);
  return text;
}

/** Refuses a value that is the next option, which an option without its value takes. @param hint what to do. */
export function refuseOption(text: string, hint: string): void {
  if (looksLikeOption(text)) throw new Error(`it looks like an option; ${hint}`);
}

/** Where input comes from that is in no file. */
export const STDIN = "-";

/** Reads the name of a file to read, or {@linkcode STDIN}. @throws {Error} for what can be no file's name. */
export function parseInputPath(text: string): string {
  if (text === "") throw new Error("expected a file, or - for stdin");
  return /^\/dev\/(?:stdin|fd\/0)$/.test(text) ? STDIN : parsePath(text);
}

/** Where output goes that is meant for no file. */
export const STDOUT = "-";
export const STDERR = "/dev/stderr";

/**
 * Reads the name of a file to write, {@linkcode STDOUT} or {@linkcode STDERR}. Deno keeps what these are links to, files
 * in /proc, from programs that may not do everything.
 *
 * @throws {Error} for what can be no file's name.
 */
export function parseOutputPath(text: string): string {
  if (text === "") throw new Error("expected a file, or - for stdout");
  if (/^\/dev\/(?:stdout|fd\/1)$/.test(text)) return STDOUT;
  if (/^\/dev\/(?:stderr|fd\/2)$/.test(text)) return STDERR;
  return parsePath(text);
}

/** Reads the permissions of a file, as chmod takes them. @throws {Error} when they are none. */
export function parseMode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text)) throw new Error("expected three octal digits such as 660");
  return parseInt(text, 8);
}

/** A mode as {@linkcode parseMode} reads it. */
export function formatMode(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

const BYTES_PER: Record<string, number> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Reads a size in bytes: `65536`, `64k`, `64KiB`. @throws {Error} when it is no size or outside [min, max]. */
export function parseSize(text: string, min: number, max: number): number {
  const match = /^(\d+)(?:([kmg])(?:ib)?)?$/i.exec(text);
  const size = match ? Number(match[1]) * BYTES_PER[(match[2] ?? "").toLowerCase()]! : NaN;
  if (!(size >= min && size <= max)) {
    const [least, most] = [min, max].map((it) => formatSize(it).replace(/^\d+$/, () => grouped(it)));
    throw new Error(`expected a size such as ${sizesWithin(min, max)}, from ${least} to ${most}`);
  }
  return size;
}

/** Examples that such an option takes. */
function sizesWithin(min: number, max: number): string {
  if (max < 65536) return "1400, 4k or 4KiB";
  return min > 65536 ? "67108864, 64m or 64MiB" : "65536, 64k or 64KiB";
}

/** A number as errors and help texts write it: `10,000,000`. */
export function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

/** A size as {@linkcode parseSize} reads it, in the largest unit that divides it. */
export function formatSize(bytes: number): string {
  for (const [unit, name] of [["g", "GiB"], ["m", "MiB"], ["k", "KiB"]] as const) {
    if (bytes > 0 && bytes % BYTES_PER[unit]! === 0) return `${bytes / BYTES_PER[unit]!}${name}`;
  }
  return String(bytes);
}

const MILLIS_PER: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** JavaScript's timers wait at most 2^31 - 1 ms, a little more than this. */
const MAX_MILLIS = 500 * 3_600_000;

/**
 * Reads a time in milliseconds: a number alone is seconds (`0.2`, `10`), and so it is in every command; or with its unit,
 * `200ms`, `1.5s`, `5m`, `2h`.
 *
 * @param min the least that it may be: 0, or 1 where there is no "no limit". @throws {Error} for all else.
 */
export function parseTime(text: string, min: 0 | 1 = 0): number {
  const match = /^(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h|)$/i.exec(text);
  const millis = match === null ? NaN : Number(match[1]) * MILLIS_PER[match[2]!.toLowerCase() || "s"]!;
  if (!(millis <= MAX_MILLIS) || millis < min || (millis > 0 && millis < 1)) {
    throw new Error(
      `expected a time such as 0.2, 200ms or 10s, from 1ms to 500h${min === 0 ? ", or 0" : ""}`,
    );
  }
  return millis;
}

/** A time as {@linkcode parseTime} reads it, in the largest unit of which it is a multiple. */
export function formatTime(millis: number): string {
  const [unit] = Object.entries(MILLIS_PER).findLast(([, per]) => millis > 0 && millis % per === 0) ?? ["s"];
  return `${millis / MILLIS_PER[unit]!}${unit}`;
}

/** Reads a whole number from `min` to `max`. @throws {Error} for all else. */
export function parseCount(text: string, min: number, max: number): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(count >= min && count <= max)) {
    throw new Error(`expected a whole number from ${grouped(min)} to ${grouped(max)}`);
  }
  return count;
}

/** Reads a whole number like {@linkcode parseCount}, or in powers of ten: `1e6`. @throws {Error} for all else. */
export function parseLargeCount(text: string, min: number, max: number): number {
  const count = /^\d+(?:\.\d+)?(?:e\d{1,2})?$/i.test(text) ? Number(text) : NaN;
  if (!(Number.isInteger(count) && count >= min && count <= max)) {
    throw new Error(`expected a whole number such as 5000 or 1e6, from ${grouped(min)} to ${grouped(max)}`);
  }
  return count;
}

const TIMES: Record<string, number> = { "": 1, k: 1000, m: 1_000_000 };

/** Reads how often something happens each second: `20000`, `20k`, `2e4`, `0.5`. @throws {Error} for all else, and for 0. */
export function parseRate(text: string, max: number): number {
  const match = /^((?:\d+(?:\.\d*)?|\.\d+)(?:e\d{1,2})?)([km]?)$/i.exec(text);
  const rate = match === null ? NaN : Number(match[1]) * TIMES[match[2]!.toLowerCase()]!;
  if (!(rate > 0 && rate <= max)) {
    throw new Error(`expected a number a second such as 5000, 5k or 0.5, above 0 and up to ${grouped(max)}`);
  }
  return rate;
}

/** Reads one of a few words. @throws {Error} for all else. */
export function parseChoice<T extends string>(text: string, choices: readonly T[]): T {
  const choice = choices.find((it) => it === text);
  if (choice === undefined) {
    throw new Error(`expected ${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`);
  }
  return choice;
}
