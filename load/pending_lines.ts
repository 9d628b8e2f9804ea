import { EchoMatcher, MAX_PREFIX_LENGTH, PrefixReader } from "../protocol.ts";
import { type LineBatch, LineQueue } from "./line_queue.ts";
import { OutgoingLines, type SharedLines } from "./outgoing_lines.ts";
import { type PassedLine, PassedLines } from "./passed_lines.ts";
import type { Recorder } from "./recorder.ts";

/** The lines of one connection, from being handed over until their fate is known. */
export class PendingLines {
  /** Why the server ends the connection, in its own words. */
  error: string | undefined;
  /** Whether a reply has come. */
  answered = false;
  /** Those that are to be written. */
  readonly outgoing: OutgoingLines;
  readonly #shared: SharedLines;
  readonly #recorder: Recorder;
  readonly #matcher: EchoMatcher;
  readonly #queue = new LineQueue();
  readonly #prefixes = new PrefixReader();
  // Lost lines whose replies come before those of the queue: of the warm-up, and measured.
  #owedBefore = 0;
  #owed = 0;
  readonly #passed = new PassedLines();

  /** @param first the number of its first line. */
  constructor(shared: SharedLines, first: number) {
    this.#shared = shared;
    this.#recorder = shared.recorder;
    this.#matcher = new EchoMatcher(shared.ring, first);
    this.outgoing = new OutgoingLines(shared, this.#queue, first);
  }

  /** Lines written and neither answered nor given up. */
  get waiting(): number {
    return this.#queue.written + this.#passed.waiting;
  }

  /** Takes what came of replies, in `bytes[0, end)`. @returns how many bytes are dealt with. */
  receive(bytes: Uint8Array, end: number, now: number): number {
    const matcher = this.#matcher;
    this.expire(now);
    for (let at = 0;;) {
      const kind = matcher.match(bytes, at, end, this.outgoing.end);
      at += matcher.taken;
      if (kind === "partial") return at;
      if (kind === "error") this.error = matcher.error;
      else this.#apply(kind, bytes, now);
    }
  }

  /** Takes a datagram. */
  receiveDatagram(bytes: Uint8Array, now: number): void {
    this.expire(now);
    for (;;) {
      const kind = this.#matcher.matchDatagram(bytes, this.outgoing.end);
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
      default:
        this.#recorder.duplicate(now);
    }
  }

  #onEchoes(bytes: Uint8Array, now: number): void {
    const { tag, stamp } = this.#readPrefix(bytes);
    let lines = this.#matcher.lines;
    lines -= this.#takeOwed(lines);
    while (lines > 0) {
      const queue = this.#queue;
      const { planned, handed } = queue;
      const written = queue.oldestWritten!;
      const count = queue.shift(lines);
      this.#receive({ planned, handed, written }, now, count, tag, stamp);
      lines -= count;
    }
  }

  #receive(
    { planned, handed, written }: Omit<PassedLine, "isLost">,
    now: number,
    lines: number,
    tag: string | null,
    stamp: number | undefined,
  ): void {
    const own = this.#shared.hasOwnConnections;
    this.#recorder.receive(planned, handed, written, now, lines, tag, own);
    if (stamp !== undefined) this.#recorder.sample({ tag, written, stamp, read: now, lines }, planned);
    if (this.answered) return;
    this.answered = true;
    this.#recorder.answeredBy(tag);
  }

  #readPrefix(bytes: Uint8Array): { tag: string | null; stamp: number | undefined } {
    const { prefixAt, prefixLength } = this.#matcher;
    if (prefixLength === 0) return NO_PREFIX;
    const { tag = null, micros: stamp } = this.#prefixes.read(
      bytes.subarray(prefixAt, prefixAt + Math.min(prefixLength, MAX_PREFIX_LENGTH)),
    );
    return { tag, stamp };
  }

  /** Replies to lost lines come first. @returns how many of so many were. */
  #takeOwed(lines: number): number {
    const before = Math.min(lines, this.#owedBefore);
    this.#owedBefore -= before;
    const owed = Math.min(lines - before, this.#owed);
    this.#owed -= owed;
    if (owed > 0) this.#recorder.late(Infinity, owed);
    return before + owed;
  }

  /** The next lines are not answered in their turn. */
  #onPassed(lines: number, isLost: boolean): void {
    let number = this.#matcher.next - lines;
    const owed = Math.min(lines, this.#owedBefore + this.#owed);
    const before = Math.min(owed, this.#owedBefore);
    this.#owedBefore -= before;
    this.#owed -= owed - before;
    number += owed;
    for (let left = lines - owed; left > 0; left--, number++) {
      const { planned, handed } = this.#queue;
      const written = this.#queue.oldestWritten!;
      this.#queue.shift(1);
      this.#passed.add(number, { planned, handed, written, isLost });
    }
  }

  #onFound(bytes: Uint8Array, now: number): void {
    const passed = this.#passed.take(this.#matcher.line);
    if (passed === undefined || passed.isLost) return this.#recorder.late(passed?.planned ?? now, 1);
    const { tag, stamp } = this.#readPrefix(bytes);
    this.#receive(passed, now, 1, tag, stamp);
  }

  /** Something else than the reply to the next line came in its turn. */
  #onCorrupt(): void {
    if (this.#owedBefore + this.#owed > 0) {
      if (this.#owedBefore > 0) this.#owedBefore--;
      else this.#owed--;
      return; // it is lost already
    }
    const { planned } = this.#queue;
    this.#queue.shift(1);
    this.#recorder.corrupt(planned);
  }

  /** Gives up the lines whose time-out has passed: a reply after exactly that time is in time. */
  expire(now: number): void {
    const queue = this.#queue;
    const oldest = now - this.#shared.timeout;
    for (let written; (written = queue.oldestWritten) !== undefined && written < oldest;) {
      const { planned } = queue;
      const lines = this.#shared.datagrams ? this.#forgo() : queue.shift(Infinity);
      this.#recorder.lose(planned, lines);
      if (this.#shared.datagrams) continue;
      if (planned < this.#recorder.from) this.#owedBefore += lines;
      else this.#owed += lines;
    }
    this.outgoing.expire(oldest);
    this.#passed.expire(oldest, (planned) => this.#recorder.lose(planned, 1));
  }

  /** Expects the oldest lines of the queue in their turn no more. @returns how many they are. */
  #forgo(): number {
    const lines = this.#queue.oldestLines;
    this.#matcher.pass(lines);
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

const NO_PREFIX = { tag: null, stamp: undefined };
