/** Every planned moment has a line or is counted, whatever stands still: in virtual time. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type DueLine, HELD, LATE, type Paced, Pacer } from "../probe/pacer.ts";
import { EvenSchedule } from "../probe/schedule.ts";
import { isVerdict } from "../stats/events.ts";
import { RunStats } from "../stats/run_stats.ts";
import { cases, test, volume } from "./harness.ts";
import { missed, startRun } from "./probe_helpers.ts";
import { assertProperty } from "./properties.ts";
import { VirtualClock } from "./virtual_clock.ts";

/** What a pacer does with an interval of 10 ms, and at most 20 ms of lateness. */
function pace(count = Infinity) {
  const clock = new VirtualClock();
  const lines: DueLine[] = [];
  const gaps: [count: number, reason: string][] = [];
  const stop = new AbortController();
  const paced: Paced & { held: Promise<void> | undefined } = {
    get wanted() {
      return count - lines.length;
    },
    held: undefined,
    hand: (due) => void lines.push(...due),
    miss: (count, reason) => void gaps.push([count, reason]),
  };
  const following = new Pacer(new EvenSchedule(10), clock, 20).follow(paced, stop.signal);
  return { clock, lines, gaps, stop, paced, following };
}

test("a line that comes late by less than the pacer catches up with is sent at once, a later one is missed", async () => {
  const { clock, lines, gaps, stop, following } = pace();
  await clock.advance(15);
  clock.stall(20); // until 35: those of 20 and 30 are late
  await clock.advance(0);
  assertEquals(lines.slice(2), [{ planned: 20, handed: 35 }, { planned: 30, handed: 35 }]);
  clock.stall(50); // until 85: those of 40, 50 and 60 are too late
  await clock.advance(0);
  assertEquals(lines.slice(4), [{ planned: 70, handed: 85 }, { planned: 80, handed: 85 }]);
  assertEquals(gaps, [[3, LATE]]);
  stop.abort();
  await following;
});

test("a pacer ends with its count at once, and what a stop finds overdue is missed", async () => {
  const counted = pace(3);
  await counted.clock.advance(20);
  await counted.following;
  assertEquals([counted.lines.length, counted.gaps], [3, []]);
  const stopped = pace();
  await stopped.clock.advance(5);
  stopped.clock.stall(500);
  stopped.stop.abort();
  await stopped.following;
  assertEquals([stopped.lines.length, stopped.gaps], [1, [[50, LATE]]]); // 10 to 500
});

test("lines that were held back are missed because of that", async () => {
  const { clock, lines, gaps, stop, paced, following } = pace();
  const { promise, resolve } = Promise.withResolvers<void>();
  await clock.advance(0);
  paced.held = promise;
  await clock.advance(95);
  resolve();
  await clock.advance(0);
  assertEquals([lines.at(-1), gaps], [{ planned: 90, handed: 95 }, [[7, HELD]]]); // the last two are sent late
  stop.abort();
  await following;
});

const PERIODS = fc.array(
  fc.record({ wait: fc.nat(80), stall: fc.oneof(fc.constant(0), fc.nat(200)), block: fc.boolean() }),
  { minLength: 1, maxLength: 12 },
);
const DELAYS = fc.array(fc.option(fc.nat(120), { nil: undefined }), { minLength: 1, maxLength: 8 });

test("sent and missed are what was planned, each line has one fate, and no line is sent before its moment", {
  level: "sized",
}, async () => {
  await assertProperty(
    fc.asyncProperty(
      fc.record({
        interval: fc.integer({ min: 1, max: 40 }),
        reconnect: fc.boolean(),
        deadline: fc.integer({ min: 1, max: 900 }),
        timeout: fc.integer({ min: 1, max: 300 }),
      }),
      DELAYS,
      DELAYS,
      PERIODS,
      async (plan, delays, opening, periods) => {
        const { clock, prober, told, servers, ended } = await startRun(
          plan,
          delays,
          undefined,
          plan.reconnect ? opening : [0],
        );
        for (const { wait, stall, block } of periods) {
          if (block) {
            const { promise, resolve } = Promise.withResolvers<void>();
            for (const server of servers) server.blocked = promise;
            void clock.sleep(stall).then(resolve);
            await clock.advance(wait);
            for (const server of servers) server.blocked = undefined;
          } else {
            clock.stall(stall);
            await clock.advance(wait);
          }
        }
        await clock.advance(2000);
        await ended;
        const planned = Math.ceil(plan.deadline / plan.interval); // the deadline's own moment is no part of the run
        assertEquals(prober.sent + missed(told), planned);
        const verdicts = told.filter(isVerdict).map(({ seq }) => seq).sort((a, b) => a - b);
        assertEquals(verdicts, Array.from({ length: prober.sent }, (_, i) => i + 1));
        const stats = new RunStats(false);
        told.forEach((it) => stats.add(it));
        const { sent, received, lost, pending, lag, blocked, response, rtt } = stats.summary();
        assertEquals([sent, stats.summary().missed], [prober.sent, planned - prober.sent]);
        assertEquals(received + lost + pending, sent);
        assert([lag, blocked].every((it) => it === null || it.min >= 0));
        // Lines of one connection wait for it no longer than the time-out; ping itself is late by what it catches up with.
        assert(
          lag === null || plan.reconnect || lag.max <= Math.max(plan.interval, 20) / 1000,
          JSON.stringify(lag),
        );
        assert(response === null || response.min >= rtt!.min);
        for (const event of told) {
          if (event.fate !== "received" && event.fate !== "reordered") continue;
          const { rtt = 0, connect = 0 } = event;
          assert(rtt + connect <= plan.timeout * 1000, JSON.stringify(event));
        }
      },
    ),
    { numRuns: volume(cases(30), 2000) },
  );
});
