/** Lines that are short or come again are counted exactly, too, as far as a lost one can be told from its neighbours. */
import { assert, assertEquals } from "@std/assert";
import type { LoadOptions } from "../load/options.ts";
import { LoadInterval } from "../stats/load_interval.ts";
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

/** A run over one socket, all replies to which are lost for a while, and what came of it. */
async function outage(options: LoadOptions, lasts: number) {
  const world = new LoadWorld({ inOrder: true }, randomFrom(5));
  const run = { rate: 1000, duration: 1500, connections: 1, datagrams: true, ...options };
  const intervals = await world.run(run, () => {
    const setDrop = (share: number) => () => void (world.faults.drop = share);
    void world.clock.sleep(700).then(setDrop(1));
    void world.clock.sleep(700 + lasts).then(setDrop(0));
  });
  return { sum: checkSums(intervals, true), dropped: world.done.dropped, intervals };
}

for (const [timeout, lasts] of [[100, 150], [5000, 150], [100, 600], [5000, 600]] as const) {
  const name =
    `${lasts} ms without replies over UDP cost the lines of that time alone, time-out ${timeout} ms`;
  test(name, { level: "heavy" }, async () => {
    // Lines so long come again soon in the ring, those so short have nothing but a number.
    for (const size of [1400, 6]) {
      const { sum, dropped } = await outage({ size, timeout }, lasts);
      assert(dropped > 0.8 * lasts, `${dropped} dropped`);
      const { received, sent, lost, duplicates, late, corrupt } = sum;
      assertEquals(
        { received, lost, duplicates, late, corrupt },
        { received: sent - dropped, lost: dropped, duplicates: 0, late: 0, corrupt: 0 },
      );
      assert(sum.service.max < 50_000, `a reply took ${sum.service.max} µs`);
      assertEquals(sum.alike, false);
    }
  });
}

test("what is lost in a row, longer than half the lines of a file, is known to mix replies up", async () => {
  const lines = Array.from({ length: 40 }, (_, i) => encode(`line ${i}`));
  for (const timeout of [15, 5000]) {
    const { intervals, sum } = await outage({ lines, timeout }, 30);
    assertEquals(intervals.map((it) => it.alike), intervals.map(() => true));
    assertEquals([sum.alike, LoadInterval.decode(sum.encode()).alike], [true, true]);
  }
  const short = await outage({ lines, timeout: 5000 }, 15);
  assert(short.dropped > 5);
  assertEquals([short.sum.alike, short.sum.lost], [false, short.dropped]);
});
