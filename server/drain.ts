/** The end of a server: no line that it has read is lost, and each peer sees an orderly end. */
import type { Clock } from "../time/timers.ts";
import { TIMED_OUT, withTimeout } from "../time/timers.ts";
import type { Connections } from "./connections.ts";
import { hadTime, type IdleClock } from "./idle_clock.ts";

/** Connections that wait to be accepted are, until none has come in two pauses of this length ... */
const PAUSE_MS = 5;
/** ... but no longer than this. So long those that have begun a handshake may take for it, too. */
const MAX_ADMISSION_MS = 1_000;
/** A connection is served until it has been quiet for this long. */
const LINES_QUIET_MS = 50;
/** While a server drains, the idle clock ticks this often. */
const TICK_MS = 10;
/** Connections that the drain timeout ends may take this long for it; then they are cut. */
const LAST_GRACE_MS = 1_000;

/** How far a server is with those that come in. */
export interface Arrivals {
  /** Connections accepted so far. */
  accepted: number;
  /** Reads so far, on all connections. */
  reads: number;
  /** Connections that have not been admitted yet ... */
  pending: number;
  /** ... and those of them that are in the middle of a handshake. */
  handshakes: number;
}

/** Waits until no connection waits to be accepted any more. */
export function acceptAllWaiting(arrivals: () => Arrivals, clock: Clock): Promise<void> {
  return waitUntilQuiet(arrivals, 2, () => false, clock);
}

/** Waits until who was accepted has been admitted, has said nothing yet, or takes too long. */
export async function admitAllAccepted(arrivals: () => Arrivals, clock: Clock): Promise<void> {
  if (arrivals().pending === 0) return;
  await waitUntilQuiet(arrivals, LINES_QUIET_MS / PAUSE_MS, ({ handshakes }) => handshakes > 0, clock);
}

/** Waits until nothing has come in and the event loop has had time to spare in so many pauses, one after the other. */
async function waitUntilQuiet(
  arrivals: () => Arrivals,
  pauses: number,
  isBusy: (now: Arrivals) => boolean,
  clock: Clock,
): Promise<void> {
  const deadline = clock.now() + MAX_ADMISSION_MS;
  let before = arrivals();
  for (let quiet = 0; quiet < pauses && clock.now() < deadline;) {
    await clock.sleep(PAUSE_MS);
    const now = arrivals();
    const isQuiet = now.accepted === before.accepted && now.pending === before.pending &&
      hadTime(now.reads - before.reads) && !isBusy(now);
    quiet = isQuiet ? quiet + 1 : 0;
    before = now;
  }
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
