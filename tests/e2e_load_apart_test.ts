/** The thread of its own that an open loop has, if load may have one: seen from outside, by the names of the threads. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { load, type LoadSummary } from "../load.ts";
import { e2e, type Options } from "./harness.ts";
import { eventually, ROOT, Running, ServerProcess, TSECHO, tsecho } from "./helpers.ts";
import { silentPeer } from "./load_peers.ts";

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

/** How many such threads a load has that goes on, which ends at SIGINT as any does. */
async function workersOfRun(command: string[], args: string[], server: ServerProcess): Promise<number> {
  const address = `127.0.0.1:${server.port}`;
  const plan = ["-c", "2", "-t", "10m", "--warmup", "0", "--json-stream", address];
  await using run = new Running([...command, "load", ...args, ...plan]);
  await run.stdout.until(/"type":"interval"/);
  const workers = await workersOf(run.pid);
  run.kill("SIGINT");
  assertEquals([await run.code(), run.stderr.text], [0, ""]);
  const end = JSON.parse(run.stdout.text.trimEnd().split("\n").at(-1)!) as LoadSummary;
  assert(end.received > 0, run.stdout.text);
  return workers;
}

e2e("an open loop has a thread of its own if load may set what it needs, and else none", LINUX, async () => {
  await using server = await ServerProcess.start();
  assertEquals(await workersOfRun(TSECHO, ["-R", "100"], server), 1);
  assertEquals(await workersOfRun(TSECHO, ["-R", "100", "--threads", "2"], server), 2);
  if (withoutPermission === undefined) return;
  assertEquals(await workersOfRun(withoutPermission, ["-R", "100"], server), 0);
});

e2e("a closed loop is sent from the main thread", { ...LINUX, level: "slow" }, async () => {
  await using server = await ServerProcess.start();
  assertEquals(await workersOfRun(TSECHO, ["--think", "10ms"], server), 0);
});

e2e("what ends a load in its own thread is said in one line", async () => {
  const { code, stderr } = await tsecho(["load", "-R", "10", "127.0.0.1:1"]);
  assertEquals(code, 1);
  assertMatch(stderr, /^tsecho: Cannot connect to "tcp:\/\/127\.0\.0\.1:1": connection refused[^\n]*\n$/);
});

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
