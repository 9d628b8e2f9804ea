/** The threads of load when they do not do what they should: the main thread ends nevertheless. */
import { assert, assertEquals } from "@std/assert";
import { load } from "../load.ts";
import type { FromThread, ToThread } from "../load/messages.ts";
import { planOf } from "../load/options.ts";
import { Threads } from "../load/threads.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { test } from "./harness.ts";
import { within } from "./helpers.ts";

/** Connects, and then hears of nothing. */
class DeafWorker {
  static terminated = 0;
  onmessage: ((event: { data: unknown }) => void) | undefined;

  postMessage({ type }: ToThread): void {
    if (type === "open") queueMicrotask(() => this.onmessage!({ data: { type: "opened", clockError: 0 } }));
  }

  terminate(): void {
    DeafWorker.terminated++;
  }
}

/** Has had one reply, and a clock that is known to some ms: the first to 3, the second to 7. */
class UnsureWorker {
  static started = 0;
  static stamp: number | undefined;
  onmessage: ((event: { data: FromThread }) => void) | undefined;
  readonly #clockError = UnsureWorker.started++ === 0 ? 3 : 7;

  postMessage(message: ToThread): void {
    queueMicrotask(() => this.#answer(message));
  }

  terminate(): void {}

  #answer(message: ToThread): void {
    const tell = (data: FromThread) => this.onmessage!({ data });
    switch (message.type) {
      case "open":
        return tell({ type: "opened", clockError: this.#clockError });
      case "run": {
        const interval = Object.assign(new LoadInterval(), { tail: true }).encode();
        const stamp = UnsureWorker.stamp ??= 1000 * Date.now(); // one for both, which begin together
        const samples = Float64Array.of(0, message.began, stamp, message.began + 0.1, 1);
        tell({ type: "interval", interval, samples, turned: 0, tags: [null], servers: [null] });
        return tell({ type: "over", stalled: 0 });
      }
      case "close":
        return tell({ type: "closed" });
    }
  }
}

/** Runs something with a class of the test in place of `Worker`. */
async function withWorkers(workers: unknown, body: () => Promise<void>): Promise<void> {
  const { Worker } = globalThis;
  globalThis.Worker = workers as typeof Worker;
  try {
    await body();
  } finally {
    globalThis.Worker = Worker;
  }
}

const OBSERVER = { onInterval() {}, onExchange() {}, onServer() {}, onBegin() {} };

test(
  "a thread that hears of nothing is ended at the second signal",
  { needs: ["--allow-read"] },
  () =>
    withWorkers(DeafWorker, async () => {
      const clock = { now: () => 0, sleep: () => Promise.resolve() };
      const plan = planOf({ connections: 2, threads: 2 });
      const dial = {
        endpoint: { transport: "tcp", hostname: "127.0.0.1", port: 1 },
        connectTimeout: 1,
        insecure: false,
      } as const;
      const threads = new Threads(plan, dial, clock, OBSERVER, new LoadInterval());
      await threads.open();
      const running = threads.run(0);
      let hasEnded = false;
      void running.then(() => hasEnded = true);
      threads.stop();
      await new Promise((resolve) => setTimeout(resolve));
      assert(!hasEnded, "it waits for what is in flight");
      threads.abort();
      await within(running, "the threads to be ended");
      assertEquals([threads.cause, DeafWorker.terminated], ["aborted", 2]);
    }),
);

test(
  "the offset's bound has room for the thread whose clock is known the least",
  { needs: ["--allow-read"] },
  () =>
    withWorkers(UnsureWorker, async () => {
      await using run = load("127.0.0.1:1", { threads: 2, connections: 2, duration: 1, warmup: 0 });
      for await (const _ of run) { /* until its end */ }
      const { offset } = run.summary().servers[0]!;
      // Half of the round trip, the readings of the clocks, and 7 ms.
      assert(offset!.bound > 0.00705 && offset!.bound < 0.0071, `${offset!.bound}`);
    }),
);
