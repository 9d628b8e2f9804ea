/** The analysis against random runs whose truth is known. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { ServerSummary, Summary } from "../stats/summary.ts";
import { cases, test, volume } from "./harness.ts";
import { assertProperty } from "./properties.ts";
import { estimated } from "../stats/summary.ts";
import { simulate, type Truth, within, type World } from "./simulation.ts";

const CASES = volume(cases(300), 10_000);

const direction = fc.record({
  best: fc.oneof(fc.constantFrom(0, 1, 5), fc.double({ min: 5, max: 20_000, noNaN: true })),
  queue: fc.oneof(fc.nat(5), fc.nat(20_000)),
});
const worlds: fc.Arbitrary<World> = fc.record({
  seed: fc.integer(),
  lines: fc.integer({ min: 1, max: 120 }),
  interval: fc.constantFrom(0, 0.0001, 0.01, 0.2, 1),
  offset: fc.oneof(fc.integer({ min: -1e9, max: 1e9 }), fc.integer({ min: -300, max: 300 })),
  drift: fc.oneof(fc.constant(0), fc.double({ min: -500, max: 500, noNaN: true })),
  step: fc.oneof(
    fc.constant(null),
    fc.record({
      where: fc.double({ min: 0, max: 1, noNaN: true }),
      size: fc.oneof(
        fc.double({ min: 1, max: 50, noNaN: true }),
        fc.double({ min: -50, max: -1, noNaN: true }),
      ),
    }),
  ),
  resolution: fc.constantFrom(1, 1, 1, 1e6),
  up: direction,
  down: direction,
  loss: fc.constantFrom(0, 0, 0.1, 0.5),
  duplicates: fc.constantFrom(0, 0, 0.2),
  late: fc.constantFrom(0, 0, 0.1),
});

test("an estimate's bounds hold in double arithmetic, not only in decimals", () => {
  const edge = fc.oneof(
    fc.double({ min: -1e15, max: 1e15, noNaN: true }),
    fc.double({ min: -1e3, max: 1e3, noNaN: true }),
    fc.integer({ min: -1000, max: 1000 }),
  );
  assertProperty(
    fc.property(edge, edge, fc.constantFrom(1, 1e-6), (one, other, unit) => {
      const [lower, upper] = [Math.min(one, other), Math.max(one, other)];
      const { value, bound } = estimated({ lower, upper }, unit);
      assert(value - bound <= lower * unit && value + bound >= upper * unit, `${value} ± ${bound}`);
      const rounding = Math.max(3e-9, Math.max(-lower, upper) * unit * 1e-15);
      assert(bound <= (upper - lower) / 2 * unit + rounding, `${bound} is wider than needed`);
    }),
    { numRuns: CASES, examples: [[119.862448570, 500, 1]] },
  );
});

function checkCounts(summary: Summary, truth: Truth, world: World): void {
  const { sent, received, lost, late, duplicates, reordered, corrupt, pending } = summary;
  assertEquals({ sent, lost, late, duplicates, reordered, corrupt, pending }, {
    sent: world.lines,
    lost: truth.lost.size + truth.late.size,
    late: truth.late.size,
    duplicates: truth.duplicates,
    reordered: truth.reordered,
    corrupt: 0,
    pending: 0,
  });
  assertEquals(received, world.lines - truth.lost.size - truth.late.size);
}

function checkClock(server: ServerSummary, truth: Truth, world: World): void {
  // A step while the latest reply was on its way back is unknown to everybody.
  const unseen = truth.after.length === 0 && truth.end! >= truth.stepAt ? truth.stepSize : 0;
  const offset = (truth.offsetAt(truth.end!) - unseen) / 1e6;
  assert(within(server.offset!, offset), `offset ${offset} outside ${JSON.stringify(server.offset)}`);
  // A withdrawn bound holds, and says nothing of the drift.
  if (server.drift === null) assert(server.withdrawn !== null);
  else {assert(
      within(server.drift, world.drift),
      `drift ${world.drift} outside ${JSON.stringify(server.drift)}`,
    );}
  const { before, after } = truth;
  if (truth.stepSize === 0 || before.length === 0 || after.length === 0) {
    assertEquals(server.breaks, []);
    return;
  }
  assertEquals(server.break_count, 1);
  const [found] = server.breaks;
  assertEquals(found!.kind, "step");
  assert(within(found!.size!, truth.stepSize / 1e6), `${truth.stepSize} outside ${JSON.stringify(found)}`);
  assert(
    before.includes(found!.after) && after.includes(found!.by),
    JSON.stringify({ found, before, after }),
  );
}

test(`${CASES} random runs: counts are exact, offset, drift and step lie in the stated bounds`, {
  level: "sized",
}, () => {
  let [withdrawn, all] = [0, 0];
  assertProperty(
    fc.property(worlds, (world) => {
      const { run, truth } = simulate(world);
      const summary = run.summary();
      checkCounts(summary, truth, world);
      if (summary.received === 0) return assertEquals(summary.servers, []);
      const server = summary.servers[0]!;
      checkClock(server, truth, world);
      all++;
      if (server.withdrawn !== null) withdrawn++;
    }),
    { numRuns: CASES },
  );
  const most = all / 50 + 3 * Math.sqrt(all / 50); // one in fifty, and what chance adds
  assert(withdrawn <= most, `${withdrawn} of ${all} bounds withdrawn for nothing`);
});
