/**
 * What the kernel computes, in plain TypeScript: the reference that tests hold kernel.wasm against. Nothing else uses
 * it.
 */

import { NO_LINE, TOO_LONG } from "./kernel.ts";

/** What stamping some bytes gave. */
export interface Stamped {
  replies: Uint8Array<ArrayBuffer>;
  /** Bytes of the input that the replies answer. */
  taken: number;
  lines: number;
  reason: typeof NO_LINE | typeof TOO_LONG;
}

/** Each line of `input` that has its LF behind a prefix, up to the first that is longer than `longest`. */
export function stamp(input: Uint8Array, prefix: Uint8Array, longest: number): Stamped {
  const replies = new Uint8Array(input.length * (prefix.length + 1));
  let written = 0;
  let line = 0;
  let lines = 0;
  for (let at = 0; at < input.length; at++) {
    if (input[at] !== 10) continue;
    if (at - line > longest) {
      return { replies: replies.slice(0, written), taken: line, lines, reason: TOO_LONG };
    }
    replies.set(prefix, written);
    replies.set(input.subarray(line, at + 1), written + prefix.length);
    written += prefix.length + at + 1 - line;
    line = at + 1;
    lines++;
  }
  return { replies: replies.slice(0, written), taken: line, lines, reason: NO_LINE };
}

/** How many LF there are in `input`. */
export function count(input: Uint8Array): number {
  return input.filter((byte) => byte === 10).length;
}
