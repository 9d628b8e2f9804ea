import type { PacingClock } from "../probe/pacing_clock.ts";

/** A clock that stands until a test turns it: time-outs and pauses become exact, and take no time. */
export class VirtualClock implements PacingClock {
  #now = 0;
  #used = 0;
  readonly turned = 0;
  readonly #sleepers: { at: number; wake: () => void }[] = [];
  readonly #settle: () => Promise<void>;

  /** @param settle lets everything run that waits for no time. */
  constructor(settle: () => Promise<void> = settleAll) {
    this.#settle = settle;
  }

  now(): number {
    return this.#now;
  }

  sleep(millis: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const sleeper = { at: this.#now + Math.max(0, millis), wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", () => {
        const index = this.#sleepers.indexOf(sleeper);
        if (index >= 0) this.#sleepers.splice(index, 1);
        resolve();
      }, { once: true });
    });
  }

  until(moment: number, signal: AbortSignal): Promise<void> {
    return this.sleep(moment - this.#now, signal);
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}

  /** Sleeps that have not ended. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** Lets time pass in which nothing runs, as for a process that is stopped: sleepers wake at the next advance. */
  stall(millis: number): void {
    this.#now += millis;
  }

  /** Likewise, in which the process is at other work. */
  work(millis: number): void {
    this.#now += millis;
    this.#used += millis;
  }

  used(): number {
    return this.#used;
  }

  /** Turns the clock on by `millis`, waking each sleeper at its own moment, in order. */
  async advance(millis: number): Promise<void> {
    const end = this.#now + millis;
    for (;;) {
      await this.#settle();
      const next = this.#sleepers.reduce((least, it) => Math.min(least, it.at), Infinity);
      if (next > end) break;
      this.#now = Math.max(this.#now, next);
      const index = this.#sleepers.findIndex(({ at }) => at <= next);
      this.#sleepers.splice(index, 1)[0]!.wake();
    }
    this.#now = Math.max(this.#now, end);
    await this.#settle();
  }
}

/** Likewise, ten times as fast, where promises wait for nothing but each other, in short chains. */
export async function settlePromises(): Promise<void> {
  for (let i = 0; i < 40; i++) await undefined;
}

/** Lets everything run that waits for no time: all promises that are ready, and those that they make ready. */
function settleAll(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
