/** Lines that are short or come again are counted exactly, too, as far as a lost one can be told from its neighbours. */
import { assert, assertEquals } from "@std/assert";
import type { LoadOptions } from "../load/options.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { LONG, test, volume } from "./harness.ts";
import { checkSums } from "./load_faults.ts";
import { LoadWorld } from "./load_world.ts";
import { randomFrom } from "./simulation.ts";

const encode = (text: string) => new TextEncoder().encode(text);

const LINES: Record<string, LoadOptions> = {
  ...Object.fromEntries((LONG ? [1, 2, 3, 4, 5, 7, 8] : [1, 3, 8]).map((size) => [`-s ${size}`, { size }])),
  "--data": { lines: ["login", "status", "items", "status", "logout"].map(encode) },
};
const LOOPS: Record<string, LoadOptions> = {
  open: { rate: 1000, duration: 3000, connections: 1 },
  closed: { depth: 4, count: 1500, connections: 4 },
};

for (const [name, lines] of Object.entries(LINES)) {
  for (const [loop, options] of Object.entries(LOOPS)) {
    const level = name === "--data" ? "quick" : "sized";
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

const OUTAGES = [[100, 150], [5000, 600], [5000, 150], [100, 600]] as const;

for (const [timeout, lasts] of OUTAGES.slice(0, volume(2, 4))) {
  const name =
    `${lasts} ms without replies over UDP cost the lines of that time alone, time-out ${timeout} ms`;
  test(name, { level: "sized" }, async () => {
    // Lines so long come again soon in the ring, those so short have nothing but a number.
    for (const size of [1400, 6]) {
      const { sum, dropped } = await outage({ size, timeout }, lasts);
      assert(dropped > 0.8 * lasts, `${dropped} dropped`);
      assertExact(sum, dropped);
      assert(sum.service.max < 50_000, `a reply took ${sum.service.max} µs`);
      assertEquals(sum.alike, false);
    }
  });
}

const fileOf = (count: number) => Array.from({ length: count }, (_, i) => encode(`line ${i}`));

/** What a run says that did not lose replies by itself. */
function assertExact(sum: LoadInterval, lost: number): void {
  const { received, sent, duplicates, late, corrupt } = sum;
  assertEquals(
    { received, lost: sum.lost, duplicates, late, corrupt },
    { received: sent - lost, lost, duplicates: 0, late: 0, corrupt: 0 },
  );
}

test("after an outage lines of a file are counted rightly, or known to be mixed up, from then on", {
  level: "heavy",
}, async () => {
  const told = new Set<boolean>();
  for (const count of [20, 300]) {
    for (const timeout of [15, 5000]) {
      for (const lasts of [5, 15, 170]) {
        const { sum, dropped, intervals } = await outage(
          { lines: fileOf(count), timeout, duration: 1200 },
          lasts,
        );
        if (!sum.alike) assertExact(sum, dropped);
        else assert(intervals.map((it) => it.alike).join().match(/^(false,)*true(,true)*$/));
        told.add(sum.alike);
      }
    }
  }
  assertEquals(told.size, 2);
});

test("half the lines of a file lost in a row are known to mix replies up, and fewer do not", async () => {
  const { sum } = await outage({ lines: fileOf(40), timeout: 5000 }, 30);
  assertEquals([sum.alike, LoadInterval.decode(sum.encode()).alike], [true, true]);
  const short = await outage({ lines: fileOf(40), timeout: 5000 }, 15);
  assertEquals(short.sum.alike, false);
  assertExact(short.sum, short.dropped);
});

test(
  "late, lost and repeated datagrams are counted rightly, or known to be mixed up",
  { level: "sized" },
  async () => {
    const told = { known: 0, mixed: 0 };
    const lines: LoadOptions[] = [
      ...[2, 3, 6].map((size) => ({ size })),
      ...[20, 300].map((it) => ({ lines: fileOf(it) })),
    ];
    const faults = [
      { slow: 0.02, delay: 800 },
      { slow: 0.02, delay: 800, drop: 0.01 },
      { slow: 0.02, delay: 40, drop: 0.005, duplicate: 0.005 },
      { slow: 1, delay: 30, duplicate: 0.01 },
    ];
    for (let seed = 1; seed <= volume(1, 10); seed++) {
      for (const payloads of lines) {
        for (const it of faults) {
          const world = new LoadWorld(it, randomFrom(seed));
          const run = {
            ...payloads,
            rate: 500,
            duration: 1200,
            connections: 1,
            timeout: 5000,
            datagrams: true,
          };
          const sum = checkSums(await world.run(run), true);
          const { dropped, duplicated } = world.done;
          told[sum.alike ? "mixed" : "known"]++;
          if (payloads.size === 6) assertEquals(sum.alike, false);
          if (sum.alike) continue;
          const counts = [sum.received, sum.lost, sum.duplicates, sum.corrupt];
          const name = JSON.stringify({ ...payloads, ...it, seed });
          assertEquals(counts, [sum.sent - dropped, dropped, duplicated, 0], name);
          assert(sum.service.max < 1000 * (it.delay + 2), `${sum.service.max} µs: ${name}`);
        }
      }
    }
    assert(told.known > 0 && told.mixed > 0, JSON.stringify(told));
  },
);
