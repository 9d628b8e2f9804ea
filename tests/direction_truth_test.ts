/** Claims about the direction of the delay, over paths whose truth is known: how often they are wrong, and missed. */
import { assert, assertEquals } from "@std/assert";
import { correlationLength, signTest } from "../stats/direction.ts";
import { directionLines, summaryLines } from "../report/summary.ts";
import { cases, test, volume } from "./harness.ts";
import { exponential, type Jitter, JITTERS, seeded, statsOf } from "./paths.ts";

const RUNS = volume(cases(24), 1000);
const INTERVALS = [0.001, 0.01, 0.1];
const BEST = [100, 1000, 10_000];
const MEANS = [300, 5000];

/** The claim of one run over a path of this best delay each way. */
function claim(seed: number, lines: number, best: number, up: Jitter, down: Jitter, mean: number) {
  const random = seeded(seed);
  const interval = INTERVALS[Math.floor(seed / 2) % INTERVALS.length]!;
  const moments = Array.from({ length: lines }, (_, i) => (i + 1) * interval);
  const ways = [up, down].map((jitter) => jitter(random, moments, mean).map((it) => best + it));
  return statsOf({ moments, up: ways[0]!, down: ways[1]! }, random).summary().servers[0]!;
}

for (const [name, jitter] of Object.entries(JITTERS)) {
  test(
    `of ${RUNS} symmetric paths with ${name} jitter at most one in a hundred is claimed to have a direction`,
    { level: name === "independent" ? "sized" : "long" },
    () => {
      const rates = [10, 20, 50, 200].map((lines) => {
        let wrong = 0;
        for (let seed = 0; seed < RUNS; seed++) {
          const best = BEST[seed % BEST.length]!;
          const server = claim(seed * 7 + lines, lines, best, jitter, jitter, MEANS[seed % MEANS.length]!);
          if (server.carries !== null) wrong++;
        }
        assert(wrong <= Math.max(1, RUNS / 100), `${wrong} of ${RUNS} with ${lines} lines`);
        return `${lines} lines ${wrong}`;
      });
      if (RUNS >= 1000) console.log(`wrong of ${RUNS}: ${rates.join(", ")}`);
    },
  );
}

test(
  `of ${RUNS} paths with 5 ms of jitter in one direction it is found in 95 of a hundred, from 50 lines on`,
  { level: "sized" },
  () => {
    const quiet: Jitter = (random, moments) => moments.map(() => exponential(random, 3));
    const rates = [50, 100, 200].flatMap((lines) =>
      (["independent", "uniform"] as const).map((name) => {
        let found = 0;
        for (let seed = 0; seed < RUNS; seed++) {
          const ways: [Jitter, Jitter] = seed % 2 === 0 ? [JITTERS[name]!, quiet] : [quiet, JITTERS[name]!];
          if (
            claim(seed * 13 + lines, lines, 100, ...ways, 5000).carries === (seed % 2 === 0 ? "up" : "down")
          ) found++;
        }
        assert(found >= Math.floor(0.95 * RUNS), `${found} of ${RUNS} with ${lines} lines, ${name}`);
        return `${lines} lines, ${name} ${found}`;
      })
    );
    if (RUNS >= 1000) console.log(`found of ${RUNS}: ${rates.join("; ")}`);
  },
);

test("lines that this machine held up are counted, and no claim is made of them", () => {
  const random = seeded(5);
  const moments = Array.from({ length: 200 }, (_, i) => (i + 1) * 0.01);
  const ways = [0, 1].map(() => moments.map(() => 200 + exponential(random, 20)));
  // Every other reply is read 5 ms late: that looks like downstream delay.
  const late = moments.map((_, i) => i % 2 === 0 ? 5000 : 0);
  const known = statsOf({ moments, up: ways[0]!, down: ways[1]!, heldUp: late }, random).summary();
  const [server] = known.servers;
  assertEquals([server!.busy, server!.carries, server!.leans, server!.down!.count], [100, null, null, 200]);
  const text = summaryLines(known).join("\n");
  assert(
    text.includes("\nthis machine was too busy to time 100 lines; the direction is judged without them"),
    text,
  );
  const down = ways[1]!.map((it, i) => it + late[i]!);
  assertEquals(statsOf({ moments, up: ways[0]!, down }, random).summary().servers[0]!.carries, "down");
});

