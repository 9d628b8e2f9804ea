import { assertEquals, assertRejects } from "@std/assert";
import { systemClock, TIMED_OUT, withTimeout } from "../time/timers.ts";
import { test } from "./harness.ts";
import { VirtualClock } from "./virtual_clock.ts";

test("withTimeout gives what comes in time, and the time-out at its exact moment otherwise", async () => {
  const clock = new VirtualClock();
  const work = Promise.withResolvers<string>();
  const inTime = withTimeout(work.promise, 100, clock);
  await clock.advance(99);
  work.resolve("done");
  assertEquals(await inTime, "done");

  let result: unknown;
  void withTimeout(new Promise(() => {}), 100, clock).then((it) => result = it);
  await clock.advance(99);
  assertEquals(result, undefined);
  await clock.advance(1);
  assertEquals(result, TIMED_OUT);
  assertEquals(clock.sleeping, 0);
});

test("withTimeout passes an error on, and drops one that comes late", async () => {
  const clock = new VirtualClock();
  await assertRejects(() => withTimeout(Promise.reject(new Error("broken")), 100, clock), Error, "broken");
  const work = Promise.withResolvers<never>();
  const late = withTimeout(work.promise, 1, clock);
  await clock.advance(1);
  work.reject(new Error("too late"));
  assertEquals(await late, TIMED_OUT);
});

test("a sleep ends early when its signal is aborted, and leaves no timer behind", async () => {
  const enough = new AbortController();
  const sleeping = systemClock.sleep(60_000, enough.signal);
  enough.abort();
  await sleeping;
  await systemClock.sleep(60_000, enough.signal);
});

test("a sleep to a moment that has passed ends without a word of the runtime", async () => {
  const said: unknown[] = [];
  const hear = (warning: unknown) => said.push(warning);
  process.on("warning", hear);
  await systemClock.sleep(-1);
  process.off("warning", hear);
  assertEquals(said, []);
});
