/** Turns of the event loop: each that is asked for is made, beside those of others. */
import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { type LoopTurns, loopTurns, plainTurns } from "../probe/loop_turns.ts";
import { test } from "./harness.ts";

const ROUNDS = 1000;

/** How many turns a chain of turns was given, while others asked for theirs, and whether these were made. */
async function turnsOf(make: (onTurn: () => void) => LoopTurns | Promise<LoopTurns>) {
  let own = 0;
  const last = Promise.withResolvers<void>();
  const turns = await make(() => ++own < ROUNDS ? turns.next() : last.resolve());
  turns.next();
  let others = 0;
  for (; others < ROUNDS; others++) await new Promise((resolve) => setImmediate(resolve));
  await last.promise;
  return { own, others };
}

test("each turn that is asked for is made once, beside those of others", async () => {
  const all = { own: ROUNDS, others: ROUNDS };
  assertEquals(await turnsOf(loopTurns), all);
  assertEquals(await turnsOf(plainTurns), all);
  assertEquals(await Promise.all([turnsOf(loopTurns), turnsOf(loopTurns)]), [all, all]);
});

test("turns of an idle chain come again when they are asked for again", async () => {
  let made = 0;
  let wake = () => {};
  const turns = await loopTurns(() => {
    made++;
    wake();
  });
  for (let round = 1; round <= 3; round++) {
    const turned = new Promise<void>((resolve) => wake = resolve);
    turns.next();
    await turned;
    await new Promise((resolve) => setTimeout(resolve, 1)); // none comes by itself
    assertEquals(made, round);
  }
});

test("this Deno has what turns without garbage need", async () => {
  const lean = await loopTurns(() => {});
  assert(
    lean.constructor !== plainTurns(() => {}).constructor,
    "setImmediate is used: its turns make garbage",
  );
});
