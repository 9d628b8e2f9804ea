/** What load counts and measures, beside servers and paths whose truth is known. */
import { assert, assertEquals } from "@std/assert";
import { StagesSchedule } from "../probe/schedule.ts";
import { BALANCED_PAIR_NEEDS, BalancedPair } from "./balanced_pair.ts";
import { e2e as test, volume } from "./harness.ts";
import { freePort, ServerProcess } from "./helpers.ts";
import {
  FaultyDatagrams,
  type FaultyServer,
  FaultyStreams,
  ResettingServer,
  SlowReader,
} from "./load_peers.ts";
import { LoadRun, type SavedLoad, sum } from "./load_runs.ts";

/** Connects that nobody listened for. */
const refusals = ({ connect_errors }: SavedLoad["end"]) =>
  sum(Object.entries(connect_errors).map(([why, count]) => why.startsWith("connection refused") ? count : 0));

const millis = (seconds: number | null | undefined) => (seconds ?? NaN) * 1000;

test("a reader that takes little is told as blocked and upstream, and not held against the generator", {
  level: "long",
}, async () => {
  await using server = await ServerProcess.start();
  // 5 MB a second of the 12 that are sent: more waits than the kernel takes.
  await using reader = new SlowReader(server.port, 50_000, 10);
  const args = ["-R", "200", "-c", "1", "-s", "60000", "-t", "3", "--warmup", "0", "-W", "30"];
  const { end, seconds } = await LoadRun.run([...args, `127.0.0.1:${reader.port}`]);
  const [{ up, down }] = end.servers as [SavedLoad["end"]["servers"][number]];
  const told = JSON.stringify({ ...end, up, down });
  assertEquals([end.planned, end.received], [600, 600]);
  assert(millis(end.blocked!.p50) > 100 && millis(up!.p50) > 100, told);
  assert(end.send_lag!.max < end.blocked!.max, told);
  assert(down!.p50! < up!.p50!, told);
  assert(end.response!.p50! >= end.blocked!.p50! && end.response!.p50! >= up!.p50!, told);
  const late = seconds.filter((it) => it.send_lag !== null && it.send_lag.p99! > 0.001);
  if (late.length === 0) assertEquals(end.generator.verdict, "ok");
});

test("of two servers behind a balancer each gets its connections, its lines and its clock", {
  needs: BALANCED_PAIR_NEEDS,
  level: "long",
}, async () => {
  await using pair = await BalancedPair.start(60);
  const url = `127.0.0.1:${pair.port}`;
  const kept = await LoadRun.run(["-R", "200", "-c", "20", "-t", "3", url]);
  const one = await LoadRun.run(["-R", "50", "--reconnect", "-c", "20", "-t", "3", url]);
  for (const { end } of [kept, one]) {
    const [fast, slow] = end.servers;
    assertEquals(end.servers.map((it) => it.tag), ["web-1", "web-2"]);
    assertEquals(fast!.received + slow!.received, end.planned);
    const told = JSON.stringify(end.servers);
    // The clock of web-2 is 1.5 s slow.
    assert(Math.abs(fast!.offset!.value) <= fast!.offset!.bound + 1e-4, told);
    assert(Math.abs(slow!.offset!.value + 1.5) <= slow!.offset!.bound + 1e-4, told);
    assert(slow!.down!.p50! > 0.02, told);
  }
  assertEquals(kept.end.servers.map((it) => it.connections), [10, 10]);
  assertEquals(kept.end.servers.map((it) => it.received), [300, 300]);
});

