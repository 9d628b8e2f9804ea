/** The thread of its own that an open loop has, if load may have one: seen from outside, by the names of the threads. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { load, type LoadSummary } from "../load.ts";
import { e2e, type Options } from "./harness.ts";
import { eventually, ROOT, run, Running, ServerProcess, TSECHO, tsecho } from "./helpers.ts";
import { FloodingPeer, silentPeer } from "./load_peers.ts";

const VARIABLE = "DENO_TOKIO_EVENT_INTERVAL";
/** /proc tells the threads. */
const LINUX: Options = { ignore: Deno.build.os !== "linux" };

/** The command without the permission for the variable; undefined of a binary, which has it. */
const withoutPermission = TSECHO.some((it) => it.includes(VARIABLE))
  ? TSECHO.map((it) => it.replace(`,${VARIABLE}`, ""))
  : undefined;

/** How many threads of a process are JavaScript's, besides the main one. */
async function workersOf(pid: number): Promise<number> {
  let workers = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    const comm = await Deno.readTextFile(`/proc/${pid}/task/${name}/comm`).catch(() => ""); // it has ended
    if (comm.startsWith("worker-")) workers++;
  }
  return workers;
}

/** How many such threads a load has that goes on. Its stream tells of each second, and at SIGINT of its end. */
async function workersOfRun(command: string[], args: string[], server: ServerProcess): Promise<number> {
  const address = `127.0.0.1:${server.port}`;
  const plan = ["-c", "2", "-t", "10m", "--warmup", "0", "--json-stream", address];
  await using run = new Running([...command, "load", ...args, ...plan]);
  await run.stdout.until(/"type":"interval"/);
  const workers = await workersOf(run.pid);
  run.kill("SIGINT");
  assertEquals([await run.code(), run.stderr.text], [0, ""]);
  const [start, ...intervals] = run.stdout.text.trimEnd().split("\n").map((it) => JSON.parse(it));
  const end: LoadSummary & { type: string } = intervals.pop();
  assertEquals([start.type, end.type], ["start", "end"]);
  assertEquals(new Set(intervals.map(({ type }) => type)), new Set(["interval"]));
  assertEquals(intervals.reduce((all, { planned }) => all + planned, 0), end.planned);
  assert(end.received > 0, run.stdout.text);
  return workers;
}

const OWN_THREAD =
  "an open loop has a thread of its own if load may set what it needs, and else none, and --json-stream tells of it";

e2e(OWN_THREAD, LINUX, async () => {
  await using server = await ServerProcess.start();
  assertEquals(await workersOfRun(TSECHO, ["-R", "100"], server), 1);
  if (withoutPermission === undefined) return;
  assertEquals(await workersOfRun(withoutPermission, ["-R", "100"], server), 0);
});

e2e(
  "a closed loop is sent from the main thread, two threads are two",
  { ...LINUX, level: "slow" },
  async () => {
    await using server = await ServerProcess.start();
    assertEquals(await workersOfRun(TSECHO, ["-R", "100", "--threads", "2"], server), 2);
    assertEquals(await workersOfRun(TSECHO, ["--think", "10ms"], server), 0);
  },
);

e2e("what ends a load in its own thread is said in one line", async () => {
  const { code, stderr } = await tsecho(["load", "-R", "10", "127.0.0.1:1"]);
  assertEquals(code, 1);
  assertMatch(stderr, /^tsecho: Cannot connect to "tcp:\/\/127\.0\.0\.1:1": connection refused[^\n]*\n$/);
});

