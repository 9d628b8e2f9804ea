/** The offset's bound over paths whose truth is known: it is right, or withdrawn, and hardly ever withdrawn for nothing. */
import { assert, assertEquals } from "@std/assert";
import { summaryLines } from "../report/summary.ts";
import type { ServerSummary } from "../stats/summary.ts";
import { cases, test, volume } from "./harness.ts";
import { JITTERS, logUniform, type Random, seeded, statsOf } from "./paths.ts";
import { within } from "./simulation.ts";
/** Delays in µs of runs over the loopback of a machine that others kept busy, and when their lines were sent. */
import busyLoopback from "./testdata/busy_loopback.json" with { type: "json" };

const RUNS = volume(cases(60), 4000);
const LINES = [50, 100, 200];

/** The delays of a run, and what they add up to: the offset cannot be told better than half of the least. */
interface Path {
  moments: number[];
  up: number[];
  down: number[];
  end: number;
  random: Random;
}

function pathOf(seed: number): Path {
  const random = seeded(seed);
  const lines = LINES[seed % LINES.length]!;
  const interval = logUniform(random, 0.001, 1);
  const moments: number[] = [];
  for (let i = 0, at = 0; i < lines; i++) moments.push(at += interval * (1 + 0.05 * random()));
  const kinds = Object.values(JITTERS);
  const jitter = kinds[Math.floor(seed / LINES.length) % kinds.length]!;
  const [up, down] = [0, 1].map(() => {
    const best = logUniform(random, 50, 20_000);
    return jitter(random, moments, best * logUniform(random, 0.02, 1)).map((it) => best + it);
  }) as [number[], number[]];
  const end = Math.max(...moments.map((it, i) => it + (up[i]! + down[i]!) / 1e6));
  return { moments, up, down, end, random };
}

/** What is said of a run, and whether its offset is right. */
function told(
  path: Path,
  offset: (moment: number) => number,
): { server: ServerSummary; right: boolean; word: boolean } {
  const server = statsOf({ ...path, offset }, path.random).summary().servers[0]!;
  const drift = server.drift !== null && Math.abs(server.drift.value) > 500;
  return {
    server,
    right: within(server.offset!, offset(path.end) / 1e6),
    word: server.withdrawn !== null || server.break_count > 0 || drift,
  };
}

/** Few runs may have two of what one in a hundred may. */
function counted(what: string, wrong: number, ofAll = RUNS): void {
  if (RUNS >= 1000) console.log(`${what}: ${wrong} of ${ofAll}`);
  assert(wrong <= Math.max(2, ofAll / 100), `${wrong} of ${ofAll}`);
}

test(
  `of ${RUNS} bounds over clocks that keep to 500 ppm all hold, and at most one in a hundred is withdrawn`,
  { level: "sized" },
  () => {
    let withdrawn = 0;
    for (let seed = 0; seed < RUNS; seed++) {
      const path = pathOf(seed);
      const drift = seed % 2 === 0 ? 0 : (2 * path.random() - 1) * 500;
      const { server, right } = told(path, (moment) => 5000 + drift * moment);
      assert(right, JSON.stringify({ seed, drift, server }));
      if (server.withdrawn !== null) withdrawn++;
    }
    counted("withdrawn for nothing", withdrawn);
  },
);

test(
  `of ${RUNS} clocks that drift by 1000 ppm at most one in a hundred has a wrong bound and no word about it`,
  { level: "sized" },
  () => {
    let silent = 0;
    for (let seed = 0; seed < RUNS; seed++) {
      const path = pathOf(seed + 100_000);
      const { right, word } = told(path, (moment) => 5000 + (seed % 2 === 0 ? 1000 : -1000) * moment);
      if (!right && !word) silent++;
    }
    counted("silent about 1000 ppm", silent);
  },
);

test(`of ${RUNS} steps larger than the bound at most one in a hundred leaves it wrong and without a word`, {
  level: "sized",
}, () => {
  let [silent, wordless] = [0, 0];
  for (let seed = 0; seed < RUNS; seed++) {
    const path = pathOf(seed + 200_000);
    const { moments, up, down, random } = path;
    const bound = (Math.min(...up) + Math.min(...down)) / 2;
    const most = 1.2 * Math.min(...up.map((it, i) => it + down[i]!));
    const size = (seed % 2 === 0 ? 1 : -1) * (bound + random() * (most - bound));
    const at = moments[0]! + random() * (moments.at(-1)! - moments[0]!);
    const { right, word } = told(path, (moment) => 5000 + (moment > at ? size : 0));
    if (!right && !word) silent++;
    if (!word) wordless++;
  }
  counted("silent about a step", silent);
  assert(wordless < RUNS / 2, `${wordless} of ${RUNS}`);
});

