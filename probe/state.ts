/** How far a run has come. */
export type RunState =
  /** The path is being opened. */
  | { phase: "opening" }
  /** There are lines to send. */
  | { phase: "sending" }
  /** All lines have been sent, and replies are awaited. */
  | { phase: "draining" }
  /** Nothing is sent or awaited any more. */
  | { phase: "over"; cause: "done" | "stopped" | "expired" }
  /** Likewise, because of the server or the network. */
  | { phase: "over"; cause: "failed"; reason: string };

/** What moves a run on. */
export type RunSignal =
  | { type: "opened" }
  /** No line is left to send. */
  | { type: "all sent" }
  /** The fate of all lines sent so far is known. */
  | { type: "all known" }
  /** The user wants no more. */
  | { type: "stop" }
  /** The deadline has passed. */
  | { type: "expire" }
  | { type: "fail"; reason: string };

/** The state after a signal. A state never goes back, and the first cause of an end stays. */
export function transition(state: RunState, signal: RunSignal): RunState {
  if (state.phase === "over") return state;
  switch (signal.type) {
    case "opened":
      return state.phase === "opening" ? { phase: "sending" } : state;
    case "all sent":
      return state.phase === "sending" ? { phase: "draining" } : state;
    case "all known":
      return state.phase === "draining" ? { phase: "over", cause: "done" } : state;
    case "stop":
      return { phase: "over", cause: "stopped" };
    case "expire":
      return { phase: "over", cause: "expired" };
    case "fail":
      return { phase: "over", cause: "failed", reason: signal.reason };
  }
}
