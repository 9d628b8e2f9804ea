/** The step of each format of stamps (docs/protocol.md) in µs: a stamp is the moment rounded down to it. */
export const STAMP_STEPS: Readonly<Record<StampFormat, number>> = { iso: 1, unix: 1, ctime: 1e6, none: 1e6 };
/** A format of stamps; `none` for replies without one. */
export type StampFormat = "iso" | "unix" | "ctime" | "none";

/** What can become of a line, and what a reply can be. */
export const FATES = [
  /** A reply in time. */
  "received",
  /** A reply in time, but after the reply to a later line (RFC 4737, 3.3). */
  "reordered",
  /** A reply to a line that had been given up. */
  "late",
  /** A second reply to the same line (RFC 5560). */
  "duplicate",
  /** Not a reply to any line of this run, or changed on its way. */
  "corrupt",
  /** No reply in time (RFC 7680). */
  "lost",
  /** The run ended before a reply could be expected. */
  "pending",
] as const;
/** One of {@linkcode FATES}. */
export type Fate = typeof FATES[number];

/** A reply to a line of this run. */
export interface ReplyEvent {
  /** As in {@linkcode FATES}. */
  fate: "received" | "reordered" | "late" | "duplicate";
  /** The line's number, from 1. */
  seq: number;
  /** When the reply arrived: seconds since the run began, monotonic. */
  at: number;
  /** Round trip in µs; undefined, as all other times, for a line that was sent too long ago to be remembered. */
  rtt?: number | undefined;
  /** The client's wall clock just before the write: µs since the epoch. */
  sent?: number | undefined;
  /** The client's wall clock just after the read: µs since the epoch. */
  received?: number | undefined;
  /** The server's wall clock when it read the line: µs since the epoch. */
  stamp?: number | undefined;
  /** Undefined for a prefix that is no stamp. */
  format?: StampFormat | undefined;
  /** The name of the server (`--tag`). */
  tag?: string | undefined;
  /** What the line's own connection took, in µs. */
  connect?: number | undefined;
  /** What its TLS handshake took after that, in µs. */
  handshake?: number | undefined;
}

/** A line that was given up. */
export interface GivenUpEvent {
  /** As in {@linkcode FATES}. */
  fate: "lost" | "pending";
  /** The line's number, from 1. */
  seq: number;
  /** When it was given up: seconds since the run began. */
  at: number;
  /** What the line's own connection took, in µs. */
  connect?: number | undefined;
  /** What its TLS handshake took after that, in µs. */
  handshake?: number | undefined;
  /** Why no reply came; undefined if the time-out passed. */
  reason?: string | undefined;
}

/** Bytes that are no reply to any line of this run. */
export interface CorruptEvent {
  /** As in {@linkcode FATES}. */
  fate: "corrupt";
  /** The number of no line. */
  seq: 0;
  /** When the bytes arrived: seconds since the run began. */
  at: number;
}

/** What became of one line, or a reply that no line waited for. */
export type ProbeEvent = ReplyEvent | GivenUpEvent | CorruptEvent;
