import type { Clock } from "../time/timers.ts";

/** The longest wait of a timer, in ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Resolves at a moment on the clock, however far away it is, or when the signal is aborted. */
export async function sleepUntil(moment: number, clock: Clock, signal: AbortSignal): Promise<void> {
  for (let left; (left = moment - clock.now()) > 0 && !signal.aborted;) {
    await clock.sleep(Math.min(left, MAX_TIMER_MS), signal);
  }
}
