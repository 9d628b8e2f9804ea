import { reasonOf } from "../failure.ts";
import { isPeerGone } from "../net/errors.ts";
import type { Channel } from "./channel.ts";
import type { DueLine } from "./pacer.ts";
import { ReplyReader } from "./reply_reader.ts";
import { intervalOf, type Run } from "./run.ts";

/** A datagram may be lost: without a schedule the next one waits for its reply no longer than ping -f does. */
const FLOOD_WAIT_MS = 10;
/** Lines that waited for the connection are written together, up to so many bytes. */
const MAX_BATCH = 64 * 1024;
const BLOCKED = "the connection took no more";

/** Sends all lines of a run over one channel. */
export class OneChannel {
  readonly #interval: number;
  readonly #run: Run;
  readonly #channel: Channel;
  readonly #reader: ReplyReader;
  /** Lines handed over that wait for the channel to take them, the oldest first. */
  readonly #queue: DueLine[] = [];
  #batch: Uint8Array | undefined;
  #writing = false;

  constructor(run: Run, channel: Channel) {
    this.#run = run;
    this.#channel = channel;
    this.#interval = intervalOf(run.plan, channel.datagrams);
    this.#reader = new ReplyReader(channel, run.plan.size, run.recorder, run.clock);
  }

  /** Sends lines and reads replies until the run is over. */
  async go(): Promise<void> {
    const reading = this.#read().then(
      () => this.#fail(this.#reader.end!),
      (error) => this.#fail(reasonOf(error)),
    );
    if (this.#interval > 0) await this.#run.follow(this.#interval, (lines) => this.#hand(lines));
    else await this.#flood();
    await this.#run.untilOver();
    this.#channel.close();
    await reading; // a write that is blocked may not end at all: older versions of Deno forget it at the close
    if (this.#queue.length > 0) this.#run.recorder.miss(this.#queue.length, this.#run.failure ?? BLOCKED);
  }

  /** Sends the next line if no reply will call for it, because the latest line was given up. */
  async resume(): Promise<void> {
    await this.#run.recorder.held;
    while (this.#isIdle) await this.#sendNext();
  }

  /** Whether no reply is awaited that calls for the next line. */
  get #isIdle(): boolean {
    const { recorder, busy, hasMore } = this.#run;
    return this.#interval === 0 && recorder.waiting === 0 && busy === 0 && hasMore;
  }

  async #flood(): Promise<void> {
    await this.resume();
    if (!this.#channel.datagrams) return;
    for (let sent = 0; !this.#run.isOver;) {
      await this.#run.sleep(FLOOD_WAIT_MS);
      const { recorder } = this.#run;
      if (sent === recorder.sent) await this.#sendNext();
      sent = recorder.sent;
    }
  }

  /** Sends the next line without a plan, unless one is being written. */
  async #sendNext(): Promise<void> {
    const run = this.#run;
    if (run.busy > 0 || !run.hasMore) return;
    run.begun++;
    run.busy++;
    await this.#write(run.recorder.send());
    run.busy--;
    run.endIfDone();
  }

  /** Takes lines that are due: they are written at once, or as soon as those before them are. */
  #hand(lines: DueLine[]): void {
    this.#run.begun += lines.length;
    this.#queue.push(...lines);
    if (!this.#writing) void this.#writeQueue();
  }

  async #writeQueue(): Promise<void> {
    const run = this.#run;
    run.busy++;
    this.#writing = true;
    let waited = false;
    for (let bytes; !run.isOver && (bytes = this.#takeBatch(waited)) !== undefined;) {
      if (!await this.#write(bytes)) break;
      waited = true;
    }
    this.#writing = false;
    run.busy--;
    run.endIfDone();
  }

  /** Writes; false if nothing more can be written. */
  async #write(bytes: Uint8Array): Promise<boolean> {
    try {
      await this.#channel.send(bytes);
      return true;
    } catch (error) {
      // What the peer said before it went is still to be read.
      if (!isPeerGone(error)) {
        this.#reader.end ??= reasonOf(error);
        this.#fail(this.#reader.end);
      }
      return false;
    }
  }

  /** The bytes of the lines to write next, which count as sent now; undefined if none waits. @param waited for a write. */
  #takeBatch(waited: boolean): Uint8Array | undefined {
    const { recorder } = this.#run;
    this.#dropOld();
    const first = this.#queue.shift();
    if (first === undefined) return undefined;
    const line = recorder.send(first, waited);
    if (this.#queue.length === 0 || this.#channel.datagrams || 2 * line.length > MAX_BATCH) return line;
    this.#batch ??= new Uint8Array(MAX_BATCH);
    this.#batch.set(line);
    let length = line.length;
    for (; this.#queue.length > 0 && length + line.length <= MAX_BATCH; length += line.length) {
      this.#batch.set(recorder.send(this.#queue.shift(), waited), length);
    }
    return this.#batch.subarray(0, length);
  }

  /** A line that the channel has not taken within the time-out is not sent any more: nobody would wait for it. */
  #dropOld(): void {
    const { plan, clock, recorder } = this.#run;
    const oldest = clock.now() - plan.timeout;
    const dropped = this.#queue.findIndex(({ handed }) => handed >= oldest);
    const count = dropped < 0 ? this.#queue.length : dropped;
    if (count === 0) return;
    this.#queue.splice(0, count);
    recorder.miss(count, BLOCKED);
  }

  async #read(): Promise<void> {
    const run = this.#run;
    while (await this.#reader.read()) {
      // Without a schedule the next line goes out first: while it is under way there is time to report this reply.
      const sending = this.#isIdle ? this.#sendNext() : undefined;
      this.#reader.tell();
      run.endIfDone();
      if (run.recorder.held !== undefined) await run.recorder.held;
      if (sending !== undefined) await sending;
    }
    this.#reader.tell();
  }

  #fail(reason: string): void {
    this.#run.apply({ type: "fail", reason });
  }
}
