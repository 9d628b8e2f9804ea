/** What a command that is interrupted leaves behind: in files, on stdout, and to the next signal. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Outputs } from "../commands/outputs.ts";
import { Failure } from "../failure.ts";
import type { Sink } from "../report/exporter.ts";
import { toRecord } from "../report/record.ts";
import { e2e as test } from "./harness.ts";
import { eventually, Folder, type Outcome, run, Running, ServerPeer, TSECHO, within } from "./helpers.ts";
import { InProcess } from "./in_process.ts";
import { silentPeer } from "./load_peers.ts";
import { eventsOf, START } from "./ping_runs.ts";

/** Begins a command, with its files or without, against an address, and interrupts it. */
type Interrupt = (command: (address: string) => string[]) => Promise<Outcome>;

async function endOf(command: Running): Promise<Outcome> {
  const code = await command.code();
  return { code, stdout: command.stdout.text, stderr: command.stderr.text };
}

/** Interrupts it while it makes its first connection, whose peer takes no part in the handshake. */
const beforeConnection: Interrupt = async (command) => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const args = command(`tls://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`);
  await using running = new Running(InProcess.start(args)!);
  using _conn = await within(listener.accept(), "a connection");
  running.kill("SIGINT");
  return await endOf(running);
};

/** Interrupts it once its output shows something. */
const once = (shown: RegExp): Interrupt => async (command) => {
  await using server = await ServerPeer.start();
  await using running = new Running(InProcess.start(command(server.url("tcp")))!);
  await running.stdout.until(shown);
  running.kill("SIGINT");
  return await endOf(running);
};

/** Interrupts a command that writes to files that are there and to one that is not. */
async function leavesFiles(command: string[], interrupt: Interrupt): Promise<Outcome> {
  await using folder = await Folder.make();
  const options = ["--find", "--against"].some((it) => command.includes(it))
    ? ["--json"]
    : ["--json", "--csv", ...command.includes("load") ? ["--hdr"] : []];
  const old = options.flatMap((it) => [it, folder.file(`old${it}`)]);
  for (const it of options) await Deno.writeTextFile(folder.file(`old${it}`), "old");
  const args = [...command, ...old, "--html", folder.file("new")];
  const outcome = await interrupt((address) => [...args, address]);
  const files = await folder.names();
  assertEquals(files, options.map((it) => `old${it}`).sort());
  for (const name of files) {
    assertEquals(await Deno.readTextFile(folder.file(name)), "old", `${command.join(" ")}: ${name}`);
  }
  return outcome;
}

test("a run that is interrupted before it has a connection leaves files as they were, and stdout its end", async () => {
  for (
    const [command, said] of [
      [["load", "-c", "1"], /^tsecho: Cannot connect to "tls:\S+": interrupted; no file was written\n$/],
      [["ping"], /^tsecho: Cannot connect to "tls:\S+": interrupted; no file was written\n$/],
      [
        ["ping", "--reconnect"],
        /^tsecho: Cannot ping "tls:\S+": interrupted before anything was measured; no file was written\n$/,
      ],
    ] as const
  ) {
    const { code, stdout, stderr } = await leavesFiles([...command], beforeConnection);
    assertEquals(code, 1);
    assertMatch(stderr, said);
    assertMatch(stdout, / statistics ---\n/);
    const document = await beforeConnection((address) => [...command, "--json", "-", address]);
    const { sent, pending } = JSON.parse(document.stdout).end;
    assertEquals([document.code, sent - pending], [1, 0], command.join(" "));
    assertMatch(document.stderr, /^tsecho: Cannot .*: interrupted(?: before anything was measured)?\n$/);
  }
});

test("a load that is interrupted in its warm-up leaves files as they were, and says so", async () => {
  const { code, stdout, stderr } = await leavesFiles(["load", "-c", "1", "--warmup", "10m"], once(/^LOAD /));
  assertMatch(
    stderr,
    /^tsecho: Cannot load "tcp:\S+": interrupted before anything was measured; no file was written\n$/,
  );
  assertMatch(stdout, /load statistics ---\ninterrupted after 0 ms\n0 lines sent, /);
  assertEquals(code, 1);
});