async function assertExact(server: FaultyServer, lines: number, rate: number): Promise<void> {
  // Over so many connections, and with so long a time-out, that replies wait in time where a busy machine holds load up:
  // the kernel keeps some 250 datagrams for each.
  const args = ["-R", String(rate), "-c", "16", "-n", String(lines), "--warmup", "0", "-W", "10", server.url];
  const { end } = await LoadRun.run(args);
  const { arrived, dropped, duplicated, swapped, changed } = server.faults;
  // Of datagrams for which the kernel had no room there are none to make faults of.
  for (const count of [dropped, duplicated, swapped, changed]) {
    assert(count <= lines / 1000 && count >= Math.floor(arrived / 1000), JSON.stringify(server.faults));
  }
  const { planned, sent, received, lost, corrupt, duplicates, late } = end;
  const missing = lines - arrived; // what the kernel had no room for
  assertEquals(
    { planned, sent, received, lost, corrupt, duplicates, late },
    {
      ...{ planned: lines, sent: lines },
      received: lines - dropped - changed - missing,
      ...{ lost: dropped + missing, corrupt: changed, duplicates: duplicated, late: 0 },
    },
  );
}

const FAULTS = "replies that a server drops, repeats, swaps or changes are counted exactly";

test(`${FAULTS} over TCP`, { level: "long" }, async () => {
  const lines = volume(3000, 60_000);
  await using server = new FaultyStreams();
  await assertExact(server, lines, volume(1500, 6000));
  assertEquals(server.faults.arrived, lines);
});

test(`${FAULTS} over UDP`, { level: "slow" }, async () => {
  await using server = new FaultyDatagrams();
  await assertExact(server, 3000, 1500);
});

test("no line is uncounted when the server dies and another takes its place", { level: "slow" }, async () => {
  for (const loop of [["-R", "500"], ["--depth", "4", "--think", "20ms"]]) {
    const args = [...loop, "-c", "10", "-t", "60", "--warmup", "0"];
    const port = freePort(); // which the second server has again
    const server = await ServerProcess.start([`tcp://127.0.0.1:${port}`, "--tag", "first"]);
    await using run = await LoadRun.start([...args, `127.0.0.1:${port}`]);
    await run.seconds(1);
    await server[Symbol.asyncDispose](); // SIGKILL
    await run.seconds(2);
    await using _second = await ServerProcess.start([`tcp://127.0.0.1:${port}`, "--tag", "second"]);
    await run.stdout.until(/"tag":"second"/);
    run.kill("SIGINT");
    const { end } = await run.saved();
    const [first, second] = end.servers;
    const told = JSON.stringify(end);
    assertEquals([first!.tag, second!.tag, first!.connections], ["first", "second", 10], told);
    assert(
      first!.received > 0 && second!.received > 0 && refusals(end) > 0,
      told,
    );
    if (end.loop === "open") assert(end.errors["not connected"]! > 0, told);
  }
});

test(
  "no line is uncounted when a server drains, and then refuses to the end",
  { level: "slow" },
  async () => {
    await using server = await ServerProcess.start(["--drain-timeout", "300ms"]);
    // Ends when each connection was refused more than once: between that lines were due.
    const args = ["-R", "200", "-c", "10", "-t", "600", "--warmup", "0", "--abort-if", "connect_errors>20"];
    await using run = await LoadRun.start([...args, `127.0.0.1:${server.port}`]);
    await run.seconds(1);
    assertEquals(await server.stop(), 0);
    const { end } = await run.saved(3);
    const told = JSON.stringify(end);
    assert(end.received > 0 && end.errors["not connected"]! > 0 && refusals(end) > 10, told);
  },
);

test("no line is uncounted when each connection is reset again and again", { level: "slow" }, async () => {
  for (const loop of [["-R", "500"], ["--depth", "8", "--think", "10ms"]]) {
    await using server = await ResettingServer.start(40);
    const args = [...loop, "-c", "5", "-n", "1500", "--warmup", "0", server.url];
    const { end } = await LoadRun.run(args);
    const told = JSON.stringify(end);
    assertEquals([end.planned, end.lost, end.corrupt, end.duplicates], [1500, 0, 0, 0], told);
    // A reset that meets a write on its way may arrive as an end.
    const { "the peer reset the connection": reset = 0, "connection closed": closed = 0 } = end.errors;
    assert(server.resets > 5 && reset + closed > 0, told);
    // How many lines find their connection made depends on how quick this machine is.
    assert(end.received <= 40 * (server.resets + 5) && end.received > 40, told);
  }
});

