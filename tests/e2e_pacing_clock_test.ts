/** What the clock that keeps moments opens, in processes of their own: it depends on how Deno was started. */
import { assert, assertEquals } from "@std/assert";
import { EventLoopClock } from "../probe/pacing_clock.ts";
import { E2E, test } from "./harness.ts";

const SCRIPT = `
import { EventLoopClock } from "${new URL("../probe/pacing_clock.ts", import.meta.url)}";
const sockets = () =>
  [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync("/proc/self/fd/" + name).startsWith("socket:");
    } catch {
      return false; // that of the directory, which is closed by now
    }
  }).length;
const clock = new EventLoopClock();
await clock.prepare();
const before = sockets(); // Deno's own may come at any time while it starts
clock.close();
console.log(before - sockets());
Deno.exit();
`;

/** How many sockets the clock keeps open, where Deno looks at sockets after so many turns. */
async function socketsOf(interval: number): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "--allow-all", "-"],
    env: { DENO_TOKIO_EVENT_INTERVAL: `${interval}` },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  await new Blob([SCRIPT]).stream().pipeTo(child.stdin);
  return Number(new TextDecoder().decode((await child.output()).stdout));
}

test("the clock has sockets of its own only where turns do not look at sockets", {
  needs: E2E,
  ignore: Deno.build.os !== "linux", // /proc tells
}, async () => {
  assertEquals([await socketsOf(61), await socketsOf(4)], [2, 0]);
});

test("the clock tells what it used up to a moment only to wait, and nothing where it was late", async () => {
  const clock = new EventLoopClock();
  const { signal } = new AbortController();
  const from = clock.now();
  await clock.until(from - 1, signal);
  assertEquals(clock.turned, 0);
  // A machine that is busy may wake it after the moment.
  while (clock.turned === 0) await clock.until(clock.now() + 5, signal);
  assert(clock.turned > 0 && clock.turned <= clock.now() - from, `${clock.turned}`);
  const { turned } = clock;
  await clock.until(clock.now() + 1, signal);
  assert(clock.turned - turned < 1.01, `${clock.turned - turned} of 1 ms`);
});
