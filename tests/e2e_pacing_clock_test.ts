/** What the clock that keeps moments opens, in processes of their own: it depends on how Deno was started. */
import { assertEquals } from "@std/assert";
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
const before = sockets();
await clock.prepare();
console.log(sockets() - before);
clock.close();
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