test("so does a search before its first trial is over", { level: "slow" }, async () => {
  const command = ["load", "-c", "1", "--find", "p99<5ms"];
  const trying = [...command, "-R", "5", "--trial", "10m", "--warmup", "0"];
  const { code, stderr, stdout } = await leavesFiles(trying, once(/^LOAD /));
  assertEquals([code, stderr], [
    1,
    'tsecho: Cannot find a rate that keeps "p99<5ms": interrupted; no file was written\n',
  ]);
  assertMatch(stdout, /^search interrupted; no rate has kept p99<5ms$/m);
  const connecting = await leavesFiles(command, beforeConnection);
  assertEquals(connecting.code, 1);
  assertMatch(
    connecting.stderr,
    /^tsecho: Cannot connect to "tls:\S+": interrupted; no file was written\n$/,
  );
});

/** Lets a command's stdout fail with the first text that has this in it. */
function failStdout(at: RegExp): void {
  const { stdout } = Deno;
  const write = stdout.write.bind(stdout);
  Object.assign(stdout, {
    write: (bytes: Uint8Array) =>
      at.test(new TextDecoder().decode(bytes)) ? Promise.reject(new Deno.errors.BrokenPipe()) : write(bytes),
  });
}

test("a run whose stdout has no reader before anything was measured leaves files as they were, and says so", {
  level: "slow",
}, async () => {
  await using server = await ServerPeer.start();
  const url = server.url("tcp");
  const load = ["load", "-c", "1", "-R", "50"];
  for (
    const [command, at] of [
      [[...load, "--warmup", "10m"], /^LOAD /],
      [[...load, "--warmup", "0", "--find", "p99<1s"], /^LOAD /],
      [[...load, "--warmup", "0", "-t", "0.2", "--against", url], /before-1 /],
      [["ping", "--reconnect"], /^PING /],
    ] as const
  ) {
    const { code, stderr } = await leavesFiles([...command], async (args) => {
      await using running = new Running(InProcess.start(args(url))!);
      failStdout(at);
      return await endOf(running);
    });
    assertEquals([code, stderr], [
      1,
      'tsecho: Cannot write "standard output": its reader has gone; no file was written\n',
    ], command.join(" "));
  }
});

test("a comparison whose server goes before it has a run of each leaves files as they were", {
  level: "slow",
}, async () => {
  await using server = await ServerPeer.start();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const after = `tcp://127.0.0.1:${listener.addr.port}`;
  const command = ["load", "-c", "1", "-R", "50", "-t", "0.2", "--warmup", "0", "--against", after];
  const { code, stdout, stderr } = await leavesFiles(command, async (args) => {
    await using load = new Running(InProcess.start(args(server.url("tcp")))!);
    (await within(listener.accept(), "its connection before the first run")).close();
    listener.close();
    return await endOf(load);
  });
  assertEquals(code, 1);
  assertMatch(stderr, /^tsecho: Cannot connect to "tcp:\S+": connection refused/);
  assertMatch(stdout, /^before-1 .*\nnothing to compare: Cannot connect to /m);
});

test(
  "lines that nothing answers are a result: files have it, however the run ends",
  { level: "slow" },
  async () => {
    await using folder = await Folder.make();
    const [saved, rows] = [folder.file("run.json"), folder.file("run.csv")];
    const files = ["--json-stream", "--json", saved, "--csv", rows];
    for (
      const [command, sent] of [
        [["ping", "-i", "0.1"], /"type":"interval"/],
        [["ping", "-i", "0.1", "--reconnect"], /"type":"interval"/],
        [["load", "-c", "1", "-R", "50", "--warmup", "0", "-W", "0.1"], /"sent":[1-9]/],
      ] as const
    ) {
      await silentPeer(async (address) => {
        for (const it of [saved, rows]) await Deno.writeTextFile(it, "old");
        await using running = new Running(InProcess.start([...command, ...files, address])!);
        await running.stdout.until(sent);
        running.kill("SIGINT");
        assertEquals([await running.code(), running.stderr.text], [1, ""], command.join(" "));
        const { end } = JSON.parse(await Deno.readTextFile(saved));
        assert(end.sent > 0 && end.received === 0, JSON.stringify(end));
        assert((await Deno.readTextFile(rows)).split("\n").length > 2);
      });
    }
  },
);