test("a direction that too few lines can tell is not said to be judged, and two replies have no delays to tell", () => {
  const textOf = (lines: number) => {
    const random = seeded(5);
    const moments = Array.from({ length: lines }, (_, i) => (i + 1) * 0.01);
    const [up, down] = [0, 1].map(() => moments.map(() => 200 + exponential(random, 20)));
    const heldUp = moments.map((_, i) => i < 2 ? 5000 : 0);
    return summaryLines(statsOf({ moments, up: up!, down: down!, heldUp }, random).summary()).join("\n");
  };
  for (
    const [lines, judged] of [[2, ""], [10, ""], [52, "; the direction is judged without them"]] as const
  ) {
    const text = textOf(lines);
    assert(`${text}\n`.includes(`\nthis machine was too busy to time 2 lines${judged}\n`), text);
    assert(text.includes("delay above its best") === lines > 2, text);
  }
});

test("a claim that busy lines leave too few replies for says how many are left", () => {
  const random = seeded(3);
  const moments = Array.from({ length: 60 }, (_, i) => (i + 1) * 0.1);
  const up = moments.map(() => 100 + exponential(random, 3));
  const down = JITTERS.independent!(random, moments, 5000).map((it) => 100 + it);
  const [server] = statsOf({ moments, up, down }, random).summary().servers;
  const [line] = directionLines({ ...server!, busy: 17, carries: null, leans: "down" });
  assertEquals(
    line,
    "downstream seems to have most of the delay: only 43 of 60 replies can be used for this; it takes 50",
  );
});

test("a line is busy too if ping was held up between its readings of two clocks", () => {
  const random = seeded(6);
  const stats = statsOf({ moments: [1, 2, 3], up: [200, 200, 200], down: [200, 200, 200] }, random);
  stats.add({
    fate: "received",
    seq: 4,
    at: 4.0004,
    rtt: 400,
    sent: 1.7e15 + 4e6,
    stamp: 1.7e15 + 4e6 + 200,
    received: 1.7e15 + 4e6 + 1400,
    format: "iso",
  });
  assertEquals(stats.summary().servers[0]!.busy, 1);
});

test("the text names the direction, or says what a claim would take", () => {
  const quiet: Jitter = (random, moments) => moments.map(() => exponential(random, 3));
  const text = (lines: number, down: Jitter) => {
    const random = seeded(3);
    const moments = Array.from({ length: lines }, (_, i) => (i + 1) * 0.1);
    const ways = [quiet, down].map((jitter) => jitter(random, moments, 5000).map((it) => 100 + it));
    return summaryLines(statsOf({ moments, up: ways[0]!, down: ways[1]! }, random).summary()).join("\n");
  };
  assert(
    /^downstream has most of the delay: p90 above its best is \d+\.\d{3} ms, upstream 0\.\d{3} ms$/m.test(
      text(60, JITTERS.independent!),
    ),
  );
  assert(
    text(20, JITTERS.independent!).includes(
      "\ndownstream seems to have most of the delay: 50 replies are needed to tell",
    ),
  );
  const once: Jitter = (random, moments) =>
    moments.map((_, i) => exponential(random, 3) + (i < 30 ? 4000 : 0));
  assert(
    text(200, once).includes("\ndownstream seems to have most of the delay, but not all through the run"),
  );
});

test("the test of signs and the length of correlation are those of the books", () => {
  assertEquals(signTest(0, 0), 1);
  assertEquals(signTest(0, 10), 2 / 1024);
  assertEquals(signTest(9, 1), 22 / 1024);
  assertEquals(signTest(5, 5), 1);
  const random = seeded(9);
  const independent = Array.from({ length: 4000 }, () => random());
  assert(correlationLength(independent) < 1.3);
  let value = 0;
  const dependent = independent.map((it) => value = 0.8 * value + it - 0.5);
  const length = correlationLength(dependent); // (1 + 0.8) / (1 - 0.8) = 9, of the values themselves
  assert(length > 6 && length < 12, `${length}`);
});
