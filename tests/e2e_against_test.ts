/** Load with --against: the order of its runs, what it writes, how it ends, and whether its words are true. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { orderOf } from "../report/series_record.ts";
import { e2e as test } from "./harness.ts";
import {
  Folder,
  REFUSING,
  run,
  Running,
  ServerPeer,
  ServerProcess,
  Terminal,
  TSECHO,
  tsecho,
} from "./helpers.ts";
import { delayingServer } from "./peers.ts";
import { needsTlsServer, withCertificates } from "./tls_helpers.ts";

/** Short runs. */
const SHORT = ["-R", "100", "-c", "2", "-t", "0.3", "--warmup", "0"];

/** What a series has saved. */
interface SavedSeries {
  start: { endpoint: string; against: string; repeat: number };
  runs: { name: string; side: string; start: { endpoint: string }; end: { received: number } }[];
  ended: string | null;
  comparison: { method: string; metrics: Record<string, { verdict: string | null }> } | null;
}

async function read(file: string): Promise<SavedSeries> {
  return JSON.parse(await Deno.readTextFile(file));
}

/** The comparison at the end of a text. */
function comparisonIn(stdout: string): string {
  return stdout.slice(stdout.indexOf("COMPARE "));
}

/** A comparison without the runs' rows, which a series has printed before. */
function withoutRuns(comparison: string): string {
  return comparison.replace(/^run .*\n(?:(?:before|after)-.*\n)+\n/m, "");
}

test(
  "load --against loads two endpoints in the order A B B A, and compares what it saves",
  { level: "slow" },
  async () => {
    await using one = await ServerPeer.start(["--tag", "one"]);
    await using folder = await Folder.make();
    await using other = await ServerProcess.start([`unix:${folder.file("socket")}`, "--tag", "other"]);
    const [before, after] = [`tcp://127.0.0.1:${one.port}`, other.endpoints()[0]!.url];
    const file = folder.file("ab.json");
    const args = ["load", ...SHORT, "--against", after, "--repeat", "2"];
    const { code, stdout, stderr } = await tsecho([...args, "--json", file, before]);
    assertEquals([code, stderr], [0, ""]);
    const order = orderOf(2);
    const { start, runs, ended } = await read(file);
    assertEquals([start.endpoint, start.against, start.repeat, ended], [before, after, 2, null]);
    assertEquals(runs.map(({ name, side }) => ({ side, name })), order);
    assertEquals(runs.map((it) => it.start.endpoint), [before, after, after, before]);
    const tags = runs.map((it) => (it.end as unknown as { servers: { tag: string }[] }).servers[0]!.tag);
    assertEquals(tags, ["one", "other", "other", "one"]);
    for (const { end } of runs) assertEquals(end.received, 30);
    const lines = stdout.split("\n");
    assertEquals(
      lines[1],
      `against ${after}, 2 runs of each in turn, 2 s in all: before is ${before}, after is ${after}`,
    );
    assertEquals(lines.slice(3, 7).map((it) => it.split(" ")[0]), order.map(({ name }) => name));
    assertMatch(stdout, /^after: 2 runs of 300 ms, unix:.*\/socket$/m);
    // What is read back is compared alike.
    const again = await tsecho(["compare", file]);
    assertMatch(again.stdout, /^after-2 /m);
    assertEquals([again.code, withoutRuns(again.stdout)], [0, comparisonIn(stdout)]);
  },
);

test("load --against is quiet with -q but for the comparison, which compare makes of its stdin too", {
  level: "slow",
}, async () => {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  const file = folder.file("ab.json");
  const endpoint = server.url("tcp");
  const series = ["--against", endpoint, "--repeat", "2", "--json", file];
  const quiet = await tsecho(["load", ...SHORT, ...series, "-q", endpoint]);
  assertMatch(quiet.stdout, /^LOAD .*\nagainst .*\n\nCOMPARE (?:.*\n)+\nrun /); // the rows that were not printed
  const piped = await tsecho(["compare", "-", "--json", "-"], await Deno.readTextFile(file));
  assertEquals(JSON.parse(piped.stdout), (await read(file)).comparison);
});

