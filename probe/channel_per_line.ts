import { Failure, reasonOf } from "../failure.ts";
import { isPeerGone } from "../net/errors.ts";
import type { Opened } from "./channel.ts";
import { ReplyReader } from "./reply_reader.ts";
import type { Run } from "./run.ts";
import { Schedule } from "./schedule.ts";

/** Connections that may be open at once. */
const MAX_CONNS = 256;
/** How often a line that waits for one to close looks again. */
const RETRY_MS = 10;

/** Sends each line of a run over a channel of its own. */
export class ChannelPerLine {
  /** Undefined where each line waits for the one before. */
  readonly schedule: Schedule | undefined;
  readonly #run: Run;
  readonly #open: (signal: AbortSignal) => Promise<Opened>;

  constructor(run: Run, open: (signal: AbortSignal) => Promise<Opened>) {
    this.#run = run;
    this.#open = open;
    const { interval, count } = run.plan;
    this.schedule = interval > 0 ? new Schedule(interval, count) : undefined;
  }

  /** Sends lines and reads replies until the run is over. */
  async go(): Promise<void> {
    const run = this.#run;
    if (this.schedule !== undefined) {
      await run.follow(this.schedule, async () => {
        await this.#untilRoom();
        void this.#exchange();
      });
    } else {
      while (run.hasMore) {
        await this.#exchange();
        if (run.recorder.held !== undefined) await run.recorder.held;
      }
    }
    await run.untilOver();
  }

  /** Waits until one more connection may be open. */
  async #untilRoom(): Promise<void> {
    const run = this.#run;
    while (run.busy + run.recorder.open >= MAX_CONNS && run.hasMore) await run.sleep(RETRY_MS);
  }

  /** Sends a line and reads its reply. An error of an unexpected kind ends the run. */
  async #exchange(): Promise<void> {
    try {
      await this.#exchangeOne();
    } catch (error) {
      this.#run.apply({ type: "fail", reason: reasonOf(error) });
    }
  }

  async #exchangeOne(): Promise<void> {
    const run = this.#run;
    if (!run.hasMore) return;
    run.begun++;
    run.busy++;
    let opened: Opened | undefined;
    let reason;
    try {
      opened = await this.#open(run.signal);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      reason = error.reason;
    } finally {
      run.busy--;
    }
    if (run.isOver) return opened?.channel.close();
    if (opened === undefined) {
      run.recorder.send();
      run.recorder.giveUp(run.recorder.sent, "lost", reason);
    } else {
      await this.#converse(opened);
    }
    run.endIfDone();
  }

  async #converse(opened: Opened): Promise<void> {
    const { recorder, plan, clock } = this.#run;
    const { channel } = opened;
    const line = recorder.send(opened).slice(); // others are sent while this one is being written
    const seq = recorder.sent;
    const reader = new ReplyReader(channel, plan.size, recorder, clock);
    try {
      await channel.send(line);
    } catch (error) {
      // What the peer said before it went is still to be read.
      if (!isPeerGone(error)) {
        reader.end = reasonOf(error);
        channel.close();
      }
    }
    while (await reader.read()) {
      reader.tell();
      this.#run.endIfDone();
      if (recorder.held !== undefined) await recorder.held;
    }
    reader.tell();
    channel.close();
    if (recorder.isOpen(seq) && !this.#run.isOver) recorder.giveUp(seq, "lost", reader.end);
  }
}
