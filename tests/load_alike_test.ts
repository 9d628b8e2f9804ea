/** Lines that are short or come again are counted exactly, too, as far as a lost one can be told from its neighbours. */
import { assert, assertEquals } from "@std/assert";
import type { LoadOptions } from "../load/options.ts";
import { test } from "./harness.ts";
import { checkSums } from "./load_faults.ts";
import { LoadWorld } from "./load_world.ts";
import { randomFrom } from "./simulation.ts";

const encode = (text: string) => new TextEncoder().encode(text);

const LINES: Record<string, LoadOptions> = {
  ...Object.fromEntries([1, 2, 3, 4, 5, 7, 8].map((size) => [`-s ${size}`, { size }])),
  "--data": { lines: ["login", "status", "items", "status", "logout"].map(encode) },
};
const LOOPS: Record<string, LoadOptions> = {
  open: { rate: 1000, duration: 3000, connections: 1 },
  closed: { depth: 4, count: 1500, connections: 4 },
};

for (const [name, lines] of Object.entries(LINES)) {
  for (const [loop, options] of Object.entries(LOOPS)) {
    const level = name === "--data" ? "quick" : "heavy";
    test(`a lost datagram costs ${loop} loops a line, and no other: ${name}`, { level }, async () => {
      const world = new LoadWorld({ drop: 0.002, inOrder: true }, randomFrom(5));
      const run = { ...lines, ...options, datagrams: true, timeout: 500 };
      const sum = checkSums(await world.run(run), loop === "open");
      const { dropped } = world.done;
      assert(dropped >= 2, `${dropped} dropped`);
      assertEquals([sum.received, sum.lost, sum.corrupt], [sum.sent - dropped, dropped, 0]);
    });
  }
}

for (const datagrams of [false, true]) {
  const name = `a second reply is a duplicate where lines come again, and spoils none: ${
    datagrams ? "UDP" : "TCP"
  }`;
  test(name, async () => {
    const world = new LoadWorld({ duplicate: 0.02, slow: 1, delay: 20, inOrder: true }, randomFrom(5));
    const run = { size: 1, rate: 1000, duration: 2000, connections: 1, timeout: 500, datagrams };
    const sum = checkSums(await world.run(run), true);
    const { duplicated } = world.done;
    assert(duplicated >= 20, `${duplicated} duplicated`);
    assertEquals([sum.received, sum.duplicates], [sum.sent, duplicated]);
  });
}
