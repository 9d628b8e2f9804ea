/** What the values of options are made of: each reader's error says what was expected. */

/** Takes any text. */
export function parseText(text: string): string {
  return text;
}

/** Reads the name of a file, where `-` is stdin or stdout. @throws {Error} for what can be no file's name. */
export function parsePath(text: string): string {
  if (text === "" || text.includes("\0")) throw new Error("expected a file, or - for stdout");
  return text;
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
    throw new Error(
      `expected a size such as 65536, 64k or 64KiB, from ${formatSize(min)} to ${formatSize(max)}`,
    );
  }
  return size;
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

/** A duration with its unit in milliseconds; NaN for all else. */
function millisOf(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/i.exec(text);
  return match === null ? NaN : Number(match[1]) * MILLIS_PER[match[2]!.toLowerCase()]!;
}

/** Reads a duration in milliseconds: `500ms`, `1.5s`, `5m`, `2h`, or `0` for off. @throws {Error} for all else. */
export function parseDuration(text: string): number {
  const millis = text === "0" ? 0 : millisOf(text);
  if (!(millis <= MAX_MILLIS) || (millis > 0 && millis < 1)) {
    throw new Error("expected a duration such as 500ms, 10s or 5m, from 1ms to 500h, or 0 for off");
  }
  return millis;
}

/**
 * Reads a duration in milliseconds as ping does, where a number alone means seconds, or with a unit.
 *
 * @param min the least it may be: 0, or 1 where there is no "off". @throws {Error} for all else.
 */
export function parseSeconds(text: string, min: number): number {
  const millis = /^(?:\d+(?:\.\d*)?|\.\d+)$/.test(text) ? Number(text) * 1000 : millisOf(text);
  if (!(millis <= MAX_MILLIS) || millis < min || (millis > 0 && millis < 1)) {
    throw new Error(
      `expected a time such as 0.2, 200ms or 10s, from 1ms to 500h${min === 0 ? ", or 0" : ""}`,
    );
  }
  return millis;
}

/** Reads a whole number from `min` to `max`. @throws {Error} for all else. */
export function parseCount(text: string, min: number, max: number): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(count >= min && count <= max)) throw new Error(`expected a whole number from ${min} to ${max}`);
  return count;
}

/** Reads one of a few words. @throws {Error} for all else. */
export function parseChoice<T extends string>(text: string, choices: readonly T[]): T {
  const choice = choices.find((it) => it === text);
  if (choice === undefined) {
    throw new Error(`expected ${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`);
  }
  return choice;
}
