import { Failure, reasonOf } from "../failure.ts";
import { isPeerGone } from "../net/errors.ts";
import { aborted } from "../net/stream.ts";
import type { Opened } from "./channel.ts";
import type { DueLine } from "./pacer.ts";
import { ReplyReader } from "./reply_reader.ts";
import type { Run } from "./run.ts";

/** Connections that may be open at once, attempts included. */
const MAX_CONNS = 256;
const FULL = `${MAX_CONNS} connections are open`;

/** Sends each line of a run over a channel of its own. A line counts as sent when that is begun. */
export class ChannelPerLine {
  readonly #run: Run;
  readonly #open: (signal: AbortSignal) => Promise<Opened>;
  /** Channels that are open or being opened. */
  #conns = 0;

  constructor(run: Run, open: (signal: AbortSignal) => Promise<Opened>) {
    this.#run = run;
    this.#open = open;
  }

  /** Sends lines and reads replies until the run is over. */
  async go(): Promise<void> {
    const run = this.#run;
    const { interval } = run.plan;
    if (interval > 0) {
      await run.follow(interval, (lines) => this.#hand(lines));
    } else {
      while (run.hasMore) {
        run.begun++;
        await this.#exchange({ planned: NaN, handed: run.clock.now() });
        if (run.recorder.held !== undefined) await run.recorder.held;
      }
    }
    await run.untilOver();
  }

  #hand(lines: DueLine[]): void {
    const room = Math.max(0, MAX_CONNS - this.#conns);
    for (const line of lines.slice(0, room)) {
      this.#run.begun++;
      void this.#exchange(line);
    }
    if (lines.length > room) this.#run.recorder.miss(lines.length - room, FULL);
    this.#run.endIfDone();
  }

  /** Sends a line and reads its reply. An error of an unexpected kind ends the run. */
  async #exchange(line: DueLine): Promise<void> {
    const run = this.#run;
    const { seq, signal } = run.recorder.attempt(line);
    try {
      const opened = await this.#openUntil(signal);
      if (opened !== undefined) await this.#converse(opened, seq);
    } catch (error) {
      if (!(error instanceof Failure)) run.apply({ type: "fail", reason: reasonOf(error) });
      else if (!run.isOver && run.recorder.isWaiting(seq)) run.recorder.giveUp(seq, "lost", error.reason);
    }
    run.endIfDone();
  }

  /** Opens a channel; undefined if the signal is aborted before. It is closed once the signal is. */
  async #openUntil(signal: AbortSignal): Promise<Opened | undefined> {
    this.#conns++;
    const opening = this.#open(signal);
    const closed = () => this.#conns--;
    opening.then(async ({ channel }) => {
      await aborted(signal);
      channel.close();
    }).then(closed, closed);
    return await Promise.race([opening, aborted(signal).then(() => undefined)]);
  }

  async #converse(opened: Opened, seq: number): Promise<void> {
    const { recorder, plan, clock } = this.#run;
    const { channel } = opened;
    const line = recorder.sendOver(opened, seq);
    if (line === undefined) return;
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
    if (recorder.isWaiting(seq) && !this.#run.isOver) recorder.giveUp(seq, "lost", reader.end);
  }
}
