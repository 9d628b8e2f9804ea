/** A closed loop that did not run in time says so, and one whose server is slow does not. */
import { assertEquals, assertMatch } from "@std/assert";
import type { LoadOptions } from "../load/options.ts";
import type { GeneratorVerdict } from "../stats/load_summary.ts";
import { LoadStats } from "../stats/load_stats.ts";
import { e2e, test } from "./harness.ts";
import { ServerProcess } from "./helpers.ts";
import { LoadRun } from "./load_runs.ts";
import { type Faults, LoadWorld } from "./load_world.ts";
import { randomFrom } from "./simulation.ts";

/** What is said of a closed loop, of 3 s if nothing else is said, that does not run for some ms after some moments. */
async function generatorWith(
  stalls: [at: number, millis: number][],
  faults: Partial<Faults> = {},
  how: "stall" | "work" = "stall",
  options: LoadOptions & { datagrams?: boolean } = {},
) {
  const world = new LoadWorld({ delay: 5, ...faults }, randomFrom(1));
  const { clock } = world;
  let stalled = () => 0;
  const intervals = await world.run({ duration: 3000, ...options }, (engine) => {
    stalled = () => engine.stalled;
    for (const [at, millis] of stalls) void clock.sleep(at).then(() => clock[how](millis));
  });
  const loop = options.rate === undefined ? "closed" : "open";
  const stats = new LoadStats({ loop, timeout: 5000, stages: false, cpu: () => 0.1, stalled });
  for (const it of intervals) stats.add(it);
  return stats.generator();
}

const OK: GeneratorVerdict = { verdict: "ok", reasons: [], reason_codes: [] };

test(
  "a closed loop that stood still for more than 1 % of its run is strained",
  { level: "heavy" },
  async () => {
    // A timer of 20 ms was due at 1020, at 2040 and at 2940: what is before is not known to be lost.
    assertEquals(await generatorWith([[1001, 400]]), {
      verdict: "strained",
      reasons: ["this machine did not run it for 381 ms of 3 s"],
      reason_codes: ["stopped"],
    });
    assertEquals(await generatorWith([[1001, 45]]), OK);
  },
);

test(
  "the times in which a closed loop stood still are added up, but for what is after its end",
  { level: "slow" },
  async () => {
    const { verdict, reasons: [reason] } = await generatorWith([[1001, 400], [1999, 400], [2999, 400]]);
    assertEquals(verdict, "strained");
    assertMatch(reason!, /^this machine did not run it for 7\d\d ms of 3 s$/); // the last is after the end
    assertEquals(await generatorWith([[3001, 400]]), OK);
  },
);

test(
  "a closed loop that was late by its own work says nothing of the machine",
  { level: "heavy" },
  async () => {
    assertEquals(await generatorWith([[1001, 400]], {}, "work"), OK);
  },
);

/** What a generator says that did not run for so long, which is less than 1 % of its run. */
function saidOfShortStall(millis: number, more: LoadOptions & { datagrams?: boolean } = {}, drop = 0) {
  return generatorWith([[1001, millis]], { slow: 1, drop }, "stall", {
    duration: 12_000,
    timeout: 60,
    ...more,
  });
}

test("a load whose lines were lost while it did not run is strained, however short that was", {
  level: "heavy",
}, async () => {
  const reasons = ["the time-out of 3 lines passed while it did not run"];
  assertEquals(await saidOfShortStall(110), { verdict: "strained", reasons, reason_codes: ["expired"] });
});

test(
  "likewise in an open loop and over UDP, and nothing else is held against it",
  { level: "slow" },
  async () => {
    for (const datagrams of [false, true]) {
      const closed = await saidOfShortStall(110, { datagrams });
      assertEquals(closed.reasons, ["the time-out of 3 lines passed while it did not run"]);
      const open = await saidOfShortStall(110, { datagrams, rate: 1000 });
      assertMatch(open.reasons.join(), /the time-out of \d lines? passed while it did not run$/);
      assertEquals(await saidOfShortStall(20, { datagrams }), OK); // replies in time
      assertEquals(await saidOfShortStall(0, { datagrams }, 0.01), OK); // lines that the path loses
    }
  },
);

test("a closed loop whose server is slow, or stands still, is not strained for it", async () => {
  assertEquals(await generatorWith([], { delay: 900, slow: 1 }), OK);
  assertEquals(await generatorWith([], { block: 0.1, blockFor: 800 }), OK);
});

for (const threads of ["1", "2"]) {
  e2e(`a closed loop of --threads ${threads} whose process is stopped says that it did not run`, {
    level: "slow",
  }, async () => {
    await using server = await ServerProcess.start();
    // Few lines, so that it is not its use of the processor that tells.
    const args = ["-c", "2", "--think", "5ms", "-t", "4s", "--warmup", "0", "--threads", threads];
    await using run = await LoadRun.start([...args, `127.0.0.1:${server.port}`]);
    await run.seconds(1);
    run.kill("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, 1000)); // the stop is what is told, however long
    run.kill("SIGCONT");
    const { end } = await run.saved();
    assertEquals(end.generator.verdict, "strained", JSON.stringify(end.generator));
    assertMatch(
      end.generator.reasons.join(),
      /this machine did not run it for (\d+ ms|[\d.]+ s) of [\d.]+ s$/,
    );
  });
}
