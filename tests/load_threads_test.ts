/** The threads of load when they do not do what they should: the main thread ends nevertheless. */
import { assert, assertEquals } from "@std/assert";
import type { ToThread } from "../load/messages.ts";
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
    if (type === "open") queueMicrotask(() => this.onmessage!({ data: { type: "opened" } }));
  }

  terminate(): void {
    DeafWorker.terminated++;
  }
}

const OBSERVER = { onInterval() {}, onExchange() {}, onServer() {}, onBegin() {} };

test(
  "a thread that hears of nothing is ended at the second signal",
  { needs: ["--allow-read"] },
  async () => {
    const { Worker } = globalThis;
    globalThis.Worker = DeafWorker as unknown as typeof Worker;
    try {
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
    } finally {
      globalThis.Worker = Worker;
    }
  },
);
