/** What the main thread makes of what threads report. */
import { assertEquals } from "@std/assert";
import type { ThreadInterval } from "../load/messages.ts";
import { planOf } from "../load/options.ts";
import type { ExchangeSample, LoadObserver } from "../load/recorder.ts";
import { figures } from "../load/rehearsal.ts";
import { FiguresRehearsal, ThreadReports } from "../load/thread_reports.ts";
import { LoadDirections } from "../stats/load_directions.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { test } from "./harness.ts";
import { VirtualClock } from "./virtual_clock.ts";

const PLAN = planOf({ rate: 100 });

/** An interval of a second in which each line of a thread took a tenth of a millisecond up, and as long down. */
function found(lines: number, offset = 0, tag = "a"): ThreadInterval {
  const interval = new LoadInterval();
  interval.received = lines;
  interval.server(tag).received = lines;
  const samples = new Float64Array(5 * lines);
  for (let i = 0; i < lines; i++) {
    const written = offset + i * 1000 / lines;
    samples.set([0, written, Math.round(1000 * written) + 100, written + 0.2, 1], 5 * i);
    interval.service.record(200);
    interval.to = written + 0.2;
  }
  return { interval: interval.encode(), samples, tags: [tag], servers: [tag], turned: 0 };
}

test("exchanges of several threads are told in the order in which their replies were read", () => {
  const told: ExchangeSample[] = [];
  const observer: LoadObserver = { ...figures(PLAN, new LoadInterval()), onExchange: (it) => told.push(it) };
  const reports = new ThreadReports(observer, new LoadInterval());
  reports.tellInterval([found(3, 0, "a"), found(2, 0.1, "b")]);
  assertEquals(told.map(({ tag }) => tag).join(""), "ababa");
  const reads = told.map(({ read }) => read);
  assertEquals(reads, reads.toSorted((a, b) => a - b));
});

test("exchanges that are told before their interval ends are part of it", () => {
  const run = (split: number) => {
    const first = new LoadInterval();
    const directions = new LoadDirections(0, first);
    const intervals: LoadInterval[] = [];
    const reports = new ThreadReports({
      onInterval(interval, next) {
        directions.endInterval(next);
        intervals.push(interval);
      },
      onExchange: ({ tag, written, stamp, read, lines }) => directions.add(tag, written, stamp, read, lines),
      onServer() {},
      onBegin() {},
    }, first);
    for (const second of [0, 1]) {
      const it = found(100, second * 1000);
      reports.tellExchanges({ ...it, samples: it.samples.subarray(0, 5 * split) });
      reports.tellInterval([{ ...it, samples: it.samples.subarray(5 * split) }]);
    }
    const [{ up, down }] = directions.servers() as [ReturnType<typeof directions.servers>[0]];
    return {
      intervals: intervals.map((it) => ({
        ...it.encode(),
        up: it.server("a").up.count,
        received: it.received,
      })),
      counts: [up!.count, down!.count],
    };
  };
  const whole = run(0);
  assertEquals(whole.counts, [200, 200]);
  assertEquals(whole.intervals.map(({ up, received }) => [up, received]), [[100, 100], [100, 100]]);
  assertEquals(run(60), whole);
  assertEquals(run(100), whole);
});

test("the main thread rehearses its figures in the warm-up, and ends with it or with the run", async () => {
  const clock = new VirtualClock();
  const rehearse = (until: number, signal: AbortSignal) => {
    const rehearsal = new FiguresRehearsal();
    let looks = 0;
    const samples = found(10).samples;
    const counting = new Proxy(found(10), {
      get: (it, key) => key === "samples" ? (looks++, samples) : it[key as keyof ThreadInterval],
    });
    rehearsal.add(counting);
    rehearsal.add(found(10, 1000));
    let isOver = false;
    const over = rehearsal.run(PLAN, clock, until, signal).then(() => isOver = true);
    return { over, looks: () => looks, isOver: () => isOver };
  };
  const whole = rehearse(1000, new AbortController().signal);
  const none = rehearse(0, new AbortController().signal);
  await none.over;
  assertEquals(none.looks(), 0, "without a warm-up there is no time for it");
  const ended = new AbortController();
  const cut = rehearse(1000, ended.signal);
  await clock.advance(500);
  ended.abort();
  await cut.over;
  assertEquals(whole.isOver(), false);
  await clock.advance(500);
  await whole.over;
  assertEquals(whole.looks() > cut.looks(), true);
  assertEquals(clock.sleeping, 0);
});
