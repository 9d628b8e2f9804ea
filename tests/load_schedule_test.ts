/** The plan of a load: lines where the integral of its stages wants them, uniform or at random. */
import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../probe/random.ts";
import { type Schedule, type Stage, type StagesOptions, StagesSchedule } from "../probe/schedule.ts";
import { test, volume } from "./harness.ts";

function moments(schedule: Schedule, most = Infinity): number[] {
  const all: number[] = [];
  for (let it = schedule.next(); it !== undefined && all.length < most; it = schedule.next()) all.push(it);
  return all;
}

function stagesOf(text: string): Stage[] {
  return text.split(",").map((it) => {
    const [seconds, rate] = it.split(":").map(Number) as [number, number];
    return { duration: seconds * 1000, rate };
  });
}

/** The integral of the stages by small steps, which knows no formula. */
function integral(stages: readonly Stage[], from: number, to: number): number {
  const step = 0.25;
  let lines = 0;
  for (let at = from + step / 2; at < to; at += step) {
    let [begin, rate] = [0, 0];
    for (const stage of stages) {
      if (at < begin + stage.duration) {
        lines += (rate + (stage.rate - rate) * (at - begin) / stage.duration) / 1000 * step;
        break;
      }
      begin += stage.duration;
      rate = stage.rate;
    }
  }
  return lines;
}

const PLANS = [
  "0:20000,5:20000",
  "30:1000,60:5000,30:0",
  "0:700.7,3:700.7,0:0,4:0,0:33,2.5:33",
  "1.5:10,0:9000,0.3:0,2:0,1:1234.5",
];

for (const plan of PLANS) {
  test(`each second of the plan ${plan} has the integral of its rate, and one line more or less`, () => {
    const stages = stagesOf(plan);
    const schedule = new StagesSchedule(stages);
    const all = moments(schedule);
    assert(all.every((it, i) => i === 0 || it >= all[i - 1]!));
    assert(all.every((it) => it >= 0 && it < schedule.duration));
    let [at, lines] = [0, 0];
    for (let second = 0; second * 1000 < schedule.duration; second++) {
      const to = Math.min((second + 1) * 1000, schedule.duration);
      const before = at;
      while (at < all.length && all[at]! < to) at++;
      const wanted = integral(stages, second * 1000, to);
      assert(Math.abs(at - before - wanted) <= 1 + 1e-6, `second ${second}: ${at - before} for ${wanted}`);
      lines += wanted;
      assert(Math.abs(schedule.planned(to) - lines) < 0.01, `${schedule.planned(to)} before ${to}: ${lines}`);
    }
    assertEquals(at, all.length);
    assert(Math.abs(all.length - lines) <= 1 + 1e-6);
  });
}

test("the line that is due at a full second is planned at it exactly, whatever the rate", () => {
  for (let rate = 1; rate <= 3000; rate += 7) {
    for (const thread of [0, 1]) {
      const schedule = StagesSchedule.constant(rate, 5000, { thread, threads: 2 });
      for (let line = thread, moment; (moment = schedule.next()) !== undefined; line += 2) {
        if (line % rate === 0) assertEquals(moment, 1000 * line / rate);
      }
    }
  }
});

test(
  "one rate is a line each interval, without rounding errors that add up, until the time or the count ends",
  { level: "heavy" },
  () => {
    assertEquals(moments(StagesSchedule.constant(4), 5), [0, 250, 500, 750, 1000]);
    assertEquals(moments(StagesSchedule.constant(1000, 3)), [0, 1, 2]);
    assertEquals(moments(StagesSchedule.constant(1000, 3, { count: 2 })), [0, 1]);
    assertEquals(moments(StagesSchedule.constant(20_000, 60_000)).length, 1_200_000);
    const third = StagesSchedule.constant(3000, Infinity, { thread: 2_999_999, threads: 3_000_000 });
    assertEquals(moments(third, 2), [999_999.666667, 1_999_999.666667]);
    assertEquals(moments(StagesSchedule.constant(0, 1000)), []);
    assertEquals(moments(new StagesSchedule([])), []);
    assertEquals(StagesSchedule.constant(10, 1000, { count: 4 }).planned(900), 4);
  },
);

for (const arrivals of ["uniform", "poisson"] as const) {
  test(`threads share the lines of one ${arrivals} plan, each exactly once`, () => {
    const plan = (options: StagesOptions) =>
      moments(new StagesSchedule(stagesOf("2:3000,1:0"), { arrivals, seed: 7, ...options }));
    for (const count of [undefined, 1000]) {
      const whole = plan({ count });
      for (const threads of [1, 2, 3]) {
        const parts = Array.from({ length: threads }, (_, thread) => plan({ threads, thread, count }));
        assertEquals(parts.flat().sort((a, b) => a - b), whole);
        assertEquals(
          parts.map((it) => it.length),
          parts.map((_, i) => Math.ceil((whole.length - i) / threads)),
        );
      }
    }
    assertEquals(plan({ seed: 7 }), plan({}));
    assertEquals(plan({ seed: 8 })[0] === plan({})[0], arrivals === "uniform");
  });
}

/** Kolmogorov's D of values against the exponential distribution of mean 1. */
function distance(values: number[]): number {
  const sorted = Float64Array.from(values).sort();
  return sorted.reduce((most, it, i) => {
    const share = 1 - Math.exp(-it);
    return Math.max(most, share - i / sorted.length, (i + 1) / sorted.length - share);
  }, 0);
}

test(
  "gaps between Poisson arrivals are exponential: Kolmogorov and Smirnov reject at most 5 of 100 seeds at 1%",
  {
    level: "sized",
  },
  () => {
    const seeds = volume(20, 100);
    const count = 10_000;
    for (const plan of ["constant", "ramp"]) {
      let rejected = 0;
      for (let seed = 1; seed <= seeds; seed++) {
        const options = { arrivals: "poisson" as const, seed };
        const schedule = plan === "constant"
          ? StagesSchedule.constant(500, Infinity, options)
          : new StagesSchedule(stagesOf("100:500"), options);
        const all = moments(schedule, count);
        const at = all.map((it) => schedule.planned(it));
        if (distance(at.map((it, i) => it - (at[i - 1] ?? 0))) > 1.628 / Math.sqrt(count)) rejected++;
      }
      assert(rejected <= 0.05 * seeds, `${rejected} of ${seeds} rejected on a ${plan} plan`);
    }
    const even = moments(StagesSchedule.constant(500), count).map((it, i, all) =>
      (it - (all[i - 1] ?? 0)) / 2
    );
    assert(distance(even) > 0.3, "the test tells other gaps from exponential ones");
  },
);

test(
  "the generator of random numbers is uniform and independent as far as moments show",
  { level: "sized" },
  () => {
    const random = seededRandom(1);
    const count = volume(100_000, 10_000_000);
    let [sum, squares, products, before] = [0, 0, 0, 0.5];
    for (let i = 0; i < count; i++) {
      const it = random();
      assert(it >= 0 && it < 1);
      sum += it;
      squares += it * it;
      products += (it - 0.5) * (before - 0.5);
      before = it;
    }
    // Four standard deviations of each.
    assert(Math.abs(sum / count - 1 / 2) < 4 * Math.sqrt(1 / 12 / count));
    assert(Math.abs(squares / count - 1 / 3) < 4 * Math.sqrt(4 / 45 / count));
    assert(Math.abs(products / count) < 4 / 12 / Math.sqrt(count));
  },
);
