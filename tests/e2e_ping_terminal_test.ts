/** Ping on a terminal and in a pipe, and the signals that end it. */
import { assert, assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import { e2e as test } from "./harness.ts";
import { run, Running, ServerPeer, Terminal, TSECHO, tsecho } from "./helpers.ts";

test("ping -D puts the local time in front, and -q leaves replies out", async () => {
  await using server = await ServerPeer.start();
  const ping = (...args: string[]) =>
    tsecho(["ping", `127.0.0.1:${server.port}`, "-c", "2", "-i", "0", ...args]);
  assertMatch((await ping("-D")).stdout, /^\[\d{10}\.\d{6}\] 56 bytes from \S+ seq=2 /m);
  const { stdout } = await ping("-q");
  assertNotMatch(stdout, /bytes from/);
  assertStringIncludes(stdout, "2 lines transmitted, 2 received");
  // deno-lint-ignore no-control-regex
  assertNotMatch((await ping()).stdout, /\x1b|\r/);
});

/** Starts ping on a terminal that may be written to, colours and all. */
function pingOnTerminal(server: ServerPeer, ...args: string[]): Terminal {
  const script = 'echo "pid $$"; exec "$@"';
  const command = [...TSECHO, "ping", `127.0.0.1:${server.port}`, ...args];
  return new Terminal(["env", "-u", "NO_COLOR", "sh", "-c", script, "sh", ...command]);
}

test("on a terminal ping ends at Ctrl-C with its summary, shows a live line, and an interim line at Ctrl-\\", async () => {
  await using server = await ServerPeer.start();
  await using terminal = pingOnTerminal(server, "-i", "0.05");
  await terminal.shows(/seq=6 time=/);
  // deno-lint-ignore no-control-regex
  await terminal.shows(/\r\x1b\[K[ ▁▂▃▄▅▆▇█]+ {2}\d+\.\d{3} ms {2}0% loss {2}offset [+-]/);
  await terminal.write("\x1c");
  await terminal.shows(
    /\d+\/\d+ lines, .*0% loss, min\/avg\/max\/mdev = [\d./]+ ms, p50 [\d.]+ ms, clock offset [+-][\d.]+ ms ± /,
  );
  await terminal.shows(/seq=\d+ time=/);
  await terminal.write("\x03");
  await terminal.shows(
    /--- tcp:\/\/127\.0\.0\.1:\d+ ping statistics ---\r\n\d+ lines transmitted, \d+ received, .*0% loss/,
  );
  await terminal.shows(/[█▏▎▍▌▋▊▉]\r\n/);
  assertEquals(await terminal.code(), 0);
});

test("on a terminal ping shows how far it is, and nothing that moves with --no-tty", async () => {
  await using server = await ServerPeer.start();
  await using counting = pingOnTerminal(server, "-c", "20", "-i", "0.05", "-q");
  await counting.shows(/ \d+\/20 /);
  await counting.shows("20 lines transmitted");
  assertEquals(await counting.code(), 0);
  await using plain = pingOnTerminal(server, "-c", "3", "-i", "0.2", "--no-tty");
  await plain.shows("3 lines transmitted");
  assertEquals(await plain.code(), 0);
  const own = plain.stdout.text.slice(plain.stdout.text.indexOf("PING")); // `deno run` clears lines as it starts
  assert(!own.includes("\x1b"), JSON.stringify(own));
});

test("ping in a pipe ends at SIGINT with its summary, and tells an interim line on stderr", async () => {
  await using server = await ServerPeer.start();
  await using ping = new Running([...TSECHO, "ping", `127.0.0.1:${server.port}`, "-i", "0.02"]);
  await ping.stdout.until(/seq=3 /);
  ping.kill("SIGQUIT");
  await ping.stderr.until(/^\d+\/\d+ lines, .*0% loss, min\/avg\/max\/mdev = /m);
  ping.kill("SIGINT");
  await ping.stdout.until(/ping statistics ---\n\d+ lines transmitted/);
  assertEquals(await ping.code(), 0);
});

test("ping ends quietly when its reader has seen enough", async () => {
  await using server = await ServerPeer.start();
  const script = '"$@" | head -n 2';
  const command = [...TSECHO, "ping", `127.0.0.1:${server.port}`, "-i", "0.01"];
  const { stdout, stderr } = await run(["sh", "-c", script, "sh", ...command]);
  assertEquals([stdout.split("\n").length, stderr], [3, ""]);
});