test(
  "load --against takes endpoints of different transports, and TLS's options for the one that needs them",
  {
    ...await needsTlsServer(),
    level: "slow",
  },
  async () => {
    await withCertificates(async (folder, certificates) => {
      await using server = await ServerPeer.start([
        "tcp://127.0.0.1:0",
        "tls://127.0.0.1:0",
        ...certificates,
      ]);
      const [plain, tls] = server.endpoints().map(({ url }) => url) as [string, string];
      const args = [
        "load",
        ...SHORT,
        "--repeat",
        "1",
        "--ca",
        folder.file("ca.pem"),
        "--against",
        tls,
        plain,
      ];
      const { code, stdout, stderr } = await tsecho(args);
      assertEquals([code, stderr], [0, ""]);
      assertMatch(stdout, /^after: after-1, tls:\/\/127\.0\.0\.1:\d+, 300 ms$/m);
    });
  },
);

for (const place of ["second", "first"]) {
  test(`a ${place} endpoint that cannot be reached is told before a run, and no file is touched`, {
    level: place === "second" ? "quick" : "slow",
  }, async () => {
    await using server = await ServerPeer.start();
    await using folder = await Folder.make();
    const file = folder.file("ab.json");
    await Deno.writeTextFile(file, "kept");
    const [good, bad] = [`tcp://127.0.0.1:${server.port}`, `tcp://${REFUSING}`];
    const [before, after] = place === "second" ? [good, bad] : [bad, good];
    const args = ["load", ...SHORT, "--json", file, "--against", after, before];
    const { code, stdout, stderr } = await tsecho(args);
    assertEquals([code, stdout], [1, ""]);
    assertStringIncludes(stderr, `tsecho: Cannot connect to "${bad}": connection refused`);
    assertEquals(await Deno.readTextFile(file), "kept");
  });
}

test(
  "SIGINT ends a series, leaves out the run that it ended, and compares the others",
  { level: "slow" },
  async () => {
    await using server = await ServerPeer.start();
    await using folder = await Folder.make();
    const file = folder.file("ab.json");
    const url = `tcp://127.0.0.1:${server.port}`;
    const args = [...TSECHO, "load", ...SHORT, "--against", url, "--repeat", "100", "--json", file, url];
    await using load = new Running(args);
    await load.stdout.until(/^before-2 .*\n/m);
    load.kill("SIGINT");
    assertEquals([await load.code(), load.stderr.text], [0, ""]);
    const { runs, ended, comparison } = await read(file);
    assertMatch(
      ended!,
      /^(?:(?:before|after)-\d+ was stopped, and is left out|stopped before (?:before|after)-\d+)$/,
    );
    assertStringIncludes(load.stdout.text, `\n${ended}\n`);
    assertEquals(runs.map(({ name }) => name), orderOf(100).slice(0, runs.length).map(({ name }) => name));
    assert(runs.length >= 4 && comparison !== null);
    const again = await tsecho(["compare", file]);
    assertEquals([again.code, withoutRuns(again.stdout)], [0, comparisonIn(load.stdout.text)]);

    const saved = await Deno.readTextFile(file);
    await using first = new Running(args.map((it) => it === "0.3" ? "10m" : it));
    await first.stdout.until(/^run /m);
    first.kill("SIGQUIT");
    await first.stderr.until(/^before-1: \d+ of 600 s: \d+ lines? sent, .*\n/);
    const told = first.stderr.text;
    first.kill("SIGINT");
    assertEquals([await first.code(), first.stderr.text.slice(told.length)], [
      1,
      `tsecho: Cannot compare with "${url}": interrupted; no file was written\n`,
    ]);
    assertMatch(first.stdout.text, /^nothing to compare: before-1 was stopped, and is left out$/m);
    assertEquals(await Deno.readTextFile(file), saved); // one without a run is worth less than the older one
  },
);

