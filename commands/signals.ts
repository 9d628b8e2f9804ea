/** What the signals of the process do to a command. */
import type { Signals } from "./command.ts";

/** A signal that comes this soon after the one before, in ms, is the same wish again: timeout(1) sends two at once. */
const REPEAT_MS = 300;

/** What catches signals. Tests pass another. */
export interface SignalledProcess {
  listen(signal: Deno.Signal, listener: () => void): void;
  /** Ends the process, as one that failed. */
  exit(): void;
  /** In ms, on a clock that never steps. */
  now(): number;
  readonly isWindows: boolean;
}

export function signalsOf({ listen, exit, now, isWindows }: SignalledProcess): Signals {
  return {
    stop(hangup = false, again) {
      const stop = new AbortController();
      let before = -Infinity;
      const onSignal = () => {
        const moment = now();
        if (moment - before < REPEAT_MS) return;
        before = moment;
        if (!stop.signal.aborted) stop.abort();
        else if (!again?.()) exit();
      };
      listen("SIGINT", onSignal);
      listen(isWindows ? "SIGBREAK" : "SIGTERM", onSignal);
      // Several hangups are one wish, but SIGINT after them is a second one.
      if (hangup && !isWindows) listen("SIGHUP", () => stop.signal.aborted || onSignal());
      return stop.signal;
    },
    on(signal, listener) {
      if (!isWindows) listen(signal, listener);
    },
  };
}