test(
  "no line is uncounted when the run is broken off while the server stands still",
  { level: "slow" },
  async () => {
    await using server = await ServerProcess.start();
    const args = ["-R", "200", "-c", "5", "-t", "60", "--warmup", "0", "-W", "30"];
    const room = ["--max-in-flight", "100"];
    await using run = await LoadRun.start([...args, ...room, `127.0.0.1:${server.port}`]);
    await run.seconds(1);
    server.kill("SIGSTOP");
    await run.seconds(3);
    await new Promise((resolve) => setTimeout(resolve, 300)); // so that a fourth second has begun
    run.kill("SIGINT");
    // The interval that the signal ended shows that it was heeded: what comes within 300 ms of that is the same signal.
    await run.stdout.until(/"type":"interval","from":\d+,"to":\d+\.\d/);
    await new Promise((resolve) => setTimeout(resolve, 400));
    run.kill("SIGINT");
    const { end } = await run.saved();
    const told = JSON.stringify(end);
    assertEquals([end.unsent, end.lost], [0, 0], told);
    // A machine that hardly lets load run has it give up lines before 100 are in flight.
    assert(end.pending > 0 && end.pending <= 100 && end.dropped > 0 && end.received > 0, told);
    server.kill("SIGCONT");
  },
);

test("each second plans and sends what its part of the stages says", { level: "slow" }, async () => {
  await using server = await ServerProcess.start();
  const stages = [[1000, 400], [0, 900], [1500, 900], [1000, 0], [500, 300]] as const;
  const text = stages.map(([duration, rate]) => `${duration}ms:${rate}`).join();
  const { seconds, end } = await LoadRun.run(["--stages", text, "-c", "7", `127.0.0.1:${server.port}`]);
  const plan = new StagesSchedule(stages.map(([duration, rate]) => ({ duration, rate })));
  // The integral by hand: 200 + 1350 + 450 + 75.
  assertEquals([plan.planned(4000), end.planned, end.sent], [2075, 2075, 2075]);
  const late = end.send_lag!.max + end.blocked!.max;
  let [planned, sent] = [0, 0];
  for (const second of seconds) {
    planned += second.planned;
    sent += second.sent;
    const due = plan.planned(second.to * 1000);
    assert(Math.abs(planned - due) <= 1, `${planned} planned of ${due} by ${second.to} s`);
    assert(
      sent <= due + 1 && sent >= due - 900 * late - 1,
      `${sent} sent of ${due} by ${second.to} s, ${late}`,
    );
  }
});

for (const args of [["-c", "20", "--depth", "16"], ["-c", "50"], ["-c", "10", "--threads", "2"]]) {
  const options = args.join(" ");
  const name =
    `with ${options} what is in flight is what was sent and has no fate, and nothing is sent after the end`;
  test(name, { level: "slow" }, async () => {
    await using server = await ServerProcess.start();
    const duration = 1.2;
    const plan = ["-t", String(duration), "--warmup", "0"];
    const { seconds } = await LoadRun.run([...args, ...plan, `127.0.0.1:${server.port}`]);
    let inFlight = 0;
    for (const it of seconds) {
      inFlight += it.sent - it.received - it.lost - it.corrupt - it.errors - it.pending;
      assertEquals(it.in_flight, inFlight, `at ${it.to} s`);
    }
    for (const it of seconds.filter(({ from }) => from >= duration)) assertEquals(it.sent, 0);
  });
}

test("threads count every line, and no line twice", { level: "slow" }, async () => {
  await using server = await ServerProcess.start();
  const url = `127.0.0.1:${server.port}`;
  const open = await LoadRun.run(["-R", "600", "--threads", "2", "-c", "5", "-t", "2", url]);
  assertEquals([open.end.planned, open.end.received], [1200, 1200]);
  const closed = await LoadRun.run(["-n", "5000", "--threads", "2", "-c", "5", "--warmup", "0", url]);
  assertEquals([closed.end.planned, closed.end.received], [5000, 5000]);
  assertEquals(sum(closed.end.servers.map((it) => it.connections)), 5);
});
