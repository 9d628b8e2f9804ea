import { EchoMatcher } from "../protocol.ts";
import { type LineBatch, LineQueue } from "./line_queue.ts";
import { OutgoingLines, type SharedLines } from "./outgoing_lines.ts";
import { OwedReplies } from "./owed_replies.ts";
import { PassedLines } from "./passed_lines.ts";
import type { Recorder } from "./recorder.ts";
import { ServerPrefix } from "./server_prefix.ts";

/** The lines of one connection, from being handed over until their fate is known. */
export class PendingLines {
  /** Why the server ends the connection, in its own words. */
  error: string | undefined;
  /** Whether a reply has come. */
  answered = false;
  /** Replies that were corrupt, or answered nothing, so far. */
  wrong = 0;
  /** When the connection for its one line was begun, in ms on the run's clock; undefined for one of many lines. */
  begun: number | undefined;
  /** Those that are to be written. */
  readonly outgoing: OutgoingLines;
  readonly #shared: SharedLines;
  readonly #recorder: Recorder;
  readonly #matcher: EchoMatcher;
  readonly #queue = new LineQueue();
  readonly #servers = new ServerPrefix();
  readonly #owed = new OwedReplies();
  readonly #passed: PassedLines;

  /** @param first the number of its first line. */
  constructor(shared: SharedLines, first: number) {
    this.#shared = shared;
    this.#recorder = shared.recorder;
    const matcher = this.#matcher = new EchoMatcher(shared.ring, first);
    this.#passed = new PassedLines(shared, (number) => matcher.forget(number));
    this.outgoing = new OutgoingLines(shared, this.#queue, first);
  }

  /** Lines written and neither answered nor given up. */
  get waiting(): number {
    return this.#queue.written + this.#passed.waiting;
  }

  /** Takes what came of replies, in `bytes[0, end)`. @returns how many bytes are dealt with. */
  receive(bytes: Uint8Array, end: number, now: number): number {
    const matcher = this.#matcher;
    this.#recorder.turn(now);
    this.expire(now);
    let at = 0;
    while (at < end) {
      const kind = matcher.match(bytes, at, end, this.outgoing.end);
      at += matcher.taken;
      if (kind === "echoes") this.#onEchoes(bytes, now);
      else if (kind === "partial") return at;
      else if (kind === "error") this.error = matcher.error;
      else this.#apply(kind, bytes, now);
    }
    return at;
  }

  /** Takes a datagram. */
  receiveDatagram(bytes: Uint8Array, now: number): void {
    this.#recorder.turn(now);
    this.expire(now);
    for (;;) {
      const kind = this.#matcher.matchDatagram(bytes, this.outgoing.end);
      this.#recorder.isDoubtful ||= this.#matcher.isDoubtful;
      this.#apply(kind, bytes, now);
      if (kind !== "passed") return;
    }
  }

  #apply(kind: string, bytes: Uint8Array, now: number): void {
    switch (kind) {
      case "echoes":
        return this.#onEchoes(bytes, now);
      case "passed":
        return this.#onPassed(this.#matcher.lines, false);
      case "found":
        return this.#onFound(bytes, now);
      case "corrupt":
        return this.#onCorrupt();
      case "spoilt":
        return this.#onSpoilt(this.#matcher.line);
      case "stray":
        if (this.#passed.waiting > 0) return this.#recorder.corrupt(this.#passed.takeOldest().planned);
      // Else they answer nothing; they are several only where no line was passed over. Falls through.
      default:
        this.wrong += this.#matcher.lines;
        if (kind === "duplicate" && !this.outgoing.isMeasured(this.#matcher.line)) return;
        this.#recorder.duplicate(now, this.#matcher.lines);
    }
  }

  #onEchoes(bytes: Uint8Array, now: number): void {
    this.#servers.read(bytes, this.#matcher.prefixAt, this.#matcher.prefixLength);
    let { lines } = this.#matcher;
    if (!this.#owed.isEmpty) {
      const owed = this.#owed.take(lines);
      if (owed.measured > 0) this.#recorder.late(now, owed.measured);
      lines -= owed.all;
    }
    const queue = this.#queue;
    while (lines > 0) {
      const { planned, handed, oldestWritten } = queue;
      const count = queue.shift(lines);
      this.#receive(planned, handed, oldestWritten!, now, count);
      lines -= count;
    }
  }

  /** Replies came from the server whose prefix was read last. */
  #receive(planned: number, handed: number, written: number, now: number, lines: number): void {
    const { tag } = this.#servers;
    this.#recorder.receive(planned, handed, this.begun ?? written, written, now, lines, tag);
    const weight = this.#recorder.weightOf(planned, lines, now);
    if (weight > 0) {
      const stamp = this.#servers.stamp();
      if (stamp !== undefined) this.#recorder.sample(tag, written, stamp, now, weight);
    }
    if (this.answered) return;
    this.answered = true;
    this.#recorder.answeredBy(tag, this.begun === undefined ? Infinity : planned);
  }

  /** The next lines are not answered in their turn. */
  #onPassed(lines: number, isLost: boolean): void {
    const { all: owed } = this.#owed.take(lines);
    for (let number = this.#matcher.next - lines, left = owed; number < this.#matcher.next; number++) {
      if (left-- > 0) this.#passed.addOwed(number);
      else this.#passed.add(number, this.#queue.take(), isLost);
    }
  }

