/** The client on a real pseudo-terminal. */
import { assert, assertEquals } from "@std/assert";
import { e2e as test } from "./harness.ts";
import { Running, ServerPeer, Terminal, TESTDATA, TSECHO, tsecho, within } from "./helpers.ts";

const STAMP = /\[\d{4}-\d\d-\d\dT[\d:.]+Z\] /.source;
const PROMPT = "\x1b[1G\x1b[0J> \x1b[3G";

async function startClient(server: ServerPeer, ...args: string[]): Promise<Terminal> {
  const terminal = new Terminal([...TSECHO, "client", `127.0.0.1:${server.port}`, ...args]);
  await terminal.shows(PROMPT);
  return terminal;
}

/** A client as "$@" of a shell's script on a terminal. */
function clientBehind(script: string, { port }: ServerPeer): Terminal {
  return new Terminal(["sh", "-c", script, "sh", ...TSECHO, "client", `127.0.0.1:${port}`]);
}

test("prompt: a line is sent, its reply printed, an empty line ends", async () => {
  await using server = await ServerPeer.start();
  await using terminal = await startClient(server);
  await terminal.write("hello\r");
  await terminal.shows(new RegExp(`${STAMP}hello\r\n`));
  await terminal.shows(PROMPT);
  await terminal.write("größer\r");
  await terminal.shows(new RegExp(`${STAMP}größer\r\n`));
  await terminal.shows(PROMPT);
  await terminal.write("\r");
  assertEquals(await terminal.code(), 0);
});

test("prompt: a line can be edited, and called back from the history", async () => {
  await using server = await ServerPeer.start();
  await using terminal = await startClient(server);
  await terminal.write("helo\x1b[Dl\x7fl\x01>\r"); // left, type, rub out, type, to the line's beginning, type
  await terminal.shows(new RegExp(`${STAMP}>hello\r\n`));
  await terminal.shows(PROMPT);
  await terminal.write("second\r");
  await terminal.shows(new RegExp(`${STAMP}second\r\n`));
  await terminal.shows(PROMPT);
  await terminal.write("\x1b[A\x1b[A!\r"); // up, up
  await terminal.shows(new RegExp(`${STAMP}>hello!\r\n`));
  await terminal.write("\r");
  assertEquals(await terminal.code(), 0);
});

for (const [name, key] of [["Ctrl-D", "\x04"], ["Ctrl-C", "\x03"]] as const) {
  test(`prompt: ${name} ends it with 0, on a line of its own`, async () => {
    await using server = await ServerPeer.start();
    await using terminal = await startClient(server);
    await terminal.write("hello\r");
    await terminal.shows(PROMPT);
    await terminal.write(key);
    assertEquals(await terminal.code(), 0);
    assert(terminal.stdout.text.endsWith("\r\n"), JSON.stringify(terminal.stdout.text));
  });
}

test("prompt: control keys that mean nothing type nothing", { level: "slow" }, async () => {
  await using server = await ServerPeer.start();
  await using terminal = await startClient(server);
  await terminal.write("a\x1cb\x1dc\r"); // Ctrl-\, Ctrl-]
  await terminal.shows(new RegExp(`${STAMP}abc\r\n`));
  await terminal.shows(PROMPT);
  await terminal.write("\x04");
  assertEquals(await terminal.code(), 0);
});

test("prompt: Ctrl-D between a reply and the next prompt ends it with 0", { level: "slow" }, async () => {
  await using server = await ServerPeer.start();
  for (let i = 0; i < 5; i++) { // the key comes before the prompt in some of them
    await using terminal = await startClient(server);
    await terminal.write("hello\r");
    await terminal.shows(new RegExp(`${STAMP}hello\r\n`));
    await terminal.write("\x04");
    assertEquals([await terminal.code(), terminal.stdout.text.includes("tsecho:")], [0, false]);
  }
});

test("prompt: Ctrl-C in the middle of a line ends it too", { level: "slow" }, async () => {
  await using server = await ServerPeer.start();
  await using terminal = await startClient(server);
  await terminal.write("half a");
  await terminal.shows("half a");
  await terminal.write("\x03");
  assertEquals(await terminal.code(), 0);
});

test("prompt: SIGTERM ends it with 1 and leaves the terminal as it was", async () => {
  await using server = await ServerPeer.start();
  // The terminal's modes are asked for before and after: raw mode must not outlive the client.
  // It says its process id first: the one that a signal can be sent to safely.
  const script = 'stty -g; sh -c \'echo "pid $$"; exec "$@"\' sh "$@"; echo "exit $?"; stty -g';
  await using terminal = clientBehind(script, server);
  const [, pid] = await terminal.stdout.until(/pid (\d+)\r\n/);
  await terminal.shows(PROMPT);
  Deno.kill(Number(pid), "SIGTERM");
  await terminal.shows("interrupted\r\nexit 1\r\n");
  assertEquals(await terminal.code(), 0);
  const modes = terminal.stdout.text.match(/^[0-9a-f]+(:[0-9a-f]+)+/gm)!;
  assertEquals(modes[0], modes[1]);
});

