/** A plan that threads share and that is cut short ends for all at one moment. */
import { assert, assertEquals } from "@std/assert";
import { load } from "../load.ts";
import { Engine } from "../load/engine.ts";
import { planOf } from "../load/options.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { e2e, test } from "./harness.ts";
import { ServerProcess } from "./helpers.ts";
import { LoadWorld } from "./load_world.ts";
import { randomFrom } from "./simulation.ts";

test("threads whose plan is cut short end it at one moment, however late they hear of it", async () => {
  const world = new LoadWorld({}, randomFrom(1));
  const { clock } = world;
  const plan = planOf({ connections: 4, threads: 2, rate: 997, duration: 10_000, warmup: 0, udpRate: 0 });
  const intervals: LoadInterval[][] = [[], []];
  let planEnd = Infinity;
  const engines = intervals.map((found, thread) =>
    new Engine(
      plan,
      world.paths(false),
      clock,
      { onInterval: (it) => found.push(it), onExchange() {}, onServer() {}, onBegin() {} },
      new LoadInterval(),
      thread,
      () => planEnd,
    )
  );
  const running = Promise.all(engines.map(async (it) => {
    await it.open();
    await it.run(100);
  }));
  await clock.advance(1200.3);
  planEnd = 1205.3;
  engines[0]!.stop();
  await clock.advance(40);
  engines[1]!.stop();
  await clock.advance(2000);
  await running;
  const ends = intervals.map((found) => found.filter((it) => !it.tail).at(-1)!.to);
  for (const end of ends) assertEquals(end, planEnd - 100);
  const all = intervals.flat();
  const planned = all.reduce((sum, it) => sum + it.planned, 0);
  assertEquals(planned, Math.ceil((planEnd - 100) * 0.997));
  assertEquals(all.reduce((sum, it) => sum + it.received, 0), planned);
});

e2e("a run in threads that is stopped has planned what its rate says for its time", async () => {
  await using server = await ServerProcess.start();
  const run = load(server.url("tcp"), {
    rate: 2000,
    threads: 2,
    connections: 4,
    duration: 60_000,
    warmup: 0,
  });
  for await (const { to, tail } of run) if (!tail && to >= 1000) run.stop();
  const { planned, sent, dropped, unsent, duration } = run.summary();
  assertEquals(planned, sent + dropped + unsent);
  assert(Math.abs(planned - 2000 * duration) <= 1, `${planned} in ${duration} s`);
});
