import { SMALL_SLOT } from "./wasm/kernel.ts";

/** The framings that there are. */
export const FRAMINGS = ["line", "chunk"] as const;
/** How the server tells messages apart: by LF, or by whatever one read delivers. */
export type Framing = typeof FRAMINGS[number];

/** The byte that ends a line. */
export const LF = 10;
/** The longest message in chunk framing, in bytes: the classic programs' `recv(1024)`, and what a small slot holds. */
export const CHUNK_SIZE: number = SMALL_SLOT;
/** The longest error reply, in bytes. */
export const MAX_ERROR_LENGTH = 256;
const MAX_QUOTED = 60;
/** What an error reply begins with. A stamped reply begins with `[`, so its first byte tells them apart. */
const ERROR_START = "error: ";

/** The bytes of an error reply. `reason` is one line of ASCII, below 200 characters. */
export function errorReply(reason: string): Uint8Array {
  return new TextEncoder().encode(`${ERROR_START}${reason}\n`);
}

/** The reason in an error reply; undefined for any other line. */
export function errorReason(line: Uint8Array): string | undefined {
  if (line.length < ERROR_START.length || !mayBeError(line)) return undefined;
  return new TextDecoder().decode(line.subarray(ERROR_START.length)).trimEnd();
}

/** What the server said by an error reply, whose reason may be missing. */
export function serversWord(reason: string): string {
  return reason === "" ? "the server sent an error without a reason" : `the server says: ${reason}`;
}

/** Whether a line, or the part of it that has arrived, begins as an error reply does. */
export function mayBeError(line: Uint8Array): boolean {
  for (let i = 0; i < ERROR_START.length && i < line.length; i++) {
    if (line[i] !== ERROR_START.charCodeAt(i)) return false;
  }
  return line.length > 0;
}

/** A line as an error message quotes it: its beginning, without LF. */
export function quoteLine(line: Uint8Array): string {
  const text = new TextDecoder().decode(line.subarray(0, MAX_QUOTED)).replace(/[\r\n][^]*$/, "");
  return line.length > MAX_QUOTED ? `${text}...` : text;
}

/**
 * What was kept of a stream, and what has arrived. Not @std/bytes: this module is also used without our import map.
 *
 * @param room bytes of memory in front of `arrived` that may be overwritten: what fits there spares a copy of the rest.
 */
export function joined(kept: Uint8Array, arrived: Uint8Array, room = 0): Uint8Array {
  if (kept.length === 0) return arrived;
  if (kept.length <= room) {
    const start = arrived.byteOffset - kept.length;
    const whole = new Uint8Array(arrived.buffer, start, kept.length + arrived.length);
    whole.set(kept);
    return whole;
  }
  const bytes = new Uint8Array(kept.length + arrived.length);
  bytes.set(kept);
  bytes.set(arrived, kept.length);
  return bytes;
}