test("prompt: Ctrl-Z suspends it as a job, with the terminal as it was, and it goes on where it stood", async () => {
  await using server = await ServerPeer.start();
  const command = [...TSECHO, "client", `127.0.0.1:${server.port}`];
  await using terminal = new Terminal(["python3", `${TESTDATA}job_control.py`, ...command]);
  await terminal.shows(PROMPT);
  await terminal.write("hello\r");
  await terminal.shows(new RegExp(`${STAMP}hello\r\n`));
  await terminal.shows(PROMPT);
  await terminal.write("half a");
  await terminal.shows("half a");
  await terminal.write("\x1a");
  if (await canSuspend()) {
    await terminal.shows("stopped by signal 20, terminal as before\r\n");
    await terminal.write("fg\n");
  }
  await terminal.shows("> half a");
  await terminal.write(" line\r");
  await terminal.shows(new RegExp(`${STAMP}half a line\r\n`));
  await terminal.shows(PROMPT);
  await terminal.write("\x04");
  await terminal.shows("ended with 0, terminal as before\r\n");
  assertEquals(await terminal.code(), 0);
  assert(!terminal.stdout.text.includes("NotCapable"));
});

/** Whether the Deno under test lets a program stop itself without all permissions: since 2.9. */
async function canSuspend(): Promise<boolean> {
  const { stdout } = await tsecho(["--version"]);
  const [, major, minor] = /deno (\d+)\.(\d+)/.exec(stdout)!;
  return Number(major) > 2 || Number(minor) >= 9;
}

test("prompt: the server's end is noticed while it waits", async () => {
  await using server = await ServerPeer.start();
  await using terminal = await startClient(server);
  await terminal.write("hello\r");
  await terminal.shows(PROMPT);
  server.kill("SIGTERM");
  await terminal.shows(
    `\r\ntsecho: Cannot talk to "tcp://127.0.0.1:${server.port}": the server closed the connection\r\n`,
  );
  assertEquals(await terminal.code(), 1);
});

test("prompt: the reason for the server's end is told", async () => {
  await using server = await ServerPeer.start(["--idle-timeout", "300ms"]);
  await using terminal = await startClient(server);
  await terminal.shows("the server says: idle for 300ms\r\n");
  assertEquals(await terminal.code(), 1);
});

test("prompt: lines typed ahead are answered in order", async () => {
  await using server = await ServerPeer.start();
  await using terminal = await startClient(server);
  await terminal.write("one\rtwo\rthree\r");
  for (const line of ["one", "two", "three"]) await terminal.shows(new RegExp(`${STAMP}${line}\r\n`));
  await terminal.write("\r");
  assertEquals(await terminal.code(), 0);
});

test("prompt: what a server sends cannot steer the terminal", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    using conn = await listener.accept();
    await conn.read(new Uint8Array(100));
    await conn.write(new TextEncoder().encode("[now] \x1b[2J\x1b]0;owned\x07\r\x9b31m\u202e\n"));
    await conn.write(new TextEncoder().encode("unasked \x1b[5m\n"));
    await conn.read(new Uint8Array(100));
  })();
  await using terminal = new Terminal([
    ...TSECHO,
    "client",
    `127.0.0.1:${listener.addr.port}`,
    "--no-verify",
  ]);
  await terminal.shows(PROMPT);
  await terminal.write("hello\r");
  await terminal.shows("[now] \\x1b[2J\\x1b]0;owned\\x07\\x0d");
  await terminal.shows("\\u202e\r\n");
  await terminal.shows("unasked \\x1b[5m\r\n");
  await terminal.shows(PROMPT);
  await terminal.write("\r");
  assertEquals(await terminal.code(), 0);
  await within(serving, "the server to end");
  listener.close();
  // deno-lint-ignore no-control-regex
  assert(!/\x1b\[2J|\x1b\]|\x07|\x9b|\u202e|\x1b\[5m/.test(terminal.stdout.text));
});

test("a filter whose output is a terminal escapes as well", async () => {
  await using server = await ServerPeer.start();
  const script = "printf 'a\\033[2Jb\\tc\\n' | \"$@\"";
  await using terminal = clientBehind(script, server);
  await terminal.shows(new RegExp(`${STAMP}a\\\\x1b\\[2Jb\tc\r\n`));
  assertEquals(await terminal.code(), 0);
});

test("prompt: chunk framing talks to a classic Python server", async () => {
  await using server = new Running(["python3", `${TESTDATA}classic_server.py`]);
  const [port] = await server.stdout.until(/\d+/);
  await using terminal = new Terminal([...TSECHO, "client", `127.0.0.1:${port}`, "--framing", "chunk"]);
  await terminal.shows(PROMPT);
  for (const line of ["hello", "two words"]) {
    await terminal.write(`${line}\r`);
    await terminal.shows(new RegExp(`\\[\\w{3} \\w{3} [ \\d]\\d [\\d:]+ \\d{4}\\] ${line}\r\n`));
    await terminal.shows(PROMPT);
  }
  await terminal.write("hang up\r"); // at which this server closes without a word
  await terminal.shows("the server closed the connection");
  assertEquals(await terminal.code(), 1);
});
