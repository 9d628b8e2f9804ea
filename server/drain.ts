/** The end of a server: no line that it has read is lost, and each peer sees an orderly end. */
import type { Clock } from "../time/timers.ts";
import { TIMED_OUT, withTimeout } from "../time/timers.ts";
import type { Connections } from "./connections.ts";
import type { IdleClock } from "./idle_clock.ts";

/** Connections that wait to be accepted are, until none has come for this long, some turns of the event loop ... */
const ACCEPT_QUIET_MS = 5;
/** ... but no longer than this. */
const MAX_ACCEPT_MS = 1_000;
/** A connection is served until it has been quiet for this long. */
const LINES_QUIET_MS = 50;
/** While a server drains, the idle clock ticks this often. */
const TICK_MS = 10;
/** Connections that the drain timeout ends may take this long for it; then they are cut. */
const LAST_GRACE_MS = 1_000;

/** Waits until no connection waits to be accepted any more. @param accepted counts those that were. */
export async function acceptAllWaiting(accepted: () => number, clock: Clock): Promise<void> {
  const deadline = clock.now() + MAX_ACCEPT_MS;
  let before;
  do {
    before = accepted();
    await clock.sleep(ACCEPT_QUIET_MS);
  } while (accepted() !== before && clock.now() < deadline);
}

/**
 * Ends all connections: each when it has been quiet, those that are not at the timeout, and what is left a second later.
 *
 * @param timeout milliseconds; 0 for none.
 */
export async function endConnections(
  connections: Connections,
  timeout: number,
  clock: Clock,
  idleClock: IdleClock,
): Promise<void> {
  idleClock.setPeriod(TICK_MS);
  connections.endWhenQuiet(LINES_QUIET_MS);
  const ended = connections.whenAllEnded();
  if (await withTimeout(ended, timeout, clock) !== TIMED_OUT) return;
  connections.finishAll("drain timeout");
  if (await withTimeout(ended, LAST_GRACE_MS, clock) !== TIMED_OUT) return;
  connections.cutAll("drain timeout");
  await ended;
}