  #onFound(bytes: Uint8Array, now: number): void {
    const { line } = this.#matcher;
    const passed = this.#passed.take(line);
    if (passed === undefined) return this.#recorder.late(this.#passed.takeLost(line)!, 1);
    this.#servers.read(bytes, this.#matcher.prefixAt, this.#matcher.prefixLength);
    this.#receive(passed.planned, passed.handed, passed.written, now, 1);
  }

  /** Something else came than the reply to a line that was passed over. */
  #onSpoilt(line: number): void {
    const passed = this.#passed.take(line);
    if (passed === undefined) this.#passed.takeLost(line);
    else this.#recorder.corrupt(passed.planned);
  }

  /** Something else than the reply to the next line came in its turn. */
  #onCorrupt(): void {
    this.wrong++;
    if (this.#owed.take(1).all > 0) return; // it is lost already
    this.#recorder.corrupt(this.#queue.take().planned);
  }

  /** Gives up the lines whose time-out has passed: a reply after exactly that time is in time. */
  expire(now: number): void {
    const queue = this.#queue;
    const oldest = now - this.#shared.timeout;
    for (let written; (written = queue.oldestWritten) !== undefined && written < oldest;) {
      const { planned } = queue;
      const lines = this.#shared.datagrams ? this.#forgo() : queue.shift(Infinity);
      this.#recorder.lose(planned, written + this.#shared.timeout, now, lines);
      if (!this.#shared.datagrams) this.#owed.add(lines, planned >= this.#recorder.from);
    }
    this.outgoing.expire(now);
    this.#passed.expire(now, (planned, written) => {
      this.#recorder.lose(planned, written + this.#shared.timeout, now, 1);
    });
  }

  /** Expects the oldest lines of the queue in their turn no more. @returns how many they are. */
  #forgo(): number {
    const lines = this.#queue.oldestLines;
    this.#matcher.giveUp(lines);
    this.#onPassed(lines, true);
    return lines;
  }

  /** No reply comes any more: tells of the lines that wait, by their planned moments. */
  settle(tell: (planned: number, lines: number) => void): void {
    while (this.#queue.written > 0) {
      const { planned } = this.#queue;
      tell(planned, this.#queue.shift(Infinity));
    }
    this.#passed.settle((planned) => tell(planned, 1));
  }

  /** Likewise of those that are not written. */
  settleAll(tell: (planned: number, lines: number) => void): void {
    this.settle(tell);
    for (const { planned, lines } of this.outgoing.takeBack()) {
      this.#recorder.hand(lines);
      tell(planned, lines);
    }
  }

  /** The connection has ended: what waits for replies has failed. @returns the lines that were not written. */
  fail(reason: string): LineBatch[] {
    this.settle((planned, lines) => this.#recorder.fail(planned, reason, lines));
    return this.outgoing.takeBack();
  }

  /** Replies are awaited no more. */
  pend(): void {
    this.outgoing.unsend();
    this.settle((planned, lines) => this.#recorder.pend(planned, lines));
  }
}
