/** What a connection is doing, and what it does next. */

/** A reason is a short text for a log. */
export type ConnectionState =
  /** It waits for the peer's next bytes. */
  | { phase: "reading" }
  /** A reply is on its way to the peer. */
  | { phase: "writing" }
  /** The last replies are on their way; the end follows them. */
  | { phase: "finishing"; reason: string }
  /** This side has ended, or is about to: what the peer still sends is read and discarded. */
  | { phase: "leaving"; reason: string }
  | EndedState;

/** It is closed; cut if that was in the middle of a reply. */
export interface EndedState {
  phase: "ended";
  reason: string;
  cut: boolean;
}

/** What happens to a connection. */
export type ConnectionEvent =
  | { type: "write" }
  | { type: "written" }
  /** The peer has ended its side, in order. */
  | { type: "peer-ended" }
  /** It is to end once what has been read is answered. */
  | { type: "finish"; reason: string }
  /** All that was read is answered, and this side ends. */
  | { type: "leave" }
  /** It is to end at once. */
  | { type: "cut"; reason: string }
  /** Its stream has failed, or has come to its end. */
  | { type: "end"; reason: string };

export const READING: ConnectionState = { phase: "reading" };
const WRITING: ConnectionState = { phase: "writing" };

/** The state after an event. The first reason stays, unless a reply is cut; an ended connection stays ended. */
export function nextState(state: ConnectionState, event: ConnectionEvent): ConnectionState {
  if (state.phase === "ended") return state;
  const reason = "reason" in state ? state.reason : undefined;
  const isReplying = state.phase === "writing" || state.phase === "finishing";
  switch (event.type) {
    case "write":
      return state.phase === "reading" ? WRITING : state;
    case "written":
      return state.phase === "writing" ? READING : state;
    case "peer-ended":
      return reason === undefined ? { phase: "finishing", reason: "closed by peer" } : state;
    case "finish":
      if (reason !== undefined) return state;
      return { phase: isReplying ? "finishing" : "leaving", reason: event.reason };
    case "leave":
      return state.phase === "finishing" ? { phase: "leaving", reason: state.reason } : state;
    case "cut":
      return isReplying
        ? { phase: "ended", reason: event.reason, cut: true }
        : { phase: "ended", reason: reason ?? event.reason, cut: false };
    case "end":
      return { phase: "ended", reason: reason ?? event.reason, cut: false };
  }
}
