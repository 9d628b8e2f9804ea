/** Waiting: a clock that is passed as a parameter, so that tests control it, and races against it and against a signal. */

/** A source of moments and of waits. Tests pass a virtual one. */
export interface Clock {
  /** Milliseconds on a clock that never steps. Only differences mean anything. */
  now(): number;
  /** Resolves after `millis` milliseconds, soon if they are negative, or as soon as the signal is aborted. */
  sleep(millis: number, signal?: AbortSignal): Promise<void>;
}

/** The process's monotonic clock and its timers. */
export const systemClock: Clock = {
  now: () => performance.now(),
  sleep(millis, signal) {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done); // a signal may outlive many waits
        resolve();
      };
      // A moment may have passed before its wait begins: the runtime would warn of a negative number on stderr.
      const timer = setTimeout(done, Math.max(0, millis));
      signal?.addEventListener("abort", done);
    });
  },
};

/** Waits for a promise until the signal is aborted. The promise itself goes on. @throws the signal's reason. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  promise.catch(() => {}); // it may reject after the wait has ended
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** What {@linkcode withTimeout} resolves to when the time ran out. */
export const TIMED_OUT: unique symbol = Symbol("timed out");

/**
 * Waits for a promise, for `millis` milliseconds at most; 0 = no limit.
 *
 * @returns what the promise gives, or {@linkcode TIMED_OUT}. The promise itself goes on, and a rejection that comes
 * after the time-out is dropped.
 */
export async function withTimeout<T>(
  promise: Promise<T>,
  millis: number,
  clock: Clock = systemClock,
): Promise<T | typeof TIMED_OUT> {
  if (millis === 0) return await promise;
  promise.catch(() => {}); // it may reject after the wait has ended
  const enough = new AbortController();
  try {
    const late = clock.sleep(millis, enough.signal).then((): typeof TIMED_OUT => TIMED_OUT);
    return await Promise.race([promise, late]);
  } finally {
    enough.abort(TIMED_OUT); // without a reason it would make an error, with a stack, for each wait
  }
}