e2e(
  "load ends in its time though its peer floods it with lines that nobody asked for, and at SIGINT",
  async () => {
    await using peer = new FloodingPeer();
    const flooded = [
      "load",
      "-R",
      "300",
      "-c",
      "1",
      "--warmup",
      "0",
      "-W",
      "500ms",
      `127.0.0.1:${peer.port}`,
    ];
    const whole = await tsecho([...flooded, "-t", "300ms"]);
    assertMatch(
      whole.stdout,
      /statistics ---\n\d+ lines .*, 0 received, .*\d corrupt, [1-9]\d* duplicates, time /,
    );
    await using cut = new Running([...TSECHO, ...flooded, "-t", "10m", "--json-stream"]);
    await cut.stdout.until(/"type":"interval"/);
    cut.kill("SIGINT");
    await cut.code();
    const { duplicates, planned } = JSON.parse(cut.stdout.text.trimEnd().split("\n").at(-1)!) as LoadSummary;
    assert(duplicates > 0 && planned > 0, cut.stdout.text);
  },
);

/** Permissions that load goes without, and what it says where threads are asked for. */
const WITHOUT: [permission: RegExp, args: string[], said: RegExp][] = [
  [
    /^--allow-read$/,
    ["-R", "100", "--threads", "2"],
    /^tsecho: Cannot load "\/.*\/": Deno was not given the permission --allow-read for it\n$/,
  ],
  [
    /^--allow-read$/,
    ["--threads", "2"],
    /^tsecho: Cannot load "\/.*\/": Deno was not given the permission --allow-read for it\n$/,
  ],
  [
    /^--allow-net$/,
    ["-R", "100", "--threads", "2"],
    /^tsecho: Cannot connect to "tcp:\/\/127\.0\.0\.1:1": Deno was not given the permission --allow-net for it\n$/,
  ],
  [/^--allow-read$/, ["-R", "100"], /^tsecho: Cannot connect to .*: connection refused[^\n]*\n$/],
];

e2e("a permission that threads lack is said in one line", LINUX, async () => {
  if (TSECHO[1] !== "run") return; // a binary has them
  for (const [permission, args, said] of WITHOUT) {
    const command = TSECHO.filter((it) => !permission.test(it));
    const { code, stderr } = await run([...command, "load", ...args, "-c", "2", "127.0.0.1:1"]);
    assertEquals(code, 1);
    assertMatch(stderr, said);
  }
});

const BROKEN = `
import { planOf } from "${ROOT}load/options.ts";
import { Threads } from "${ROOT}load/threads.ts";
import { systemClock } from "${ROOT}time/timers.ts";
const threads = new Threads(planOf({ rate: 1, threads: 2, connections: 2 }), {}, systemClock, {});
await threads.open().catch((error) => console.log(error.name, error.message.split("\\n").length));
`;

e2e(
  "what should not happen in a thread is an error of the main one, and nothing else is printed",
  async () => {
    await using program = new Running([Deno.execPath(), "run", "--no-check", "--allow-all", "-"]);
    await program.write(BROKEN);
    await program.closeInput();
    assertEquals([await program.code(), program.stdout.text, program.stderr.text], [0, "Error 1\n", ""]);
  },
);

const SCRIPT = `
import { load } from "${ROOT}load.ts";
const { state } = Deno.permissions.querySync({ name: "env", variable: "${VARIABLE}" });
const run = load(Deno.args[0], { apart: true, connections: 2, rate: 1000, count: 50, warmup: 0 });
for await (const _ of run);
console.log(run.summary().received, state === "granted" ? Deno.env.get("${VARIABLE}") : state);
Deno.exit();
`;

/** What a program prints that uses the library, with permissions. */
async function saidBy(server: ServerProcess, permissions: string[], env: Record<string, string> = {}) {
  const args = ["run", "--no-prompt", "--no-check", "--allow-net", ...permissions, "-", server.url("tcp")];
  await using program = new Running([Deno.execPath(), ...args], env);
  await program.write(SCRIPT);
  await program.closeInput();
  assertEquals([await program.code(), program.stderr.text], [0, ""]);
  return program.stdout.text.trim();
}

e2e(
  "a program is asked for nothing by the library, and keeps its own environment",
  { level: "slow" },
  async () => {
    await using server = await ServerProcess.start();
    const env = `--allow-env=${VARIABLE}`;
    assertEquals(await saidBy(server, ["--allow-read", env]), "50 1");
    assertEquals(await saidBy(server, ["--allow-read", env], { [VARIABLE]: "7" }), "50 7");
    assertEquals(await saidBy(server, [env]), "50 undefined");
    assertEquals(await saidBy(server, ["--allow-read"]), "50 prompt");
  },
);

