import type { CorruptEvent, ProbeEvent, ReplyEvent } from "../stats/events.ts";
import { wallMicros } from "../time/clock.ts";
import { PrefixReader } from "../protocol.ts";
import type { Clock } from "../time/timers.ts";
import type { Opened, Setup } from "./channel.ts";
import { InFlight } from "./in_flight.ts";
import { ProbeLines } from "./lines.ts";

/**
 * Learns what became of each line. A promise that it returns holds the next line back until it resolves; it must not
 * reject.
 */
export type Observer = (event: ProbeEvent) => Promise<void> | undefined;

/** Records the lines of a run and their replies, and tells an observer what became of each line. */
export class Recorder {
  /** Planned moments at which no line was sent. */
  missed = 0;
  readonly #lines: ProbeLines;
  readonly #clock: Clock;
  readonly #observe: Observer;
  readonly #inFlight: InFlight;
  readonly #prefixes = new PrefixReader();
  /** The channels of lines that have one of their own, while their fate is unknown. */
  readonly #own = new Map<number, Opened>();
  #began = 0;
  #held: Promise<void> | undefined;

  /** @param plan a line's payload in bytes, and how long it waits for its reply, in ms. */
  constructor({ size, timeout }: { size: number; timeout: number }, clock: Clock, observe: Observer) {
    this.#lines = new ProbeLines(size);
    this.#inFlight = new InFlight(timeout);
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

  /** Lines whose own channels are open. */
  get open(): number {
    return this.#own.size;
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
   * @param own the line's own channel, if it has one. It is closed as soon as the line's fate is known.
   * @returns the line's bytes with its LF, valid until the next call.
   */
  send(own?: Opened): Uint8Array {
    const line = this.#lines.line(this.sent + 1);
    if (own !== undefined) this.#own.set(this.sent + 1, own);
    const wall = wallMicros();
    const now = this.#clock.now();
    const forgotten = this.#inFlight.send(now, wall);
    if (forgotten !== undefined) this.#tellGivenUp(forgotten, "lost", "too many lines wait");
    return line;
  }

  /**
   * Finds the line that a reply answers. The caller reports the event with {@linkcode tell}.
   *
   * @param line without its LF; undefined for one that is too long to be a reply.
   * @param now when it arrived, in ms on the run's clock; @param wall in µs on the wall clock.
   */
  match(line: Uint8Array | undefined, now: number, wall: number): ReplyEvent | CorruptEvent {
    if (line === undefined) return this.corrupt(now);
    const prefix = this.#prefixes.read(line);
    const seq = this.#lines.seqOf(line, prefix.length);
    if (this.#inFlight.hasExpired(seq, now)) this.giveUp(seq, "lost");
    const fate = this.#inFlight.receive(seq);
    if (fate === "corrupt") return this.corrupt(now);
    const sent = this.#inFlight.when(seq);
    if (sent === undefined) return { fate, seq, at: this.at(now) };
    const setup = this.#closeOwn(seq);
    const rtt = Math.round((now - sent.at) * 1e6) / 1e3;
    return {
      fate,
      seq,
      at: this.at(now),
      rtt,
      sent: sent.wall,
      received: wall,
      stamp: prefix.micros,
      format: prefix.format,
      tag: prefix.tag,
      connect: setup?.connect,
      handshake: setup?.handshake,
    };
  }

  corrupt(now: number): CorruptEvent {
    return { fate: "corrupt", seq: 0, at: this.at(now) };
  }

  /** Reports an event to the observer. */
  tell(event: ProbeEvent): void {
    this.#held = this.#observe(event);
  }

  /** Records that no line was sent at planned moments. */
  miss(count: number, reason: string): void {
    this.missed += count;
    this.tell({ fate: "missed", seq: 0, at: this.at(this.#clock.now()), count, reason });
  }

  /** Whether a line with its own channel still waits. */
  isOpen(seq: number): boolean {
    return this.#own.has(seq);
  }

  /** Gives up a line that waits. @param reason undefined if its time-out has passed. */
  giveUp(seq: number, fate: "lost" | "pending", reason?: string): void {
    this.#inFlight.giveUp(seq);
    this.#tellGivenUp(seq, fate, reason);
  }

  /** When the line was sent that has waited longest; undefined if none waits. */
  get oldestSentAt(): number | undefined {
    const seq = this.#inFlight.oldest();
    return seq === undefined ? undefined : this.#inFlight.when(seq)!.at;
  }

  /** Gives up the lines whose time-out has passed. */
  expire(): void {
    const now = this.#clock.now();
    for (let seq; (seq = this.#inFlight.oldest()) !== undefined && this.#inFlight.hasExpired(seq, now);) {
      this.giveUp(seq, "lost");
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
    for (const { channel } of this.#own.values()) channel.close();
  }

  #tellGivenUp(seq: number, fate: "lost" | "pending", reason?: string): void {
    const { connect, handshake } = this.#closeOwn(seq) ?? {};
    const sent = this.#inFlight.when(seq)?.wall;
    const at = this.at(this.#clock.now());
    this.tell({ fate, seq, at, sent, connect, handshake, ...(reason !== undefined && { reason }) });
  }

  /** Closes a line's own channel, whose set-up is reported with the line's first event and no other. */
  #closeOwn(seq: number): Setup | undefined {
    if (this.#own.size === 0) return undefined;
    const own = this.#own.get(seq);
    this.#own.delete(seq);
    own?.channel.close();
    return own?.setup;
  }
}