test("over a busy machine's loopback the bound stands, and neither a step nor 1000 ppm passes without a word", () => {
  for (const [seed, text] of busyLoopback.entries()) {
    const [moments, up, down] = [text.moments, text.up, text.down].map((it) => it.split(" ").map(Number)) as [
      number[],
      number[],
      number[],
    ];
    const end = Math.max(...moments.map((it, i) => it + (up[i]! + down[i]!) / 1e6));
    const run = (offset: (moment: number) => number) =>
      told({ moments, up, down, end, random: seeded(seed) }, offset);
    const steady = run(() => 5000);
    assert(steady.right && steady.server.withdrawn === null, JSON.stringify({ seed, ...steady }));
    const bound = (Math.min(...up) + Math.min(...down)) / 2;
    const middle = moments[Math.floor(moments.length / 2)]!;
    for (const size of [1.3 * bound, -1.3 * bound]) {
      const stepped = run((moment) => 5000 + (moment > middle ? size : 0));
      assert(stepped.right || stepped.word, JSON.stringify({ seed, size, ...stepped }));
      const drifting = run((moment) => 5000 + 1000 * Math.sign(size) * moment);
      assert(drifting.right || drifting.word, JSON.stringify({ seed, size, ...drifting }));
    }
  }
});

test("a withdrawn bound is that of the latest reply, and the text says why", () => {
  const random = seeded(1);
  const moments = Array.from({ length: 60 }, (_, i) => i * 0.1);
  const ways = [0, 1].map(() => moments.map(() => 5000 + 200 * random()));
  // A step of 8 ms, by less than the round trips of 10 ms: each reply alone could still have the old offset.
  const stats = statsOf({ moments, up: ways[0]!, down: ways[1]!, offset: (at) => at > 3 ? 8000 : 0 }, random);
  const [server] = stats.summary().servers;
  assertEquals([server!.withdrawn, server!.break_count, server!.drift, server!.up], ["step", 0, null, null]);
  assert(within(server!.offset!, 0.008) && server!.offset!.bound > 0.005, JSON.stringify(server!.offset));
  const text = summaryLines(stats.summary()).join("\n");
  assert(/^clock offset \+\d+\.\d{3} ms ± 5\.\d{3} ms by the latest reply alone, /m.test(text), text);
  assert(
    text.includes("\nwhat all replies proved is withdrawn: their delays look as if a clock had been stepped"),
    text,
  );
});

test("a step of this machine's clock is told as such, with its size, however small it is beside the round trips", () => {
  for (const size of [-1e6, 300, -300, 1e6]) {
    const random = seeded(2);
    const moments = Array.from({ length: 40 }, (_, i) => i * 0.1);
    const ways = [0, 1].map(() => moments.map(() => 5000 + 200 * random()));
    const client = (at: number) => at > 2 ? size : 0;
    const run = { moments, up: ways[0]!, down: ways[1]!, client, offset: () => 50_000 };
    const stats = statsOf(run, random);
    const [server] = stats.summary().servers;
    assertEquals([server!.break_count, server!.withdrawn], [1, null]);
    const [found] = server!.breaks;
    assertEquals([found!.kind, found!.whose], ["step", "client"]);
    assert(within(found!.size!, -size / 1e6), JSON.stringify(found));
    assert(within(server!.offset!, (50_000 - size) / 1e6), JSON.stringify(server!.offset));
    const text = summaryLines(stats.summary()).join("\n");
    assert(
      /^clock step [+-]\d+\.\d{3} ms ± 0\.0\d\d ms .*: this machine's clock was stepped$/m.test(text),
      text,
    );
  }
});

test("the text says where a drift is limited by what is assumed, and not by replies", () => {
  const moments = Array.from({ length: 200 }, (_, i) => i * 0.05);
  const ways = moments.map(() => 500);
  const text = (drift: number) => {
    const stats = statsOf({ moments, up: ways, down: ways, offset: (at) => drift * at }, seeded(1));
    return summaryLines(stats.summary()).find((it) => it.startsWith("clock drift"))!;
  };
  const assumed = "; a drift of at most 500 ppm is assumed";
  assert(text(480).endsWith(`gains; the offset is the latest${assumed}`), text(480));
  assert(text(-480).endsWith(`loses; the offset is the latest${assumed}`), text(-480));
  assert(text(200).endsWith("gains; the offset is the latest"), text(200));
});
