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
  /** A reply after the time-out: its line is lost, and has an event that says so before this one. */
  "late",
  /** A second reply to the same line (RFC 5560). */
  "duplicate",
  /** Not a reply to any line of this run, or changed on its way. */
  "corrupt",
  /** No reply in time (RFC 7680). */
  "lost",
  /** The run ended before the line's time-out did. */
  "pending",
  /** Lines that were due, and were not sent. */
  "missed",
] as const;
/** One of {@linkcode FATES}. */
export type Fate = typeof FATES[number];

/** When a line was sent, as far as it was: undefined is what did not happen or is not remembered. */
export interface SendingTimes {
  /** The client's wall clock just before the write: µs since the epoch. */
  sent?: number | undefined;
  /** From the moment planned until the line was handed to its connection, in µs: ping's own lateness. */
  lag?: number | undefined;
  /** From then until the write that carried it, in µs: the connection took no more. */
  blocked?: number | undefined;
  /** What the line's own connection took, in µs. */
  connect?: number | undefined;
  /** What its TLS handshake took after that, in µs. */
  handshake?: number | undefined;
}

/** A reply to a line of this run. */
export interface ReplyEvent extends SendingTimes {
  /** As in {@linkcode FATES}. */
  fate: "received" | "reordered" | "late" | "duplicate";
  /** The line's number, from 1. */
  seq: number;
  /** When the reply arrived: seconds since the run began, monotonic. */
  at: number;
  /** Round trip in µs; undefined, as all other times, for a line that was sent too long ago to be remembered. */
  rtt?: number | undefined;
  /** The client's wall clock just after the read: µs since the epoch. */
  received?: number | undefined;
  /** The server's wall clock when it read the line: µs since the epoch. */
  stamp?: number | undefined;
  /** Undefined for a prefix that is no stamp. */
  format?: StampFormat | undefined;
  /** The name of the server (`--tag`). */
  tag?: string | undefined;
  /** How long ping itself may have held up the exchange, in µs: its timers fired this late, or it did not run. */
  busy?: number | undefined;
}

/** A line that was given up. */
export interface GivenUpEvent extends SendingTimes {
  /** As in {@linkcode FATES}. */
  fate: "lost" | "pending";
  /** The line's number, from 1. */
  seq: number;
  /** When it was given up: seconds since the run began. */
  at: number;
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
  /** What came, where nothing of this run has come before: whoever answers may be no tsecho server. */
  reason?: string | undefined;
}

/** Planned moments at which no line was sent. */
export interface MissedEvent {
  /** As in {@linkcode FATES}. */
  fate: "missed";
  /** The number of no line: only lines that are sent have one. */
  seq: 0;
  /** When they were given up: seconds since the run began. */
  at: number;
  /** How many there were. */
  count: number;
  /** Why none was sent at them. */
  reason: string;
}

/** What became of one line, a reply that no line waited for, or lines that were not sent. */
export type ProbeEvent = ReplyEvent | GivenUpEvent | CorruptEvent | MissedEvent;

/** Whether an event tells the fate of a line: each line that was sent has one such event. */
export function isVerdict(event: ProbeEvent): event is ReplyEvent | GivenUpEvent {
  return event.fate === "received" || event.fate === "reordered" || event.fate === "lost" ||
    event.fate === "pending";
}
