/** Idle time-outs and the grace of a drain: what depends on moments that pass in time runs by itself. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { e2e as test, volume } from "./harness.ts";
import { assertServes, eventually, readAll, readLine, send, ServerProcess, unstamped } from "./helpers.ts";

test("while the server stands still nobody is idle", { level: "slow" }, async () => {
  await using server = await ServerProcess.start(["--idle-timeout", "500ms"]);
  using conn = await server.connect();
  await assertServes(conn);
  server.kill("SIGSTOP");
  const stopped = performance.now();
  await eventually(() => performance.now() - stopped > 1500, "three times the timeout to pass");
  await send(conn, "are you back?\n");
  server.kill("SIGCONT");
  assertEquals(unstamped(await readLine(conn)), "are you back?\n");
  assertEquals(await readAll(conn), "error: idle for 500ms\n");
});

test("an idle connection is closed at its time and an active one never", { level: "slow" }, async () => {
  // Longer than a busy machine keeps this process from sending.
  await using server = await ServerProcess.start(["--idle-timeout", "2s"]);
  using active = await server.connect();
  let idleEnded = false;
  const idle = Promise.all(Array.from({ length: 3 }, async () => {
    using conn = await server.connect();
    await assertServes(conn);
    const start = performance.now();
    assertEquals(await readAll(conn), "error: idle for 2s\n");
    console.log(`closed after ${Math.round(performance.now() - start)} ms of silence`);
  })).finally(() => idleEnded = true);
  let lines = 0;
  while (!idleEnded) {
    await assertServes(active);
    lines++;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await idle;
  await assertServes(active);
  console.log(`the active one was answered ${lines} times meanwhile`);
  assertEquals(server.stderr.text.match(/reason=idle/g)!.length, 3);
});

const WAITING = volume(200, 1000);

test(
  `${WAITING} connections that wait to be accepted when the signal comes are served`,
  { level: "large" },
  async () => {
    await using server = await ServerProcess.start();
    const before = await server.connect();
    await assertServes(before);
    server.kill("SIGSTOP"); // the kernel goes on completing connections for it
    before.close();
    const conns = await Promise.all(Array.from({ length: WAITING }, () => server.connect()));
    for (const [i, conn] of conns.entries()) {
      await send(conn, "hello\n");
      if (i < WAITING / 2) await conn.closeWrite(); // these end as soon as they are answered
    }
    server.kill("SIGTERM");
    server.kill("SIGCONT");
    for (const conn of conns) {
      assertEquals(unstamped(await readLine(conn)), "hello\n");
      assertEquals(await readLine(conn), "");
      conn.close();
    }
    assertEquals(await server.code(), 0);
    assertStringIncludes(server.stderr.text, `info end connections=${WAITING + 1} lines=${WAITING + 1} `);
  },
);
