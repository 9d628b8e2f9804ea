/** How a thread finds out what the main thread's clock shows. */
import { assert } from "@std/assert";
import fc from "fast-check";
import { answerClock, askClock, clockMemory } from "../load/thread_clock.ts";
import { cases, test } from "./harness.ts";
import { assertProperty } from "./properties.ts";

/** By how much the main thread's clock is ahead, in ms. */
const AHEAD = 100;

/** What a thread finds if each look at a clock comes so much after the one before, in µs. */
function askWith(gaps: number[]) {
  let [moment, looks] = [0, 0];
  const look = () => moment += gaps[looks++ % gaps.length]! / 1000;
  const memory = clockMemory();
  // Both run in this thread: the main one answers once, and leaves.
  return askClock(memory, () => answerClock(memory, () => look() + AHEAD), look);
}

test("a thread knows the main thread's clock to within the error that it tells", () => {
  assertProperty(
    fc.property(fc.array(fc.constantFrom(1, 30, 1000), { minLength: 5, maxLength: 9 }), (gaps) => {
      const { value, error } = askWith(gaps);
      assert(Math.abs(value - AHEAD) <= error + 1e-9, `${value} ± ${error}`);
      assert(Number.isFinite(error) && error <= gaps.reduce((sum, it) => sum + it, 0), `${error}`);
    }),
    { numRuns: cases(40) },
  );
});
