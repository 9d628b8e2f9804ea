/** How far a run of load has come. */
export type LoadState =
  /** Connections are being opened. */
  | { phase: "opening" }
  /** Lines are sent. */
  | { phase: "sending" }
  /** No line is sent any more, and replies are awaited. */
  | { phase: "draining"; cause: EndCause }
  /** Nothing is awaited any more. */
  | { phase: "over"; cause: EndCause };

/** Why nothing more is sent: the plan has ended, or the user wants no more, or not even replies. */
export type EndCause = "done" | "stopped" | "aborted";

/** What moves a run on. */
export type LoadSignal =
  | { type: "opened" }
  /** The plan has ended. */
  | { type: "all sent" }
  /** The user wants no more lines. */
  | { type: "stop" }
  /** The fate of all lines is known. */
  | { type: "all known" }
  /** The user wants no more at all, or something unexpected was thrown. */
  | { type: "abort" };

/** The state after a signal. A state never goes back. */
export function nextLoadState(state: LoadState, signal: LoadSignal): LoadState {
  if (state.phase === "over") return state;
  switch (signal.type) {
    case "opened":
      return state.phase === "opening" ? { phase: "sending" } : state;
    case "all sent":
      return state.phase === "sending" ? { phase: "draining", cause: "done" } : state;
    case "stop":
      if (state.phase === "opening") return { phase: "over", cause: "stopped" };
      return state.phase === "sending" ? { phase: "draining", cause: "stopped" } : state;
    case "all known":
      return state.phase === "draining" ? { phase: "over", cause: state.cause } : state;
    case "abort":
      return { phase: "over", cause: "aborted" };
  }
}
