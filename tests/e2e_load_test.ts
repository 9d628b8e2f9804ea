/** The command line of load: what it prints and writes, its conditions, and its exit codes. */
import { assert, assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import { markup } from "../report/page/markup.ts";
import { LOAD_COLUMNS } from "../report/load_csv.ts";
import type { LoadSummary } from "../stats/load_summary.ts";
import { e2e as test } from "./harness.ts";
import { failing, Folder, python, REFUSING, run, Running, ServerPeer, TSECHO, tsecho } from "./helpers.ts";
import { decodeHdr } from "./hdr_reader.ts";
import { silentPeer } from "./load_peers.ts";

/** A second of the document. */
interface Second {
  [count: string]: number | unknown;
  response?: { count: number; max: number; histogram: string } | null;
}

/** The document of a run. */
interface LoadDocument {
  start: Record<string, unknown>;
  seconds: Second[];
  end: LoadSummary & { ended: string | null; thresholds: { verdict: string }[] };
}

test("load counts lines in a closed loop, as many as asked for", async () => {
  await using server = await ServerPeer.start();
  const { code, stdout, stderr } = await tsecho([
    "load",
    "-c4",
    "-n",
    "1e3",
    "--warmup",
    "0.1",
    `127.0.0.1:${server.port}`,
  ]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(
    stdout,
    /^LOAD tcp:\/\/127\.0\.0\.1:\d+ closed loop, 4 connections, 1000 lines, 56 bytes a line\n/,
  );
  assertMatch(stdout, /^1000 lines sent, 1000 received, time [\d.]+ m?s$/m);
  assertMatch(stdout, /^service time, closed loop: /m);
  // deno-lint-ignore no-control-regex
  assertNotMatch(stdout, /\x1b|\r/);
});

test(
  "load's generator uses no more cores than there are, however short the run",
  { level: "slow" },
  async () => {
    await using server = await ServerPeer.start();
    const short = ["-n", "200", "-c", "3", "--depth", "100", "--warmup", "0s"];
    for (let run = 0; run < 3; run++) { // the last line is sent some 3 ms after the first
      const { code, stdout } = await tsecho(["load", ...short, `127.0.0.1:${server.port}`]);
      assertEquals(code, 0);
      const [, used] = /it used ([\d.]+) % of a core/.exec(stdout) ?? [];
      assert(Number(used ?? 0) < 110 * navigator.hardwareConcurrency, stdout); // the processor's clock ticks
    }
  },
);

for (const threads of ["1", "2"]) {
  test(`a closed loop whose pace is limited is not held to be at its own limit, with --threads ${threads}`, {
    level: threads === "1" ? "quick" : "slow",
  }, async () => {
    await using server = await ServerPeer.start(["udp://127.0.0.1:0"]);
    const args = ["load", "-c", "2", "-t", "0.5s", "--warmup", "0s", "--threads", threads, server.url("udp")];
    const { code, stdout } = await tsecho(args);
    assertEquals(code, 0);
    assertMatch(stdout, /^generator /m);
    assertNotMatch(stdout, /of a core/);
  });
}

test("load's summary is what its seconds, its table, its HDR log and its page give", async () => {
  await using server = await ServerPeer.start(["--tag", "web-1"]);
  await using folder = await Folder.make();
  const [json, csv, hdr, html] = ["run.json", "run.csv", "run.hlog", "run.html"].map((it) => folder.file(it));
  const plan = ["-R", "100", "-c", "5", "-t", "2", "--warmup", "0.1"];
  const files = ["--json", json!, "--csv", csv!, "--hdr", hdr!, "--html", html!];
  const { code, stdout, stderr } = await tsecho(["load", ...plan, ...files, `127.0.0.1:${server.port}`]);
  assertEquals([code, stderr], [0, ""]);
  const { start, seconds, end } = JSON.parse(await Deno.readTextFile(json!)) as LoadDocument;
  assertEquals([start.command, start.rate, start.connections, start.warmup], ["load", 100, 5, 0.1]);
  assertStringIncludes(stdout, `${end.planned} lines planned, ${end.sent} sent, ${end.received} received`);
  assertEquals([end.planned, end.received, end.loop, end.servers[0]!.tag], [200, 200, "open", "web-1"]);
  const sum = (name: string) => seconds.reduce((all, it) => all + (it[name] as number), 0);
  for (const name of ["planned", "sent", "received", "lost", "dropped"] as const) {
    assertEquals(sum(name), end[name]);
  }
  const responses = seconds.flatMap(({ response }) => response ?? []);
  assertEquals(Math.max(...responses.map((it) => it.max)), end.response!.max);
  const all = responses.map((it) => decodeHdr(it.histogram)).reduce((all, it) => (all.add(it), all));
  const p99 = all.percentile(99) / 1e6;
  assertEquals(all.count, end.response!.count);
  assert(Math.abs(p99 - end.response!.p99!) < 0.002 * p99, `${p99} against ${end.response!.p99}`);

  const [header, ...rows] = (await Deno.readTextFile(csv!)).trimEnd().split("\n").map((it) => it.split(","));
  assertEquals(header, LOAD_COLUMNS);
  const column = rows.reduce((all, row) => all + Number(row[LOAD_COLUMNS.indexOf("received")]), 0);
  assertEquals(column, 200);

  const counts = JSON.parse((await python("read_hlog", hdr!)).stdout) as Record<string, [number, number]>;
  assertEquals(Object.entries(counts).map(([tag, [count]]) => [tag, count]), [
    ["response", 200],
    ["service", 200],
    ["send_lag", 200],
  ]);
  const longest = counts.response![1] / 1e9;
  assert(Math.abs(longest - end.response!.max) < 0.002 * longest, `${longest} against ${end.response!.max}`);
  assertPage(await Deno.readTextFile(html!), server.url("tcp"), stdout, end);
});

/** A page has the figures of its run's end, and the verdicts of its text. */
function assertPage(text: string, url: string, stdout: string, end: LoadSummary): void {
  const page = text.replaceAll("\u00a0", " "); // units stay with numbers
  assertMatch(page, /^<!DOCTYPE html>/);
  assertStringIncludes(page, url);
  assertStringIncludes(page, "web-1");
  for (const values of [end.response!, end.service!, end.servers[0]!.up!]) {
    assertStringIncludes(page, `>${(values.p90! * 1000).toFixed(3)}<`);
  }
  for (const line of stdout.split("\n").slice(3, 6)) {
    assertStringIncludes(page, markup(line.replace(/^generator /, "")));
  }
}

test("load --json-stream writes an object a second while it goes on", { level: "slow" }, async () => {
  await using server = await ServerPeer.start();
  const args = ["-R", "50", "-t", "2", "--warmup", "0", "--json-stream"];
  const { stdout } = await tsecho(["load", ...args, `127.0.0.1:${server.port}`]);
  const objects = stdout.trimEnd().split("\n").map((it) => JSON.parse(it));
  assertEquals(objects.map(({ type }) => type).slice(0, 3), ["start", "interval", "interval"]);
  assertEquals(objects.at(-1).type, "end");
  const planned = objects.filter(({ type }) => type === "interval").map((it) => it.planned);
  assertEquals(planned.reduce((all, it) => all + it, 0), 100);
});

test("load --fail-if and --abort-if set the exit code, and --abort-if ends the run", async () => {
  await using server = await ServerPeer.start();
  const address = `127.0.0.1:${server.port}`;
  const short = ["-n", "200", "--warmup", "0", "--fail-if", "p99>1ns", "--fail-if", "lost>0"];
  const broken = await failing(["load", ...short, address]);
  assertEquals(broken.code, 3);
  assertMatch(broken.stderr, /^tsecho: Threshold broken: p99>1ns: it is \d+\.\d{3} ms\n$/);
  const args = ["-R", "100", "-t", "10m", "--warmup", "0", "--abort-if", "received>50", "--json", "-"];
  const aborted = await tsecho(["load", ...args, address]);
  assertEquals(aborted.code, 3);
  assertMatch(
    aborted.stderr,
    /^tsecho: Ended after \d(?:\.\d+)? ?s by --abort-if\ntsecho: Threshold broken: received>50: /,
  );
  const { end } = JSON.parse(aborted.stdout) as LoadDocument;
  assertMatch(end.ended!, /^--abort-if received>50 held after \d(?:\.\d+)? ?s$/);
  assert(end.received > 50 && end.received < 1000);
});

test(
  "load fails where a condition cannot be told, and passes with --lenient",
  { level: "slow" },
  async () => {
    await using server = await ServerPeer.start();
    // Nothing was blocked, but the connect times of two connections have no p99.
    const untold = ["load", "-c", "2", "-n", "200", "--warmup", "0", "--fail-if", "connect.p99>1s"];
    const strict = await tsecho([...untold, `127.0.0.1:${server.port}`]);
    assertEquals(strict.code, 3);
    assertMatch(
      strict.stderr,
      /^tsecho: Cannot tell whether "connect\.p99>1s" holds: .*that takes 100 values/,
    );
    assertEquals((await tsecho([...untold, "--lenient", `127.0.0.1:${server.port}`])).code, 0);
  },
);

test(
  "load --find prints each trial, and fails where no rate keeps the limit",
  { level: "slow" },
  async () => {
    await using server = await ServerPeer.start();
    const args = ["--trial", "0.1", "--warmup", "0", "-c", "2", "-R", "2", "--json"];
    await using folder = await Folder.make();
    const file = folder.file("run.json");
    const { code, stdout } = await tsecho([
      ...["load", "--find", "max<1ns", ...args, file, `127.0.0.1:${server.port}`],
    ]);
    assertEquals(code, 3);
    assertMatch(stdout, /^ +2 +\d+ .* failed: max<1ns not kept.*$/m);
    // On a busy machine the generator may be what limits.
    assertMatch(stdout, /^(?:no rate keeps max<1ns|max<1ns: cannot tell: .*)$/m);
    const { start, end } = JSON.parse(await Deno.readTextFile(file));
    assertEquals([start.find, start.loop, end.found.rate], ["max<1ns", "open", null]);
    assertEquals(end.trials.length, stdout.split("failed: ").length - 1);
  },
);

test("load --find saves when the trial began whose seconds it saves", { level: "slow" }, async () => {
  await using folder = await Folder.make();
  const file = folder.file("run.json");
  await silentPeer(async (address) => {
    const args = ["--trial", "0.2", "--warmup", "0", "-c", "1", "-R", "10", "-W", "1", "--json", file];
    const before = Date.now() / 1000;
    await tsecho(["load", "--find", "max<1ns", ...args, address]);
    const { start, end } = JSON.parse(await Deno.readTextFile(file));
    // None passes, so the seconds are those of the last; before it each waited for its replies.
    assert(end.trials.length > 1, `${end.trials.length}`);
    assert(start.time > before + end.trials.length - 1, `${start.time}, in a search from ${before} on`);
  });
});

test("load --find ends quietly when its reader has gone", { level: "slow" }, async () => {
  await using server = await ServerPeer.start();
  const args = ["--find", "max<1h", "--trial", "0.1", "--warmup", "0", "-c", "2", "-R", "2"];
  const { stdout, stderr } = await run([
    ...["sh", "-c", '"$@" | head -n 2', "sh", ...TSECHO, "load", ...args, `127.0.0.1:${server.port}`],
  ]);
  assertEquals([stdout.split("\n").length, stderr], [3, ""]);
});

test("load --find tells what it had found when the server goes, and gives up one that answers nothing", {
  level: "slow",
}, async () => {
  await using folder = await Folder.make();
  const file = folder.file("run.json");
  const args = ["load", "--find", "max<1h", "--trial", "0.3", "--warmup", "0", "-c", "2", "-R", "100"];
  const search = async () => {
    const server = await ServerPeer.start();
    await using searching = new Running([...TSECHO, ...args, "--json", file, `127.0.0.1:${server.port}`]);
    await searching.stdout.until(/^ +100 +\d/m); // a trial has passed
    await server[Symbol.asyncDispose]();
    return { code: await searching.code(), text: searching.stdout.text, stderr: searching.stderr.text };
  };
  let searched = await search();
  // Where this machine is busy, a trial may be late with its lines, and end the search before the server goes.
  for (let i = 0; i < 5 && /this generator was (?:at its|the) limit/.test(searched.text); i++) {
    searched = await search();
  }
  assertEquals(searched.code, 1, searched.text);
  // A connection that the kernel made, and the server did not accept any more, is reset.
  const gone = /connection refused|the peer reset the connection/;
  assertMatch(searched.stderr, /^tsecho: Cannot connect to [^\n]+\n$/);
  assertMatch(searched.stderr, gone);
  const { end } = JSON.parse(await Deno.readTextFile(file));
  assertMatch(end.ended, gone);
  assertEquals([end.found.outcome, end.trials[0].passed, end.trials.at(-1).passed], [
    "interrupted",
    true,
    false,
  ]);
  await silentPeer(async (address) => {
    const { code, stdout } = await tsecho([...args, "-W", "0.2", address]);
    assertEquals(code, 1);
    // Two trials that fail decide, or two for which this machine was too busy.
    const failed = stdout.match(/failed: .*/g) ?? [];
    const limited = failed.filter((it) => it.includes("generator limited"));
    assertEquals(Math.max(limited.length, failed.length - limited.length), 2, stdout);
  });
});

test("load fails with one line where nobody listens, and where nobody answers", async () => {
  const refused = await failing(["load", REFUSING]);
  assertEquals([refused.code, refused.stdout], [1, ""]);
  assertMatch(
    refused.stderr,
    /^tsecho: Cannot connect to "tcp:[^"]*": connection refused; is a server running there\?\n$/,
  );
  await silentPeer(async (address) => {
    const args = ["-c", "2", "-R", "20", "-t", "0.5", "--warmup", "0", "-W", "0.2", "--fail-if", "p50>10s"];
    const silent = await tsecho(["load", ...args, address]);
    assertStringIncludes(silent.stdout, "10 lines planned, 10 sent, 0 received, 10 lost, time 500 ms");
    assertEquals(silent.code, 3); // lines that never came are beyond every limit
  });
});

test("load without a condition fails too where nobody answers", { level: "slow" }, async () => {
  await silentPeer(async (address) => {
    const args = ["-c", "2", "-R", "20", "-t", "0.5", "--warmup", "0", "-W", "0.2"];
    const { code, stderr } = await tsecho(["load", ...args, address]);
    assertEquals([code, stderr], [1, ""]);
  });
});

test("load counts the connections that a server turns away", { level: "slow" }, async () => {
  await using server = await ServerPeer.start(["--max-conns", "2"]);
  const args = ["-c", "4", "-R", "50", "-t", "2", "--warmup", "0", "--json", "-", `127.0.0.1:${server.port}`];
  const { end } = JSON.parse((await tsecho(["load", ...args])).stdout) as LoadDocument;
  assertEquals(Object.keys(end.connect_errors), ["server said: too many connections (2)"]);
  assertEquals([end.planned, end.servers[0]!.connections], [100, 2]);
});

test("with hardly any descriptors load says so, and takes it for no bug", {
  ignore: Deno.build.os !== "linux",
  level: "slow",
}, async () => {
  const told: string[] = [];
  for (let limit = 26; limit >= 13; limit--) {
    const few = ["sh", "-c", `ulimit -n ${limit} && exec "$@"`, "sh"];
    const { stderr } = await run([...few, ...TSECHO, "load", "-c", "1", REFUSING]);
    if (stderr.startsWith("tsecho: ")) told.push(stderr); // with fewer still, the runtime itself gives up
  }
  const refusal = 'tsecho: Cannot start "load": out of file descriptors; raise the limit (ulimit -n)\n';
  const others = told.filter((it) => it !== refusal);
  for (const it of others) assertMatch(it, /^tsecho: Cannot use --connections "1": that takes 73 file desc/);
  assert(told.includes(refusal), told.join("")); // at which limits depends on what this process has open
});
