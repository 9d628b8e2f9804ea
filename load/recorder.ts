import { withoutHint } from "../failure.ts";
import { isLate } from "../stats/generator_verdict.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { addCount } from "../stats/reason_counts.ts";
import { Intervals } from "./intervals.ts";
import { ServerParts } from "./server_parts.ts";
import { Thinning } from "./thinning.ts";

/** An exchange that tells about the way there and back. Moments are in ms on the run's clock. */
export interface ExchangeSample {
  tag: string | null;
  written: number;
  /** The server's stamp, in µs since the epoch. */
  stamp: number;
  read: number;
  /** How many lines it stands for: those that were written and read together, or of which one was picked. */
  lines: number;
}

/** How long connecting took, in ms. */
export interface ConnectTimes {
  connectMs: number;
  /** Undefined without TLS. */
  handshakeMs?: number;
}

/** What takes in what the engine finds. */
export interface LoadObserver {
  /** An interval has ended. @param next the one that follows. */
  onInterval(interval: LoadInterval, next: LoadInterval): void;
  /** A reply with a stamp was read. */
  onExchange(sample: ExchangeSample): void;
  /** A connection had its first reply from a server. */
  onServer(tag: string | null): void;
  /** The measured part begins. */
  onBegin(): void;
}

/**
 * Counts what happens to lines, in the interval in which it happens. Lines planned before the measured part are in none.
 */
export class Recorder extends Intervals {
  /** Lines handed over and neither answered nor given up, those of the warm-up too. */
  outstanding = 0;
  /** Those of them that are not sent yet. */
  #waiting = 0;
  /** Whether this program may not have run at a moment. */
  hasMissed: (moment: number, now: number) => boolean = () => false;
  /** Whether a reply may be to another line than it was taken for, as may be all that follow. */
  isDoubtful = false;
  readonly #observer: LoadObserver;
  readonly #isOpen: boolean;
  readonly #servers = new ServerParts();
  readonly #thinning = new Thinning();
  /** When the latest reply was read, and whether the plan ends with the last one. */
  #lastRead = -Infinity;
  #endsWithReplies = false;
  /** Whether the plan was over before all lines were sent. */
  #isCutShort = false;

  /** @param isOpen whether lines follow a plan, so that they have a response time. */
  constructor(observer: LoadObserver, isOpen: boolean, first: LoadInterval = new LoadInterval()) {
    super(first, (interval, next) => {
      interval.inFlight = this.inFlight;
      interval.alike = this.isDoubtful;
      observer.onInterval(interval, next);
    });
    this.#observer = observer;
    this.#isOpen = isOpen;
  }

  /** Lines that are due or sent, and neither answered nor given up. Without a plan none is due. */
  get inFlight(): number {
    return this.#isOpen ? this.outstanding : this.outstanding - this.#waiting;
  }

  /** Whether a line with this planned moment counts. */
  isMeasured(planned: number): boolean {
    return planned >= this.from && planned < this.until;
  }

  /** Whether lines wait to be written for as long as that takes: where they follow no plan, until it is over. */
  isPatient(now: number): boolean {
    return !this.#isOpen && !this.#endsWithReplies && now < this.until;
  }

  /** Whether lines are sent no more: those that follow no plan, after its end. */
  isOver(now: number): boolean {
    return !this.#isOpen && now >= this.until;
  }

  /** The plan is over before all lines were sent: it does not end with a reply. */
  cutShort(): void {
    this.#isCutShort = true;
  }

  /** All lines are sent, and the plan ends when the last of their replies has come. */
  endWithReplies(): void {
    this.#endsWithReplies = true;
  }