test("a server that dies ends a series with its error, and what was whole is compared and saved", {
  level: "slow",
}, async () => {
  await using staying = await ServerPeer.start();
  await using dying = await delayingServer(0);
  await using folder = await Folder.make();
  const file = folder.file("ab.json");
  const args = ["load", ...SHORT, "--against", dying.url, "--repeat", "100", "--json", file];
  await using load = new Running([...TSECHO, ...args, `tcp://127.0.0.1:${staying.port}`]);
  await load.stdout.until(/^before-2 .*\n/m);
  dying.kill("SIGKILL");
  assertEquals(await load.code(), 1);
  // It died between two runs, or in one.
  assertMatch(
    load.stderr.text,
    /^tsecho: Cannot (?:connect to|go on with) "tcp:\/\/127\.0\.0\.1:\d+": .*\n$/,
  );
  const { runs, ended, comparison } = await read(file);
  assertEquals(load.stderr.text, `tsecho: ${ended}\n`);
  assert(runs.length >= 4 && comparison !== null);
  const again = await tsecho(["compare", file]);
  assertEquals([again.code, withoutRuns(again.stdout)], [0, comparisonIn(load.stdout.text)]);
});

test("a run of a series without a reply ends it", { level: "slow" }, async () => {
  await using server = await ServerPeer.start();
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 }); // the kernel takes its connections
  const url = `tcp://127.0.0.1:${silent.addr.port}`;
  const args = ["load", ...SHORT, "-W", "1", "--against", url, `tcp://127.0.0.1:${server.port}`];
  const { code, stdout, stderr } = await tsecho(args);
  assertEquals([code, stderr], [1, `tsecho: Cannot go on with "${url}": no line of after-1 was answered\n`]);
  assertMatch(stdout, /^loss +\S+ +100% /m);
});

test("on a terminal load --against shows which run goes on, above it those that have ended", {
  level: "slow",
}, async () => {
  await using server = await ServerPeer.start();
  const url = `tcp://127.0.0.1:${server.port}`;
  const args = [
    "load",
    "-R",
    "200",
    "-c",
    "2",
    "-t",
    "2",
    "--warmup",
    "0",
    "--repeat",
    "1",
    "--against",
    url,
  ];
  await using terminal = new Terminal(["env", "-u", "NO_COLOR", ...TSECHO, ...args, url]);
  await terminal.shows(/\[ *█* *\] {2}before-1: \d of 2 s/);
  await terminal.shows(/before-1 +\d+\.\d{3} ms .*\r\n/);
  await terminal.shows(/\[ *█* *\] {2}after-1: \d of 2 s/);
  await terminal.shows(/after-1 +\d+\.\d{3} ms .*\r\n\r\nCOMPARE load: /);
  assertEquals(await terminal.code(), 0);
});

test("compare says what is wrong with one file alone, and load which file cannot be written", {
  level: "slow",
}, async () => {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  const file = folder.file("run.json");
  const url = `tcp://127.0.0.1:${server.port}`;
  assertEquals((await tsecho(["load", ...SHORT, "--json", file, url])).code, 0);
  const alone = await tsecho(["compare", file]);
  assertEquals([alone.code, alone.stdout], [2, ""]);
  assertEquals(
    alone.stderr.split("\n")[0],
    `tsecho: Cannot compare "${file}": it has one run; name another one to compare it with`,
  );
  const series = folder.file("ab.json");
  await tsecho(["load", ...SHORT, "--repeat", "1", "--against", url, "--json", series, url]);
  const both = await tsecho(["compare", series, file]);
  assertEquals([both.code, both.stdout], [1, ""]);
  assertStringIncludes(
    both.stderr,
    "it has the runs of load --against: compare reads it, without another file",
  );
  const over = await tsecho(["compare", series, "--json", series]);
  assertEquals(over.code, 2);
  assertStringIncludes(over.stderr, "it is the file that BOTH names");
  // The kernel takes no more, or tsecho may not use such a file.
  const args = ["load", ...SHORT, "--repeat", "1", "--against", url, "--json"];
  const full = await tsecho([...args, "/dev/full", url]);
  assertEquals(full.code, 1);
  assertMatch(full.stderr, /^tsecho: Cannot write "\/dev\/full": .*\n$/);
  const piped = await run(["sh", "-c", 'exec "$@" > /dev/full', "sh", ...TSECHO, ...args, "-", url]);
  assertEquals(piped.code, 1);
  assertMatch(piped.stderr, /^tsecho: Cannot write "standard output": there is no space left\n$/);
});
