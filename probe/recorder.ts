import type { StallWatch } from "./stall_watch.ts";
import { PrefixReader } from "../protocol.ts";
import type { CorruptEvent, ProbeEvent, ReplyEvent, SendingTimes } from "../stats/events.ts";
import { wallMicros } from "../time/clock.ts";
import { durationText } from "../time/duration.ts";
import type { Clock } from "../time/timers.ts";
import type { Opened } from "./channel.ts";
import { InFlight, type Moments } from "./in_flight.ts";
import { ProbeLines } from "./lines.ts";
import { OwnChannels } from "./own_channels.ts";
import type { DueLine } from "./pacer.ts";

/**
 * Learns what became of each line. A promise that it returns holds the next line back until it resolves; it must not
 * reject.
 */
export type Observer = (event: ProbeEvent) => Promise<void> | undefined;

/** What of a plan the recorder needs to know. */
interface RecordedPlan {
  /** A line's payload, in bytes. */
  size: number;
  /** How long a line waits, in ms. */
  timeout: number;
  /** Whether each line has a channel of its own, whose opening is part of that time. */
  reconnect: boolean;
}

/** The most that is quoted of what is no reply, in bytes. */
const MAX_QUOTED = 60;

/** Records the lines of a run and their replies, and tells an observer what became of each line. */
export class Recorder {
  readonly #timeout: number;
  readonly #lines: ProbeLines;
  readonly #clock: Clock;
  readonly #observe: Observer;
  readonly #inFlight: InFlight;
  readonly #stalls: StallWatch;
  readonly #prefixes = new PrefixReader();
  /** Undefined where all lines share a channel. */
  readonly #own: OwnChannels | undefined;
  /** Whether it is known, or has been asked, who answers. */
  #recognised = false;
  #began = 0;
  #held: Promise<void> | undefined;

  constructor(plan: RecordedPlan, clock: Clock, observe: Observer, stalls: StallWatch) {
    const { size, timeout, reconnect } = plan;
    this.#stalls = stalls;
    this.#timeout = timeout;
    this.#lines = new ProbeLines(size);
    this.#inFlight = new InFlight(timeout, reconnect ? "handed" : "written");
    this.#own = reconnect ? new OwnChannels() : undefined;
    this.#clock = clock;
    this.#observe = observe;
  }

  /** Lines sent so far; also the number of the latest one. */
  get sent(): number {
    return this.#inFlight.sent;
  }

  /** Lines sent and neither answered nor given up. */
  get waiting(): number {
    return this.#inFlight.waiting;
  }

  /** What to wait for before the next line; undefined for nothing. */
  get held(): Promise<void> | undefined {
    return this.#held;
  }

  /** The moments of events count from now on. */
  begin(): void {
    this.#began = this.#clock.now();
  }