  override finish(now: number): void {
    const endsWithReplies = this.#endsWithReplies && !this.#isCutShort;
    if (endsWithReplies && this.#lastRead >= this.from) this.end(this.#lastRead);
    super.finish(now);
  }

  plan(planned: number, lines: number): void {
    if (planned >= this.from) this.current.planned += lines;
  }

  hand(lines: number): void {
    this.outstanding += lines;
    this.#waiting += lines;
  }

  /** Lines handed over are not sent after all, but are handed over to another connection or never were planned. */
  takeBack(lines: number): void {
    this.outstanding -= lines;
    this.#waiting -= lines;
  }

  send(planned: number, lines: number): void {
    this.#waiting -= lines;
    if (planned < this.from) return;
    this.current.sent += lines;
    if (!this.#isOpen) this.current.planned += lines; // without a plan what is sent is what was planned
  }

  /**
   * Replies to lines with the same moments came.
   *
   * @param taken when the connection took them: as they were written, or when that for one line was begun.
   */
  receive(
    planned: number,
    handed: number,
    taken: number,
    written: number,
    read: number,
    lines: number,
    tag: string | null,
  ): void {
    this.outstanding -= lines;
    if (planned < this.from) return;
    this.#lastRead = read;
    const interval = this.current;
    interval.received += lines;
    interval.service.record((read - written) * 1000, lines);
    this.#servers.partOf(tag, interval).received += lines;
    if (!this.#isOpen) return;
    interval.response.record((read - planned) * 1000, lines);
    interval.sendLag.record((handed - planned) * 1000, lines);
    interval.blocked.record((taken - handed) * 1000, lines);
  }

  /** For how many lines these are to tell of the way there and back: those that follow a plan each for itself. */
  weightOf(planned: number, lines: number, read: number): number {
    if (planned < this.from) return 0;
    if (this.#isOpen) return lines;
    const weight = this.#thinning.take(lines, read);
    if (weight !== lines) this.current.sampled = true;
    return weight;
  }

  /** Tells of an exchange, as {@linkcode ExchangeSample} says. */
  sample(tag: string | null, written: number, stamp: number, read: number, lines: number): void {
    this.#observer.onExchange({ tag, written, stamp, read, lines });
  }

  /** A connection had its first reply from a server. @param planned when its line was planned, if it is for one line. */
  answeredBy(tag: string | null, planned = Infinity): void {
    if (planned < this.from) return;
    this.#observer.onServer(this.#servers.nameOf(tag));
  }

  lose(planned: number, at: number, now: number, lines: number): void {
    this.outstanding -= lines;
    if (planned >= this.from) this.current.lost += lines;
    this.expire(planned, at, now, lines);
  }

  corrupt(planned: number): void {
    this.outstanding--;
    if (planned >= this.from) this.current.corrupt++;
  }

  /** Lines that were sent failed. */
  fail(planned: number, reason: string, lines: number): void {
    this.outstanding -= lines;
    if (planned < this.from) return;
    addCount(this.current.errors, withoutHint(reason), lines); // what to do about it is for those who show it
  }

  /** Lines that were handed over are not sent; without a plan they were not planned. @param handed when, or Infinity. */
  unsend(planned: number, handed: number, lines: number): void {
    this.takeBack(lines);
    if (this.#isOpen && planned >= this.from) this.current.omit("unsent", lines, isLate(planned, handed));
  }

  /** Lines are lost or unsent, since their time-out has passed, at a moment. */
  expire(planned: number, at: number, now: number, lines: number): void {
    if (planned >= this.from && this.hasMissed(at, now)) this.current.expiredInStall += lines;
  }

  /** Lines are not handed over now. */
  drop(planned: number, now: number, lines: number): void {
    if (planned >= this.from) this.current.omit("dropped", lines, isLate(planned, now));
  }

  pend(planned: number, lines: number): void {
    this.outstanding -= lines;
    if (planned >= this.from) this.current.pending += lines;
  }

  /** Replies came to lines that are lost. */
  late(planned: number, lines: number): void {
    if (planned >= this.from) this.current.late += lines;
  }

  duplicate(now: number, lines: number): void {
    if (now >= this.from) this.current.duplicates += lines;
  }

  /** A connection was made. @param planned when its line was planned, if it is for one line. */
  connected({ connectMs, handshakeMs }: ConnectTimes, planned = Infinity): void {
    if (planned < this.from) return;
    this.current.connect.record(connectMs * 1000);
    if (handshakeMs !== undefined) this.current.handshake.record(handshakeMs * 1000);
  }

  /** A connection could not be made. @param planned likewise. */
  connectFailed(reason: string, planned = Infinity): void {
    if (planned < this.from) return;
    addCount(this.current.connectErrors, withoutHint(reason), 1);
  }
}
