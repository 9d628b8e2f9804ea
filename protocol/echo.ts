import { LF } from "./lines.ts";
import { MAX_PREFIX_LENGTH } from "./stamps.ts";

const OPENING = 0x5b;
const CLOSING = 0x5d;
const BLANK = 0x20;

/** Whether a reply is the line that was sent, alone or behind a stamp: anything in brackets, for there are many forms. */
export function isEcho(reply: Uint8Array, line: Uint8Array): boolean {
  const extra = reply.length - line.length;
  return (extra === 0 || (extra > 0 && stampEnd(reply, 0) === extra)) &&
    line.every((byte, i) => byte === reply[extra + i]);
}

/**
 * How much of a message in chunk framing has come back: the `whole` of it, a `part`, or what is `no echo`. A server that
 * reads a message in pieces puts a stamp in front of each, so that one may stand between any two bytes.
 */
export function echoOfChunk(reply: Uint8Array, message: Uint8Array): "whole" | "part" | "no echo" {
  // What looks like a stamp may be a piece of the message: both are followed. For a position in the reply, how much of
  // the message may have come back by then.
  const ways = new Map<number, Set<number>>([[0, new Set([0])]]);
  const reach = (at: number, echoed: number) => {
    const known = ways.get(at);
    if (known === undefined) ways.set(at, new Set([echoed]));
    else known.add(echoed);
  };
  let begunStamp = false;
  for (let at = 0; at < reply.length; at++) {
    const here = ways.get(at);
    if (here === undefined) continue;
    ways.delete(at);
    const end = stampEnd(reply, at);
    if (end === undefined) begunStamp = true;
    for (const echoed of here) {
      if (end) reach(end, echoed);
      if (reply[at] === message[echoed]) reach(at + 1, echoed + 1);
    }
  }
  const reached = ways.get(reply.length);
  if (reached?.has(message.length)) return "whole";
  return begunStamp || reached !== undefined ? "part" : "no echo";
}

/** Where the stamp ends that begins at a position; 0 if none does, undefined if it is not whole yet. */
function stampEnd(reply: Uint8Array, from: number): number | undefined {
  if (reply[from] !== OPENING) return 0;
  for (let at = from + 1; at < from + MAX_PREFIX_LENGTH; at++) {
    if (at + 1 >= reply.length) return undefined;
    if (reply[at] === LF) return 0;
    if (reply[at] === CLOSING) return reply[at + 1] === BLANK ? at + 2 : 0;
  }
  return 0;
}