  /** Seconds since the run began, to the nanosecond. */
  at(now: number): number {
    return Math.round((now - this.#began) * 1e6) / 1e9;
  }

  /**
   * Records that the next line is sent now.
   *
   * @param due when it was planned and handed over; undefined without a plan. @param waited for the connection, not for ping.
   * @returns the line's bytes with its LF, valid until the next call.
   */
  send(due?: DueLine, waited = false): Uint8Array {
    const line = this.#lines.line(this.sent + 1);
    const wall = wallMicros();
    const now = this.#clock.now();
    const handed = due !== undefined && waited ? due.handed : now;
    this.#add({ planned: due?.planned ?? NaN, handed, written: now, wall });
    return line;
  }

  /**
   * Records that the next line counts as sent, while its own channel is only being opened.
   *
   * @returns its number, and a signal that is aborted once its fate is known: its channel is to be closed then.
   */
  attempt({ planned, handed }: DueLine): { seq: number; signal: AbortSignal } {
    this.#add({ planned, handed, written: NaN, wall: NaN });
    return { seq: this.sent, signal: this.#own!.attempt(this.sent) };
  }

  /**
   * Records that a line is sent now over its own channel.
   *
   * @returns the line's bytes with its LF; undefined if its fate is known already.
   */
  sendOver(opened: Opened, seq: number): Uint8Array | undefined {
    if (!this.#own!.open(seq, opened)) return undefined;
    const line = this.#lines.line(seq).slice(); // others are sent while this one is being written
    const wall = wallMicros();
    this.#inFlight.write(seq, this.#clock.now(), wall);
    return line;
  }

  #add(moments: Moments): void {
    const forgotten = this.#inFlight.send(moments);
    if (forgotten !== undefined) this.#tellGivenUp(forgotten, "lost", "too many lines wait");
  }

  /** Records that no line was sent at planned moments. */
  miss(count: number, reason: string): void {
    this.tell({ fate: "missed", seq: 0, at: this.at(this.#clock.now()), count, reason });
  }

  /**
   * Finds the line that a reply answers. The caller reports the event with {@linkcode tell}.
   *
   * @param line without its LF.
   * @param now when it arrived, in ms on the run's clock; @param wall in µs on the wall clock.
   */
  match(line: Uint8Array, now: number, wall: number): ReplyEvent | CorruptEvent {
    const prefix = this.#prefixes.read(line);
    const seq = this.#lines.seqOf(line, prefix.length);
    if (this.#inFlight.hasExpired(seq, now)) this.giveUp(seq, "lost");
    const fate = this.#inFlight.receive(seq);
    if (fate === "corrupt") return this.corrupt(now, line);
    this.#recognised = true;
    const moments = this.#inFlight.when(seq);
    if (moments === undefined) return { fate, seq, at: this.at(now) };
    const { sent, lag, blocked, connect, handshake } = timesOf(this.#own, seq, moments);
    return {
      fate,
      seq,
      at: this.at(now),
      rtt: microsBetween(moments.written, now),
      sent,
      received: wall,
      stamp: prefix.micros,
      format: prefix.format,
      tag: prefix.tag,
      lag,
      blocked,
      connect,
      handshake,
      busy: this.#stalls.since(moments.written, now),
    };
  }

  /**
   * What came and is no reply. The first such thing says what it is, unless a reply has come before: whoever answers may
   * be no tsecho server.
   */
  corrupt(now: number, bytes?: Uint8Array): CorruptEvent {
    const event: CorruptEvent = { fate: "corrupt", seq: 0, at: this.at(now) };
    if (this.#recognised || bytes === undefined) return event;
    this.#recognised = true; // it is said once
    return { ...event, reason: `is it a tsecho server? It says "${quoted(bytes)}"` };
  }

  /** Reports an event to the observer. */
  tell(event: ProbeEvent): void {
    this.#held = this.#observe(event);
  }

  /** Whether a line waits. */
  isWaiting(seq: number): boolean {
    return this.#inFlight.isWaiting(seq);
  }

  /** Gives up a line that waits. @param reason undefined if its time-out has passed. */
  giveUp(seq: number, fate: "lost" | "pending", reason?: string): void {
    this.#inFlight.giveUp(seq);
    this.#tellGivenUp(seq, fate, reason);
  }

  /** Since when the line waits that has waited longest, in ms; undefined if none waits. */
  get oldestSince(): number | undefined {
    return this.#inFlight.oldestSince();
  }

  /** Gives up the lines whose time-out has passed. */
  expire(): void {
    const now = this.#clock.now();
    for (let seq; (seq = this.#inFlight.oldest()) !== undefined && this.#inFlight.hasExpired(seq, now);) {
      const opening = this.#own?.isOpening(seq) ?? false;
      this.giveUp(seq, "lost", opening ? `no connection in ${durationText(this.#timeout)}` : undefined);
    }
  }

  /**
   * Decides about the lines that wait when the run ends: those whose time-out has passed are lost, the others neither
   * answered nor lost.
   *
   * @param reason why no more replies come, if the run did not end by itself: then all are lost.
   */
  settle(reason: string | undefined): void {
    this.expire();
    for (let seq; (seq = this.#inFlight.oldest()) !== undefined;) {
      if (reason === undefined) this.giveUp(seq, "pending");
      else this.giveUp(seq, "lost", reason);
    }
  }

  /** Closes the channels of all lines. */
  close(): void {
    this.#own?.close();
  }

  #tellGivenUp(seq: number, fate: "lost" | "pending", reason?: string): void {
    const at = this.at(this.#clock.now());
    const moments = this.#inFlight.when(seq);
    const times = moments === undefined ? {} : timesOf(this.#own, seq, moments);
    this.tell({ fate, seq, at, ...times, ...(reason !== undefined && { reason }) });
  }
}

/**
 * What an event tells of a line's sending. Its own channel, if it has one, is closed: its fate is known.
 *
 * @param channels of all lines; undefined where they share one.
 */
function timesOf(
  channels: OwnChannels | undefined,
  seq: number,
  { planned, handed, written, wall }: Moments,
): SendingTimes {
  const sent = Number.isNaN(wall) ? undefined : wall;
  const own = channels?.has(seq) ?? false;
  if (channels !== undefined && !own) return { sent }; // the first event has told the rest
  const { connect, handshake } = own ? channels!.finish(seq) ?? {} : {};
  if (Number.isNaN(planned)) return { sent, connect, handshake };
  if (!own) return { sent, lag: microsBetween(planned, handed), blocked: microsBetween(handed, written) };
  // What neither connection nor handshake took until the write is ping's own doing.
  const rest = written - handed - ((connect ?? 0) + (handshake ?? 0)) / 1000;
  return { sent, lag: microsBetween(planned, rest > 0 ? handed + rest : handed), connect, handshake };
}

function quoted(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, MAX_QUOTED)).trimEnd();
}

/** From one moment in ms to another, in µs, to the nanosecond. */
function microsBetween(from: number, to: number): number {
  return Math.round((to - from) * 1e6) / 1e3;
}