test(
  "a signal while files are opened neither keeps them from that nor leaves them, but ends the wait for a FIFO",
  {
    needs: ["mkfifo"],
  },
  async () => {
    await using folder = await Folder.make();
    const [old, fresh, fifo] = [folder.file("old.json"), folder.file("new.csv"), folder.file("fifo")];
    await Deno.writeTextFile(old, "old");
    assertEquals((await run(["mkfifo", fifo])).code, 0);
    for (
      const [page, said] of [
        [[], 'tsecho: Cannot connect to "tcp://127.0.0.1:9": interrupted; no file was written\n'],
        [["--html", fifo], `tsecho: Cannot write "${fifo}": interrupted\n`],
      ] as const
    ) {
      const command = InProcess.start(["ping", "--json", old, "--csv", fresh, ...page, "127.0.0.1:9"])!;
      command.kill("SIGINT");
      const { code, stderr } = await run(command);
      assertEquals([code, stderr], [1, said]);
      assertEquals([await folder.names(), await Deno.readTextFile(old)], [["fifo", "old.json"], "old"]);
    }
    (await Deno.open(fifo, { read: true, write: true })).close(); // its opening ends
  },
);

test("once a load is over, a signal ends the process though a page's reader has stopped reading", {
  needs: ["mkfifo"],
}, async () => {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  const address = `127.0.0.1:${server.port}`;
  for (const against of [[], ["--against", address, "--repeat", "1"]]) {
    const fifo = folder.file(`page-${against.length}`);
    assertEquals((await run(["mkfifo", fifo])).code, 0);
    const args = ["load", "-n", "1", "-c", "1", "--warmup", "0", ...against, "--html", fifo, address];
    const command = InProcess.start(args)!;
    await using load = new Running(command);
    const reader = await within(Deno.open(fifo), "load to open the FIFO");
    assertEquals(await within(reader.read(new Uint8Array(1)), "the page's first byte"), 1);
    const isAnythingEnded = command.again();
    await new Response(reader.readable).text();
    assertEquals([await load.code(), isAnythingEnded], [0, false]);
  }
});

test("a comparison that is interrupted before it has a run of each leaves files as they were, and says so", async () => {
  await silentPeer(async (silent) => {
    const command = ["load", "-c", "1", "-n", "10", "-W", "10m", "--warmup", "0", "--against"];
    const against = `tcp://${silent}`;
    for (
      const [before, at, stopped] of [
        [silent, /^run /m, /^nothing to compare: before-1 was stopped, and is left out$/m],
        [
          null,
          /^before-1 /m,
          /^nothing to compare: (?:after-1 was stopped, and is left out|stopped before after-1)$/m,
        ],
      ] as const
    ) {
      const outcome = await leavesFiles([...command, against], async (args) => {
        await using server = await ServerPeer.start();
        const here = InProcess.start(args(before ?? server.url("tcp")))!;
        await using load = new Running(here);
        await load.stdout.until(at);
        load.kill("SIGINT");
        assert(here.again());
        return await endOf(load);
      });
      assertEquals([outcome.code, outcome.stderr], [
        1,
        `tsecho: Cannot compare with "${against}": interrupted; no file was written\n`,
      ]);
      assertMatch(outcome.stdout, stopped);
    }
  });
});

