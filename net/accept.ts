import { isClosedHere } from "./errors.ts";
import type { Accepted, StreamListener } from "./transport.ts";

const FIRST_PAUSE_MS = 10; // as memcached does
const LONGEST_PAUSE_MS = 500;

/** What an accept loop does with what it meets. */
export interface AcceptHandler {
  /** Undefined when one more connection may be taken on, or else what to wait for before asking again. */
  permit(): Promise<void> | undefined;
  /** Takes on a stream. It must not throw. */
  accepted(accepted: Accepted): void;
  /** An accept failed for a reason that is not the peer's, such as EMFILE. Called once for a burst of them. */
  failed(error: unknown): void;
}

/**
 * Accepts connections until the listener is closed, and resolves then: only after that is the port free again.
 *
 * A peer that resets before it is accepted makes accept throw; it ends nothing here. Any other error (out of
 * descriptors) is answered with a pause that doubles from 10 to 500 ms, since accept would fail again at once.
 */
export async function acceptLoop(listener: StreamListener, handler: AcceptHandler): Promise<void> {
  let pause = 0;
  for (;;) {
    for (let wait; (wait = handler.permit()) !== undefined;) await wait;
    try {
      const accepted = await listener.accept();
      pause = 0;
      handler.accepted(accepted);
    } catch (error) {
      if (isClosedHere(error)) return;
      if (isResetBeforeAccept(error)) continue;
      if (pause === 0) handler.failed(error);
      pause = Math.min(Math.max(pause * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/** Whether an accept failed because the peer had reset the connection by then. */
export function isResetBeforeAccept(error: unknown): boolean {
  return error instanceof Deno.errors.NotConnected || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted;
}
