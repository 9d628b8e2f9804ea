/** How far a connection has come. */
export type ConnectionState =
  | { phase: "open" }
  /** The server or the network has ended it. */
  | { phase: "ended"; reason: string }
  /** This side has closed it. */
  | { phase: "closed" };

/** What moves it on. */
export type ConnectionSignal = { type: "end"; reason: string } | { type: "close" };

export const OPEN: ConnectionState = { phase: "open" };

/** The state after a signal: the first cause of an end stays. */
export function nextState(state: ConnectionState, signal: ConnectionSignal): ConnectionState {
  if (state.phase !== "open") return state;
  return signal.type === "end" ? { phase: "ended", reason: signal.reason } : { phase: "closed" };
}

/** A place for a connection: what ends there is made anew. */
export type PlaceState<Connection> =
  | { phase: "connecting"; failures: number }
  | { phase: "open"; connection: Connection; failures: number }
  /** Waits before the next attempt. */
  | { phase: "backing off"; failures: number }
  | { phase: "closed" };

export type PlaceSignal<Connection> =
  | { type: "connected"; connection: Connection }
  | { type: "failed" }
  /** @property answered whether it had a reply: then what ends it is no reason to be slower. */
  | { type: "ended"; answered: boolean }
  | { type: "retry" }
  | { type: "close" };

/** The state of a place after a signal. One that does not fit its state changes nothing. */
export function nextPlaceState<C>(state: PlaceState<C>, signal: PlaceSignal<C>): PlaceState<C> {
  if (state.phase === "closed") return state;
  switch (signal.type) {
    case "connected":
      return state.phase === "connecting"
        ? { phase: "open", connection: signal.connection, failures: state.failures }
        : state;
    case "failed":
      return state.phase === "connecting" ? { phase: "backing off", failures: state.failures + 1 } : state;
    case "ended":
      return state.phase === "open"
        ? { phase: "backing off", failures: signal.answered ? 1 : state.failures + 1 }
        : state;
    case "retry":
      return state.phase === "backing off" ? { phase: "connecting", failures: state.failures } : state;
    case "close":
      return { phase: "closed" };
  }
}
