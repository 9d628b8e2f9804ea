/**
 * Shows how load finds a queue: two servers share a port through a balancer (haproxy), and in front of one of them stands
 * a program that takes its time for each line. Run it with `deno task demo-load`.
 */
import { lacking } from "./harness.ts";
import { Folder, TSECHO } from "./helpers.ts";
import type { SavedLoad } from "./load_runs.ts";
import { QueuedPair } from "./queued_pair.ts";

/** How long web-2's lines take, one after the other: 250 a second pass. */
const LINE_MS = 4;

if (lacking(["haproxy"]).length > 0) {
  console.error("the demo of load needs haproxy");
  Deno.exit(1);
}

/** Prints lines of explanation. */
function say(...lines: string[]): void {
  console.log(lines.join("\n"));
}

await using stack = new AsyncDisposableStack();
const folder = stack.use(await Folder.make());
const { port } = stack.use(await QueuedPair.start(LINE_MS));

/** Runs load, shows what it prints, and reads what it saved. */
async function load(rate: number): Promise<SavedLoad> {
  const args = ["load", "-q", "-c", "20", "-R", String(rate), "-t", "4s", `127.0.0.1:${port}`];
  const file = folder.file("run.json");
  say(`$ tsecho ${args.join(" ")}`);
  const { code } = await new Deno.Command("sh", {
    args: ["-c", '"$@" 2>&1', "sh", ...TSECHO, ...args, "--json", file],
    env: { NO_COLOR: "1" },
  }).spawn().status;
  say("");
  if (code !== 0) await fail(`load ended with exit code ${code}`);
  return JSON.parse(await Deno.readTextFile(file));
}

async function fail(reason: string): Promise<never> {
  say(`This should not have happened: ${reason}`);
  await stack.disposeAsync();
  Deno.exit(1);
}

/** The median of a server's upstream delay in ms. */
function upstream({ end }: SavedLoad, tag: string): number {
  return (end.servers.find((it) => it.tag === tag)?.up?.p50 ?? NaN) * 1000;
}

say(
  "1. Two servers, web-1 and web-2, share a port through a balancer. In front of web-2 stands a program",
  `   that works for ${LINE_MS} ms on each line, one after the other. 200 lines a second are no trouble:`,
  "",
);
const easy = await load(200);
say(
  "2. 600 lines a second are 300 for each server, and what stands in front of web-2 passes 250. load goes on",
  "   sending by its plan, and counts how long each line waited from the moment at which it was to be sent:",
  "",
);
const busy = await load(600);

const [before, one, two] = [upstream(easy, "web-2"), upstream(busy, "web-1"), upstream(busy, "web-2")];
const told = `the median upstream delay of web-2 was ${before.toFixed(1)} ms, then ${
  two.toFixed(1)
} ms; of web-1 ${one.toFixed(1)} ms`;
if (!(two > 100 && two > 5 * one && two > 5 * before)) await fail(told);
say(
  "3. The table tells where the lines waited. web-1's lines get through at once. Those of web-2 wait upstream:",
  `   before the server reads them, ${
    Math.round(two)
  } ms in the median. What it has read it answers at once,`,
  "   as its downstream delay shows: a larger web-2 would change nothing, and whatever stands in front of it is",
  "   what to look at.",
);
