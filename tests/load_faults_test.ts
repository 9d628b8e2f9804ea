/** Each line is counted once, whatever becomes of it and of the connection that it shares with others. */
import { assert } from "@std/assert";
import { test, volume } from "./harness.ts";
import { checkRandomRuns, checkSums } from "./load_faults.ts";
import { LoadWorld } from "./load_world.ts";
import { randomFrom } from "./simulation.ts";

test(
  "each line is counted once over shared connections, whatever servers and the user do",
  { level: "sized" },
  async () => {
    await checkRandomRuns({});
  },
);

test(
  "a closed loop goes on after a standstill that is longer than the time-out",
  { level: "sized" },
  async () => {
    for (const path of [{}, { reconnect: true }]) {
      for (let seed = 0; seed < volume(3, 10); seed++) {
        const faults = { block: 0.05, blockFor: 400, connect: 200, partial: true };
        const world = new LoadWorld(faults, randomFrom(seed));
        const run = { ...path, depth: 3, count: 100, connections: 1, timeout: 50 };
        const sum = checkSums(await world.run(run), false);
        // Of the last lines those that could not be written in time are given up: nothing comes after them.
        assert(sum.planned <= 100 && sum.planned >= 100 - run.depth, `${sum.planned} sent`);
      }
    }
  },
);
