/**
 * Shows the main job: a real server process, a conversation with it through a real client process, and a file sent
 * through. Run it with `deno task demo`; it needs no network but the machine's own, and leaves nothing behind.
 */
import { TSECHO } from "./helpers.ts";

const LINES = 12_000;
const [DENO = "", RUN = "", ...OPTIONS] = TSECHO;

function say(text = ""): void {
  console.log(text);
}

/** Starts tsecho; its messages go to the terminal, its log does not. */
function start(args: string[], stdin: "piped" | "null", stderr: "inherit" | "null"): Deno.ChildProcess {
  const command = [RUN, "--quiet", ...OPTIONS, ...args];
  return new Deno.Command(DENO, { args: command, stdin, stdout: "piped", stderr }).spawn();
}

async function fail(reason: string): Promise<never> {
  say(`\nThis should not have happened: ${reason}`);
  server.kill("SIGKILL");
  await server.status;
  Deno.exit(1);
}

say("1. A server. It runs in a process of its own and picks a free port:");
say();
say("    $ tsecho server 127.0.0.1:0");
const server = start(["server", "127.0.0.1:0"], "null", "null");
const announced = await server.stdout.pipeThrough(new TextDecoderStream()).getReader().read();
const [, endpoint] = /listening on (\S+)/.exec(announced.value ?? "") ??
  await fail("the server did not start");
say(`    listening on ${endpoint}`);
say();

say(
  "2. A conversation. Each line comes back with the moment, on the server's clock, at which it arrived there:",
);
say();
const messages = ["hello", "what time is it at your end?", "good-bye"];
say(`    $ tsecho client ${endpoint} ${messages.map((text) => `-m "${text}"`).join(" ")}`);
const talk = await start(
  ["client", endpoint!, ...messages.flatMap((text) => ["-m", text])],
  "null",
  "inherit",
).output();
const replies = new TextDecoder().decode(talk.stdout).trimEnd().split("\n");
for (const reply of replies) say(`    ${reply}`);
const answered = replies.filter((reply, i) => reply.endsWith(`Z] ${messages[i]}`)).length;
if (talk.code !== 0 || answered !== messages.length) await fail("not every message was answered");
say();

say(
  `3. A file of ${
    LINES.toLocaleString("en")
  } lines, sent through the client as a filter, without waiting for replies:`,
);
say();
const folder = await Deno.makeTempDir({ prefix: "tsecho-demo-" });
const file = `${folder}/lines.txt`;
await Deno.writeTextFile(
  file,
  Array.from({ length: LINES }, (_, i) => `line ${i + 1} of the file\n`).join(""),
);
say(`    $ tsecho client ${endpoint} < ${file}`);
const began = performance.now();
const filter = start(["client", endpoint!], "piped", "inherit");
const sending = (await Deno.open(file)).readable.pipeTo(filter.stdin);
const output = await filter.output();
await sending;
const millis = Math.round(performance.now() - began);
const stamped = new TextDecoder().decode(output.stdout).trimEnd().split("\n");
for (const line of [...stamped.slice(0, 2), "...", stamped.at(-1)!]) say(`    ${line}`);
const unstamped = stamped.map((line) => line.replace(/^\[[^\]]*\] /, "") + "\n").join("");
const same = unstamped === await Deno.readTextFile(file);
await Deno.remove(folder, { recursive: true });
if (output.code !== 0 || !same) await fail("the file did not come back as it was sent");
say();
say(
  `   ${
    stamped.length.toLocaleString("en")
  } lines went out and came back in ${millis} ms, start of the client included.`,
);
say("   Without their stamps they are the file again, byte for byte and in order.");
say();

say("4. The end. SIGTERM lets the server finish what it has begun:");
say();
server.kill("SIGTERM");
const { code } = await server.status;
if (code !== 0) await fail(`the server ended with exit code ${code}`);
say("    the server ended with exit code 0");
say();
say(
  "Now try it yourself: start `deno task tsecho server` in one terminal and `deno task tsecho client` in another.",
);