test("a saved run that is summarised again replaces a file once it is whole, and none if it is interrupted", {
  needs: ["mkfifo"],
  level: "slow",
}, async () => {
  await using folder = await Folder.make();
  const [saved, old, fifo] = [folder.file("saved"), folder.file("old"), folder.file("fifo")];
  assertEquals((await run(["mkfifo", fifo])).code, 0);
  // More than waits for a reader and than a pipe holds.
  const replies = eventsOf({ lines: 20_000 }).map((it) => JSON.stringify(toRecord(it)));
  await Deno.writeTextFile(saved, [JSON.stringify(START), ...replies].join("\n"));
  for (
    const [kept, other, isInterrupted] of [
      ["--json", "--csv", true],
      ["--csv", "--json", true],
      ["--csv", "--json", false],
    ] as const
  ) {
    await Deno.writeTextFile(old, "old");
    const args = ["ping", "--from", saved, kept, old, other, fifo];
    await using replay = new Running([...TSECHO, ...args]);
    const reader = await within(Deno.open(fifo), "ping to open the FIFO");
    const isBegun = async () => (await folder.names()).length > 3;
    await eventually(isBegun, "the new file beside the old one");
    assertEquals(await Deno.readTextFile(old), "old");
    if (isInterrupted) {
      replay.kill("SIGINT");
      // Before anybody reads on.
      await eventually(async () => !await isBegun(), "the new file to go");
    }
    await within(new Response(reader.readable).text(), "the end of the FIFO");
    const code = await replay.code();
    assertEquals(code, isInterrupted ? 1 : 0, replay.stderr.text);
    assertEquals(
      replay.stderr.text,
      isInterrupted
        ? `tsecho: Cannot summarise "${saved}": interrupted; no file was written\n`
        : `tsecho: The run in "${saved}" has no end: this is what was saved of it\n`,
    );
    assertEquals(await folder.names(), ["fifo", "old", "saved"]);
    const text = await Deno.readTextFile(old);
    if (isInterrupted) assertEquals(text, "old");
    else assertEquals(text.match(/^(?:\{"type":"reply",.*|\d+,received,.*)$/gm)?.length, 20_000);
  }
});

/** Outputs on a stdout whose reader takes nothing and in a file; a signal ends them step by step. */
async function stuck(
  use: (outputs: Outputs<Sink>, again: () => boolean) => Promise<void>,
): Promise<string[]> {
  await using folder = await Folder.make();
  const page = folder.file("page.html");
  await Deno.writeTextFile(page, "old");
  const { stdout } = Deno;
  Object.assign(Deno, { stdout: { write: () => new Promise(() => {}) } });
  try {
    let end: (() => boolean) | undefined;
    const again = () => {
      const step = end;
      end = undefined;
      return step?.() ?? false;
    };
    const outputs = new Outputs<Sink>({ onAgain: (step) => end = step });
    outputs.add(outputs.stdout());
    await outputs.file(page, "html", "document", (sink) => sink);
    outputs.each((it) => it.write("page"));
    await use(outputs, again);
    await within(outputs.close(), "the outputs to be closed");
    const names = (await Array.fromAsync(Deno.readDir(folder.path))).map(({ name }) => name);
    return [await Deno.readTextFile(page), ...names];
  } finally {
    Object.assign(Deno, { stdout });
  }
}

test("a signal while the end is written ends the wait for readers, and files are finished", async () => {
  const left = await stuck(async (outputs, again) => {
    const flushed = outputs.flush();
    assert(again());
    const error = await within(assertRejects(() => flushed, Failure), "the end of the wait");
    assertEquals(error.message, 'Cannot write "standard output": interrupted');
  });
  assertEquals(left, ["page", "page.html"]);
});

test("the next one ends the wait for files too: they stay as they were, and nothing is beside them", async () => {
  const left = await stuck(async (outputs, again) => {
    const flushed = outputs.flush();
    assertEquals([again(), again(), again()], [true, true, false]);
    await within(assertRejects(() => flushed, Failure, ": interrupted"), "the end of the wait");
  });
  assertEquals(left, ["old", "page.html"]);
});

test("an output whose reader takes nothing holds up no other one", async () => {
  await using folder = await Folder.make();
  const page = folder.file("page.html");
  const { stdout } = Deno;
  const taken = Promise.withResolvers<number>();
  Object.assign(Deno, { stdout: { write: () => taken.promise } });
  try {
    const outputs = new Outputs<Sink>();
    const stuck = outputs.stdout();
    await outputs.file(page, "html", "document", (sink) => sink);
    stuck.write("text");
    outputs.each((it) => it.write("page"));
    void outputs.flush();
    await eventually(async () => await Deno.readTextFile(page) === "page", "the page to be in its place");
    assertEquals((await Array.fromAsync(Deno.readDir(folder.path))).length, 1);
    taken.resolve("text".length);
    await outputs.close();
  } finally {
    Object.assign(Deno, { stdout });
  }
});
