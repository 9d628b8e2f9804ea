/** The command line of load beside the system: files, descriptors, signals, pipes and terminals. */
import { assert, assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import type { LoadSummary } from "../stats/load_summary.ts";
import { e2e as test } from "./harness.ts";
import { eventually, Folder, run, Running, ServerPeer, Terminal, TSECHO, tsecho, within } from "./helpers.ts";
import { silentPeer } from "./load_peers.ts";

test("load refuses more connections than it may have descriptors for, and says what to do", async () => {
  const script = 'ulimit -n 200; exec "$@"';
  const { code, stderr } = await run([
    "sh",
    "-c",
    script,
    "sh",
    ...TSECHO,
    "load",
    "-c",
    "500",
    "127.0.0.1:1",
  ]);
  assertEquals(code, 2);
  assertMatch(
    stderr,
    /^tsecho: Cannot use --connections "500": that takes \d+ file descriptors, and this process may have 200; raise the limit \(ulimit -n \d+\)\n$/,
  );
});

test("load sends the lines of a file", { level: "slow" }, async () => {
  await using folder = await Folder.make();
  const file = folder.file("lines");
  await using server = await ServerPeer.start();
  const address = `127.0.0.1:${server.port}`;
  await Deno.writeTextFile(file, "one\ntwo two\n\nthree without LF");
  const { code, stdout } = await tsecho([
    "load",
    "-n",
    "40",
    "-c",
    "3",
    "--warmup",
    "0",
    "--data",
    file,
    address,
  ]);
  assertEquals(code, 0);
  assertStringIncludes(stdout, `lines of ${file}`);
  assertStringIncludes(stdout, "40 lines sent, 40 received");
});

test("load says what is wrong with a file of lines", { level: "slow" }, async () => {
  await using folder = await Folder.make();
  const file = folder.file("lines");
  await using server = await ServerPeer.start();
  const address = `127.0.0.1:${server.port}`;
  for (
    const [text, reason] of [["", "there are none in it"], [
      `a\n${"x".repeat(65_001)}`,
      "line 2 has 65001 bytes, and 65000 are the most",
    ]]
  ) {
    await Deno.writeTextFile(file, text!);
    const { code, stderr } = await tsecho(["load", "--data", file, address]);
    assertEquals([code, stderr], [1, `tsecho: Cannot read lines from "${file}": ${reason}\n`]);
  }
  if (Deno.build.os === "linux") {
    const endless = await tsecho(["load", "--data", "/dev/zero", address]);
    const why = endless.stderr.includes("has more than")
      ? "it has more than 256 MiB"
      : "Deno lets only programs with all permissions use it";
    assertEquals([endless.code, endless.stderr], [1, `tsecho: Cannot read lines from "/dev/zero": ${why}\n`]);
  }
  if (Deno.build.os === "linux") {
    const fifo = folder.file("fifo");
    assertEquals((await run(["mkfifo", fifo])).code, 0);
    await using waiting = new Running([...TSECHO, "load", "--data", fifo, address]);
    // Once load has opened it, it listens for signals; nothing is written, and no end comes.
    using _writer = await within(Deno.open(fifo, { write: true }), "load to open the FIFO");
    waiting.kill("SIGTERM");
    assertEquals([await waiting.code(), waiting.stderr.text], [
      1,
      `tsecho: Cannot read lines from "${fifo}": interrupted\n`,
    ]);
  }
  await Deno.writeTextFile(file, "mine\n");
  const link = folder.file("link");
  await Deno.link(file, link);
  for (const option of ["--json", "--csv", "--hdr", "--html"]) {
    const { code, stderr } = await tsecho(["load", "--data", file, option, link, address]);
    assertEquals([code, stderr], [
      2,
      `tsecho: Cannot use ${option} "${link}": it is the file that --data names\n`,
    ]);
    assertEquals(await Deno.readTextFile(file), "mine\n");
  }
  const missing = await tsecho(["load", "--data", folder.file("none"), address]);
  assertMatch(
    missing.stderr,
    /^tsecho: Cannot read lines from ".*none": there is no such file or directory\n$/,
  );
});

test("load says which file it cannot write, and ends when a disk is full", { level: "slow" }, async () => {
  await using folder = await Folder.make();
  await using server = await ServerPeer.start();
  const address = `127.0.0.1:${server.port}`;
  for (const option of ["--json", "--csv", "--hdr", "--html"]) {
    const { code, stderr } = await tsecho(["load", option, folder.path, address]);
    assertEquals([code, stderr], [1, `tsecho: Cannot write "${folder.path}": it is a directory\n`]);
  }
  if (Deno.build.os === "linux") {
    const script = 'exec "$@" > /dev/full';
    for (
      const output of [
        ["--json-stream"],
        ["--csv", "-"],
        ["--hdr", "-"],
        ["--json", "-"],
        ["--html", "-"],
        [],
      ]
    ) {
      const args = ["load", "-t", "0.2", "--warmup", "0", "-R", "50", ...output, address];
      const { code, stderr } = await run(["sh", "-c", script, "sh", ...TSECHO, ...args]);
      assertEquals(code, 1);
      assertMatch(stderr, /^tsecho: Cannot write "standard output": there is no space left\n$/);
    }
  }
  const file = folder.file("one");
  const twice = await tsecho(["load", "--csv", file, "--hdr", file, address]);
  assertEquals([twice.code, twice.stderr], [
    2,
    `tsecho: Cannot use --hdr "${file}": it is the file that --csv names\n`,
  ]);
});

/** A run without replies. */
const UNANSWERED = ["load", "-c", "2", "-R", "50", "-t", "10m", "--warmup", "0", "--json-stream"];

/** The end of a stream. */
function endOf(text: string): LoadSummary {
  return JSON.parse(text.trimEnd().split("\n").at(-1)!);
}

test("at SIGINT load ends the sending and waits for what is in flight", { level: "slow" }, async () => {
  await silentPeer(async (address) => {
    await using waiting = new Running([...TSECHO, ...UNANSWERED, "-W", "2s", address]);
    await waiting.stdout.until(/"type":"interval"/);
    waiting.kill("SIGINT");
    assertEquals(await waiting.code(), 1);
    const { lost, pending, sent } = endOf(waiting.stdout.text);
    assert(sent > 0 && lost === sent && pending === 0, waiting.stdout.text);
  });
});

test("at a second SIGINT load ends at once", async () => {
  await silentPeer(async (address) => {
    await using leaving = new Running([...TSECHO, ...UNANSWERED, "-W", "60s", address]);
    await leaving.stdout.until(/"type":"interval"/);
    // A repetition within 300 ms is the same signal, and on a busy machine two of ours may come as close as that. A third
    // one would end the process without its output: its threads have a second to end, and another to close.
    leaving.kill("SIGINT");
    const code = leaving.code();
    const again = setInterval(() => {
      try {
        leaving.kill("SIGINT");
      } catch {
        // It has ended, but its output is not read yet.
      }
    }, 3000);
    assertEquals(await code.finally(() => clearInterval(again)), 1);
    const ended = endOf(leaving.stdout.text);
    assert(ended.pending > 0 && ended.pending === ended.sent, leaving.stdout.text);
  });
});

const ENDLESS = ["load", "-R", "50", "-t", "10m", "--warmup", "0"];

/** What SIGQUIT makes a load tell on stderr. */
async function interimOf(load: Running): Promise<string> {
  load.kill("SIGQUIT");
  await load.stderr.until(/\n/);
  return load.stderr.text;
}

/** Interrupts a search whose first trial takes long. */
async function interruptSearch(server: ServerPeer, folder: Folder): Promise<void> {
  const saved = folder.file("search.json");
  await Deno.writeTextFile(saved, "old");
  const args = ["--find", "p99<5ms", "-R", "5", "--trial", "10m", "--warmup", "0", "-c", "1"];
  await using search = new Running(
    [...TSECHO, "load", ...args, "--json", saved, `127.0.0.1:${server.port}`],
  );
  await search.stdout.until(/^LOAD /);
  const told = await interimOf(search);
  assertMatch(told, /^trial of 5 lines\/s, \d+ of 600 s: \d+ lines? sent, /);
  search.kill("SIGINT");
  assertEquals([await search.code(), search.stderr.text.slice(told.length)], [
    1,
    'tsecho: Cannot find a rate that keeps "p99<5ms": interrupted; no file was written\n',
  ]);
  assertMatch(
    search.stdout.text,
    /^ +5 .* interrupted(?:, .*)?\nsearch interrupted; no rate has kept p99<5ms$/m,
  );
  assertEquals(await Deno.readTextFile(saved), "old"); // no trial is worth less than the older one
}

/** Interrupts a run after a second of it. */
async function interruptRun(server: ServerPeer, folder: Folder): Promise<void> {
  const rows = folder.file("rows");
  const args = [...ENDLESS, "--csv", rows, `127.0.0.1:${server.port}`];
  await using load = new Running([...TSECHO, ...args]);
  await load.stdout.until(/^LOAD /);
  const replies = async () => (await Deno.readTextFile(rows)).split("\n").length > 2;
  await eventually(replies, "the row of a second");
  const told = await interimOf(load);
  assertMatch(
    told,
    /^\d+ of 600 s: \d+ lines? sent, \d+ received, \d+ lost or dropped, \d+ errors?(?:, p\d\d \d+\.\d{3} ms)*\n$/,
  );
  load.kill("SIGINT");
  assertEquals([await load.code(), load.stderr.text], [0, told]);
  assertMatch(load.stdout.text, /load statistics ---\ninterrupted after [\d.]+ m?s\n\d+ lines planned, /);
}

test("load in a pipe ends at SIGINT with its summary, a search that has found no rate as a failure", async () => {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  await Promise.all([interruptRun(server, folder), interruptSearch(server, folder)]);
});

test("a search that has found a rate ends at SIGINT with that", { level: "slow" }, async () => {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  const saved = folder.file("search.json");
  const args = ["--find", "max<1h", "-R", "100", "--trial", "0.3", "--warmup", "0", "-c", "1"];
  await using search = new Running(
    [...TSECHO, "load", ...args, "--json", saved, `127.0.0.1:${server.port}`],
  );
  await search.stdout.until(/^ +100 +\d/m);
  search.kill("SIGINT");
  const code = await search.code();
  // On a busy machine the generator may have been too late with its lines to show anything.
  if (!/no rate has kept|generator/.test(search.stdout.text)) {
    assertEquals([code, search.stderr.text], [0, ""], search.stdout.text);
    assertMatch(search.stdout.text, /^search interrupted; [1-9]\d* lines\/s kept max<1h$/m);
  }
  const { end } = JSON.parse(await Deno.readTextFile(saved));
  assertEquals(end.trials[0].rate, 100);
});

test("load ends quietly when its reader has gone", { level: "slow" }, async () => {
  await using server = await ServerPeer.start();
  const args = [...ENDLESS, "--json-stream", `127.0.0.1:${server.port}`];
  const { stdout, stderr } = await run(["sh", "-c", '"$@" | head -n 1', "sh", ...TSECHO, ...args]);
  assertEquals([stdout.split("\n").length, stderr], [2, ""]);
});

/** Starts load on a terminal. */
function loadOnTerminal(server: ServerPeer, env: string[], seconds: number): Terminal {
  const args = ["-R", "200", "-t", String(seconds), "--warmup", "0", `127.0.0.1:${server.port}`];
  return new Terminal(["env", ...env, ...TSECHO, "load", ...args]);
}

test(
  "on a terminal load shows how it goes, but not where the cursor must not be moved",
  { level: "slow" },
  async () => {
    await using server = await ServerPeer.start();
    await using shown = loadOnTerminal(server, ["-u", "NO_COLOR"], 3);
    await shown.shows(/\[ *█* *\] {2}\d of 3 s/);
    await shown.shows(/planned 200\/s {2}received \d+\/s {2}p50 \d+\.\d{3} ms {2}p99 \d+\.\d{3} ms/);
    await shown.shows(/in flight \d+ {2}errors 0 {2}lost or dropped 0/);
    await shown.shows(/p99 [▁▂▃▄▅▆▇█]/);
    await shown.shows(/load statistics ---\r\n600 lines planned, 600 sent, 600 received/);
    assertEquals(await shown.code(), 0);
    for (const env of [["NO_COLOR=1"], ["-u", "NO_COLOR", "TERM=dumb"]]) {
      await using plain = loadOnTerminal(server, env, 0.5);
      await plain.shows("load statistics");
      assertEquals(await plain.code(), 0);
      assertNotMatch(plain.stdout.text, /in flight/);
    }
  },
);
