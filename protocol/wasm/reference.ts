/** The kernel's functions in plain TypeScript: tests compare kernel.wasm with them. Nothing else uses them. */

import { ALL_TAKEN, NEW_PREFIX, NO_ECHO, NO_LINE, NO_MORE_SENT, TOO_LONG } from "./kernel.ts";

/** The result of stamping. */
export interface Stamped {
  replies: Uint8Array<ArrayBuffer>;
  /** Bytes of the input that were answered. */
  taken: number;
  lines: number;
  reason: typeof NO_LINE | typeof TOO_LONG;
}

/** Puts the prefix in front of each complete line, up to the first that is longer than `maxLine`. */
export function stamp(input: Uint8Array, prefix: Uint8Array, maxLine: number): Stamped {
  const replies = new Uint8Array(input.length * (prefix.length + 1));
  let written = 0;
  let line = 0;
  let lines = 0;
  for (let at = 0; at < input.length; at++) {
    if (input[at] !== 10) continue;
    if (at - line > maxLine) {
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

/** Holds replies against what was sent. @returns why it ended, and what `verified` in kernel.ts has. */
export function verify(
  replies: Uint8Array,
  sent: Uint8Array,
  stamped: boolean,
  within: boolean,
  maxPrefix: number,
  grouped = false,
) {
  let [at, echo, lines, lineAt, lineEcho, prefixAt, prefixLength] = [0, 0, 0, -1, 0, 0, 0];
  const result = (reason: number) => {
    return { reason, taken: at, echoed: echo, lines, within, lineAt, lineEcho, prefixAt, prefixLength };
  };
  while (at < replies.length) {
    if (!within) {
      [lineAt, lineEcho] = [at, echo];
      if (echo === sent.length) return result(NO_MORE_SENT);
      if (stamped) {
        const text = String.fromCharCode(...replies.subarray(at, at + maxPrefix + 1));
        const [prefix] = /^\[[^\]\n]*\] /.exec(text) ?? [];
        const begun = /^\[[^\]\n]*\]?$/.test(text) && text.length <= maxPrefix;
        const known = String.fromCharCode(...replies.subarray(prefixAt, prefixAt + prefixLength));
        const differs = prefixLength < 16 || prefix !== known || at + prefix.length === replies.length;
        if (grouped && lines > 0 && differs) return result(NEW_PREFIX);
        if (prefix === undefined) return result(begun ? ALL_TAKEN : NO_ECHO);
        if (differs) [prefixAt, prefixLength] = [at, prefix.length];
        at += prefix.length;
      }
      within = true;
      continue;
    }
    if (echo === sent.length) return result(NO_MORE_SENT);
    if (replies[at] !== sent[echo]) return result(NO_ECHO);
    if (replies[at] === 10) {
      lines++;
      within = false;
    }
    at++;
    echo++;
  }
  return result(ALL_TAKEN);
}
