/** Runs of load in virtual time, at random: whatever becomes of lines and connections, each line is counted once. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { LoadOptions } from "../load/options.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { cases, LONG, volume } from "./harness.ts";
import { LoadWorld } from "./load_world.ts";
import { assertProperty } from "./properties.ts";
import { randomFrom } from "./simulation.ts";

function sumOf(intervals: LoadInterval[]): LoadInterval {
  const sum = new LoadInterval();
  for (const it of intervals) sum.extend(it);
  return sum;
}

function errorsOf({ errors }: LoadInterval): number {
  return [...errors.values()].reduce((all, it) => all + it, 0);
}

/** Fails unless each line is counted once. */
export function checkSums(intervals: LoadInterval[], isOpen: boolean): LoadInterval {
  const sum = sumOf(intervals);
  assertEquals(sum.planned, sum.sent + sum.dropped + sum.unsent, "planned");
  assertEquals(sum.sent, sum.received + sum.lost + sum.corrupt + errorsOf(sum) + sum.pending, "sent");
  assertEquals(sum.service.count, sum.received);
  assertEquals([...sum.servers.values()].reduce((all, it) => all + it.received, 0), sum.received);
  if (isOpen) {
    for (const it of [sum.response, sum.sendLag, sum.blocked]) assertEquals(it.count, sum.received);
  }
  for (const it of [sum.response, sum.sendLag, sum.blocked, sum.service]) {
    assert(it.count === 0 || (it.min >= 0 && it.max < 1e9));
  }
  let until = 0;
  for (const [i, { from, to, tail }] of intervals.entries()) {
    assertEquals(from, until);
    assert(to >= from && (tail ? i === intervals.length - 1 : to - from <= 1000));
    until = to;
  }
  const last = intervals.at(-1);
  if (last?.tail) assertEquals(last.inFlight, 0);
  return sum;
}

const share = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 0.4, noNaN: true }));
const faults = fc.record({
  delay: fc.integer({ min: 1, max: 3000 }),
  slow: share,
  drop: share,
  change: share,
  duplicate: share,
  end: share,
  refuse: share,
  connect: fc.integer({ min: 0, max: 300 }),
  block: share,
  blockFor: fc.integer({ min: 1, max: 3000 }),
  partial: fc.boolean(),
});
const loops = fc.oneof(
  fc.record({ rate: fc.integer({ min: 1, max: 100 }), duration: fc.integer({ min: 1, max: 2500 }) }),
  fc.record({
    rate: fc.integer({ min: 1, max: 100 }),
    count: fc.integer({ min: 1, max: 100 }),
    maxInFlight: fc.integer({ min: 1, max: 10 }),
  }),
  fc.record({
    arrivals: fc.constant("poisson" as const),
    stages: fc.array(
      fc.record({ duration: fc.integer({ min: 1, max: 1000 }), rate: fc.integer({ min: 0, max: 60 }) }),
      { minLength: 1, maxLength: 3 },
    ),
  }),
  fc.record({ depth: fc.integer({ min: 1, max: 8 }), count: fc.integer({ min: 1, max: 100 }) }),
  fc.record({
    depth: fc.integer({ min: 1, max: 3 }),
    think: fc.integer({ min: 1, max: 200 }),
    duration: fc.integer({ min: 1, max: 2500 }),
  }),
);

/** What lines go by. */
type Path = Pick<LoadOptions, "reconnect"> & { datagrams?: boolean };

/** Fails unless each line of random runs over these paths is counted once, whatever servers and the user do. */
export async function checkRandomRuns(...paths: Path[]): Promise<void> {
  const totals = new LoadInterval();
  await assertProperty(
    fc.asyncProperty(
      fc.record({
        faults,
        loop: loops,
        path: fc.constantFrom(...paths),
        connections: fc.integer({ min: 1, max: 4 }),
        warmup: fc.constantFrom(0, 300),
        timeout: fc.integer({ min: 50, max: 1500 }),
        stop: fc.option(fc.nat(2500), { freq: 3 }),
        abort: fc.option(fc.nat(4000), { freq: 3 }),
        seed: fc.nat(),
      }),
      async ({ faults, loop, path, stop, abort, seed, ...options }) => {
        const world = new LoadWorld(faults, randomFrom(seed));
        const intervals = await world.run({ ...options, ...loop, ...path }, (engine) => {
          if (stop !== null) void world.clock.sleep(stop).then(() => engine.stop());
          if (abort !== null) void world.clock.sleep(abort).then(() => engine.abort());
        });
        const sum = checkSums(intervals, "rate" in loop || "stages" in loop);
        if (abort === null) assertEquals(sum.pending, 0);
        totals.extend(sum);
      },
    ),
    { numRuns: cases(volume(25, 5000)) },
  );
  if (!LONG) return; // too few for what is rare
  // Each way to end was gone.
  const { received, lost, late, dropped, unsent, corrupt, duplicates, pending } = totals;
  const counts = {
    received,
    lost,
    late,
    dropped,
    unsent,
    corrupt,
    duplicates,
    pending,
    errors: totals.errors.size,
  };
  for (const [name, count] of Object.entries(counts)) assert(count > 0, `${name} happened`);
}
