import { reasonOf } from "../failure.ts";
import { isPeerGone } from "../net/errors.ts";
import type { Channel } from "./channel.ts";
import { ReplyReader } from "./reply_reader.ts";
import type { Run } from "./run.ts";
import { Schedule } from "./schedule.ts";

/** A datagram may be lost: without a schedule the next one waits for its reply no longer than ping -f does. */
const FLOOD_WAIT_MS = 10;

/** Sends all lines of a run over one channel. */
export class OneChannel {
  /** Undefined where each reply calls for the next line. */
  readonly schedule: Schedule | undefined;
  readonly #run: Run;
  readonly #channel: Channel;
  readonly #reader: ReplyReader;

  constructor(run: Run, channel: Channel) {
    this.#run = run;
    this.#channel = channel;
    const { interval, udpRate, count, size } = run.plan;
    // A server limits the datagrams that it answers: what it drops would look like loss.
    const paced = channel.datagrams && udpRate > 0 && interval === 0 ? 1000 / udpRate : interval;
    this.schedule = paced > 0 ? new Schedule(paced, count) : undefined;
    this.#reader = new ReplyReader(channel, size, run.recorder, run.clock);
  }

  /** Sends lines and reads replies until the run is over. */
  async go(): Promise<void> {
    const reading = this.#read().then(
      () => this.#fail(this.#reader.end!),
      (error) => this.#fail(reasonOf(error)),
    );
    if (this.schedule !== undefined) await this.#run.follow(this.schedule, () => this.#send());
    else await this.#flood();
    await this.#run.untilOver();
    this.#channel.close();
    await reading;
  }

  /** Sends the next line if no reply will call for it, because the latest line was given up. */
  async resume(): Promise<void> {
    await this.#run.recorder.held;
    while (this.#isIdle) await this.#send();
  }

  /** Whether no reply is awaited that calls for the next line. */
  get #isIdle(): boolean {
    const { recorder, busy, hasMore } = this.#run;
    return this.schedule === undefined && recorder.waiting === 0 && busy === 0 && hasMore;
  }

  async #flood(): Promise<void> {
    await this.resume();
    if (!this.#channel.datagrams) return;
    for (let sent = 0; !this.#run.isOver;) {
      await this.#run.sleep(FLOOD_WAIT_MS);
      const { recorder } = this.#run;
      if (sent === recorder.sent) await this.#send();
      sent = recorder.sent;
    }
  }

  /** Sends the next line, unless one is being written. */
  async #send(): Promise<void> {
    const run = this.#run;
    if (run.busy > 0 || !run.hasMore) return;
    run.begun++;
    run.busy++;
    try {
      await this.#channel.send(run.recorder.send());
    } catch (error) {
      // What the peer said before it went is still to be read.
      if (isPeerGone(error)) return;
      this.#reader.end ??= reasonOf(error);
      this.#fail(this.#reader.end);
    } finally {
      run.busy--;
      run.endIfDone();
    }
  }

  async #read(): Promise<void> {
    const run = this.#run;
    while (await this.#reader.read()) {
      // Without a schedule the next line goes out first: while it is under way there is time to report this reply.
      const sending = this.#isIdle ? this.#send() : undefined;
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