e2e("threads share the main thread's clock, whatever the wall clock was when each began", async () => {
  await using server = await ServerProcess.start();
  const HOUR_MS = 3_600_000;
  const value = performance.timeOrigin - HOUR_MS; // as if the wall clock had been set forward by an hour since
  Object.defineProperty(performance, "timeOrigin", { value, configurable: true });
  try {
    await using run = load(server.url("tcp"), {
      connections: 2,
      threads: 2,
      rate: 100,
      count: 20,
      warmup: 0,
    });
    for await (const _ of run);
    const { sent, received, response } = run.summary();
    assertEquals([sent, received], [20, 20]);
    assert(response!.max! < HOUR_MS / 2000, `${response!.max}`);
  } finally {
    Reflect.deleteProperty(performance, "timeOrigin");
  }
});

e2e(
  "a run begins at the moment that it tells, wherever its lines are sent from",
  { level: "slow" },
  async () => {
    await using server = await ServerProcess.start();
    for (const how of [{ rate: 100 }, { rate: 100, apart: true }, { rate: 100, threads: 2 }, { think: 10 }]) {
      await using run = load(server.url("tcp"), { connections: 2, count: 20, warmup: 20, ...how });
      await run.open();
      const began = run.begin() * 1000; // ms
      for await (const _ of run);
      // The difference of two clocks, one of which was read between two readings of the other.
      let [lower, upper] = [-Infinity, Infinity];
      for (let i = 0; i < 100; i++) {
        const before = Number(Temporal.Now.instant().epochNanoseconds / 1000n) / 1000;
        const elapsed = run.elapsed * 1000;
        const after = Number(Temporal.Now.instant().epochNanoseconds / 1000n) / 1000;
        [lower, upper] = [Math.max(lower, before - elapsed), Math.min(upper, after - elapsed)];
      }
      const told = `${JSON.stringify(how)}: ${began - lower} ${upper - began}`;
      assert(began > lower - 1 && began < upper + 1, told);
      assertEquals(run.summary().received, 20);
    }
  },
);

e2e(
  "a load with threads says when its lines begin, not when they were told to",
  { level: "slow" },
  async () => {
    let least = Infinity; // ms from the start that is told to the first bytes
    for (let tries = 0; tries < 20 && least > 15; tries++) { // 20 ms pass from the word to begin to the beginning
      let arrived = Infinity;
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const serving = (async () => {
        for await (const conn of listener) {
          void conn.read(new Uint8Array(100)).then(() => arrived = Math.min(arrived, Date.now()), () => {})
            .finally(() => conn.close());
        }
      })();
      const plan = ["-R", "1000", "-n", "2", "-c", "2", "--threads", "2", "--warmup", "0", "--json-stream"];
      const { stdout } = await tsecho(["load", ...plan, "-W", "0.2", `127.0.0.1:${listener.addr.port}`]);
      listener.close();
      await serving;
      const { time } = JSON.parse(stdout.split("\n")[0]!);
      assert(arrived < Infinity, stdout);
      assert(arrived + 1 > time * 1000 - 1, `${arrived} before ${time}`);
      least = Math.min(least, arrived - time * 1000);
    }
    assert(least < 15, `${least}`);
  },
);

e2e("the lines in flight in threads are told between intervals too", async () => {
  await silentPeer(async (address) => {
    await using run = load(address, { connections: 2, threads: 2, rate: 50, duration: 600_000, warmup: 0 });
    let latest = 0;
    const running = (async () => {
      for await (const { inFlight } of run) latest = inFlight;
    })();
    await eventually(
      () => run.progress.inFlight > latest && latest > 0,
      "more in flight than the last interval",
    );
    run.abort();
    await running;
  });
});
