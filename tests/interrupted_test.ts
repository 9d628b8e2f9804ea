/** What a command that is interrupted leaves behind: in files, on stdout, and to the next signal. */
import { assertEquals, assertMatch } from "@std/assert";
import { Outputs } from "../commands/outputs.ts";
import type { Sink } from "../report/exporter.ts";
import { e2e as test } from "./harness.ts";
import { eventually, Folder, type Outcome, run, Running, ServerPeer, TSECHO, within } from "./helpers.ts";
import { InProcess } from "./in_process.ts";

/** Interrupts a command while it makes its first connection, whose peer takes no part in the handshake. */
async function interrupted(begin: (address: string) => InProcess | string[]): Promise<Outcome> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using command = new Running(begin(`tls://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`));
  using _conn = await within(listener.accept(), "a connection");
  command.kill("SIGINT");
  const code = await command.code();
  return { code, stdout: command.stdout.text, stderr: command.stderr.text };
}

/** Interrupts it with files that are there and files that are not. */
async function leavesFiles(
  command: string[],
  begin: (args: string[]) => InProcess | string[],
): Promise<Outcome> {
  await using folder = await Folder.make();
  const [saved, page, fresh] = ["old.json", "old.html", "new.csv"].map((it) => folder.file(it)) as [
    ...[string, string, string],
  ];
  for (const it of [saved, page]) await Deno.writeTextFile(it, "old");
  const table = command.includes("--find") ? [] : ["--csv", fresh];
  const files = ["--json", saved, "--html", page, ...table];
  const outcome = await interrupted((address) => begin([...command, ...files, address]));
  for (const it of [saved, page]) assertEquals(await Deno.readTextFile(it), "old", command.join(" "));
  const names = (await Array.fromAsync(Deno.readDir(folder.path))).map(({ name }) => name);
  assertEquals(names.sort(), ["old.html", "old.json"]);
  return outcome;
}

test("a run that is interrupted before it has a connection leaves files as they were, and stdout its end", async () => {
  for (const command of [["load", "-c", "1"], ["ping"]]) {
    const { code, stdout, stderr } = await leavesFiles(command, (args) => InProcess.start(args)!);
    assertEquals([code, stderr], [1, ""]);
    assertMatch(stdout, / statistics ---\n/);
    const document = await interrupted((address) => InProcess.start([...command, "--json", "-", address])!);
    assertEquals([document.code, JSON.parse(document.stdout).end.sent], [1, 0], command.join(" "));
  }
});

test("so does a search", { level: "slow" }, async () => {
  const command = ["load", "--find", "p99<5ms"];
  const { code, stderr } = await leavesFiles(command, (args) => [...TSECHO, ...args]);
  assertEquals([code, stderr], [1, 'tsecho: Cannot find a rate that keeps "p99<5ms": interrupted\n']);
});

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
      const [page, said] of [[[], ""], [
        ["--html", fifo],
        `tsecho: Cannot write "${fifo}": interrupted\n`,
      ]] as const
    ) {
      const command = InProcess.start(["ping", "--json", old, "--csv", fresh, ...page, "127.0.0.1:9"])!;
      command.kill("SIGINT");
      const { code, stderr } = await run(command);
      assertEquals([code, stderr], [1, said]);
      const names = (await Array.fromAsync(Deno.readDir(folder.path))).map(({ name }) => name);
      assertEquals([names.sort(), await Deno.readTextFile(old)], [["fifo", "old.json"], "old"]);
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

test("a comparison that is interrupted before it has a run of each says so", async () => {
  await using server = await ServerPeer.start();
  const address = `tcp://127.0.0.1:${server.port}`;
  await using load = new Running(
    InProcess.start(["load", "-c", "1", "-t", "10m", "--warmup", "0", "--against", address, address])!,
  );
  await load.stdout.until(/^run /m);
  load.kill("SIGINT");
  assertEquals([await load.code(), load.stderr.text], [
    1,
    `tsecho: Cannot compare with "${address}": interrupted\n`,
  ]);
  assertMatch(load.stdout.text, /^nothing to compare: before-1 was stopped, and is left out$/m);
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
