import { type Clock, systemClock } from "../time/timers.ts";
import { isClosedHere } from "./errors.ts";
import type { Accepted, StreamListener } from "./transport.ts";

const FIRST_PAUSE_MS = 10; // as memcached does
const MAX_PAUSE_MS = 500;

/** What an accept loop does with what it meets. */
export interface AcceptHandler {
  /** Takes on a stream. It must not throw. */
  onAccepted(accepted: Accepted): void;
  /** An accept failed for a reason that is not the peer's, such as EMFILE. Called once for a burst of them. */
  onFailed(error: unknown): void;
}

/**
 * Accepts connections until the listener is closed, and resolves then: only after that is the port free again.
 *
 * A peer that resets before it is accepted makes accept throw; it ends nothing here. Any other error (out of
 * descriptors) is answered with a pause that doubles from 10 to 500 ms, since accept would fail again at once.
 */
export async function acceptLoop(
  listener: StreamListener,
  handler: AcceptHandler,
  clock: Clock = systemClock,
): Promise<void> {
  let pause = 0;
  for (;;) {
    try {
      const accepted = await listener.accept();
      pause = 0;
      handler.onAccepted(accepted);
    } catch (error) {
      if (isClosedHere(error)) return;
      if (isResetBeforeAccept(error)) continue;
      if (pause === 0) handler.onFailed(error);
      pause = Math.min(Math.max(pause * 2, FIRST_PAUSE_MS), MAX_PAUSE_MS);
      await clock.sleep(pause);
    }
  }
}

/** Whether an accept failed because the peer had reset the connection by then. */
export function isResetBeforeAccept(error: unknown): boolean {
  return error instanceof Deno.errors.NotConnected || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted;
}
