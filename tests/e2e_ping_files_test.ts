/** The files that ping writes and reads back, and its memory. */
import { assert, assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import { e2e as test } from "./harness.ts";
import {
  eventually,
  exists,
  failing,
  Folder,
  REFUSING,
  residentKiB,
  run,
  Running,
  ServerPeer,
  TSECHO,
  tsecho,
  within,
} from "./helpers.ts";
import { type Saved, startPing, withPeer } from "./ping_helpers.ts";

test("ping --json says why a run ended early, a replay says it again, and thresholds go first", async () => {
  await using folder = await Folder.make();
  const file = folder.file("run.json");
  const reason = "the server closed the connection";
  for (const [args, code] of [[[], 0], [["--fail-if", "sent<3"], 3]] as const) {
    await withPeer(async (conn) => {
      const buffer = new Uint8Array(1000);
      await conn.write(buffer.subarray(0, (await conn.read(buffer))!));
    }, async (port) => {
      const address = `127.0.0.1:${port}`;
      const live = await tsecho(["ping", address, "-w", "20", "-i", "0", "--json", file, ...args]);
      assertEquals(live.code, code, live.stderr);
      assertEquals((JSON.parse(await Deno.readTextFile(file)) as Saved).end.ended, reason);
      const again = await tsecho(["ping", "--from", file, ...args]);
      assertEquals([again.code, again.stderr.replace(/it is .*/, "")], [
        code,
        live.stderr.replace(/it is .*/, ""),
      ]);
    });
  }
});

test("ping --from tells the same of a saved run, whether saved at once or as it went on", async () => {
  await using server = await ServerPeer.start(["--tag", "web-1"]);
  await using folder = await Folder.make();
  const file = folder.file("run.json");
  const args = ["ping", `127.0.0.1:${server.port}`, "-c", "120", "-i", "0"];
  const live = await tsecho([...args, "--json", file]);
  assertEquals(live.code, 0, live.stderr);
  const summary = (text: string) => text.slice(text.indexOf("--- "));
  const again = await tsecho(["ping", "--from", file]);
  assertEquals([again.code, summary(again.stdout)], [0, summary(live.stdout)]);
  const stream = await tsecho([...args, "--json-stream"]);
  const objects = stream.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  const types = objects.map(({ type }) => type);
  assertEquals([types[0], ...types.slice(-2)], ["start", "interval", "end"]);
  // A busy machine may take more than a second for it, and then there is more than one interval.
  assertEquals(new Set(types.slice(1, -1)), new Set(["reply", "interval"]));
  await Deno.writeTextFile(file, stream.stdout);
  const replayed = await tsecho(["ping", "--from", file, "--json", "-", "--fail-if", "loss>1%"]);
  assertEquals(replayed.code, 0, replayed.stderr);
  const document = JSON.parse(replayed.stdout);
  assertEquals(document.replies, objects.filter(({ type }) => type === "reply"));
  const { thresholds: _, ...end } = document.end;
  const { thresholds: __, ...told } = objects.at(-1);
  assertEquals(end, told);
});

test("ping leaves its output files as they are where no run begins", { level: "slow" }, async () => {
  await using folder = await Folder.make();
  const [old, fresh] = [folder.file("old.json"), folder.file("new.csv")];
  await Deno.writeTextFile(old, "an earlier run");
  const { code, stderr } = await tsecho(["ping", REFUSING, "--json", old, "--csv", fresh]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "connection refused");
  assertEquals(await Deno.readTextFile(old), "an earlier run");
  assertEquals(await Array.fromAsync(Deno.readDir(folder.path), ({ name }) => name), ["old.json"]);
  // What cannot be written is said all the same before anything is tried.
  const into = folder.file("none/run.json");
  const unwritable = await tsecho(["ping", REFUSING, "--json", into]);
  assertMatch(
    unwritable.stderr,
    /^tsecho: Cannot write ".*run\.json": there is no such file or directory\n$/,
  );
  const second = await tsecho(["ping", REFUSING, "--json", fresh, "--csv", into]);
  assertEquals([second.code, second.stderr], [1, unwritable.stderr]);
  assert(!await exists(fresh));
  await using server = await ServerPeer.start();
  assertEquals((await tsecho(["ping", `127.0.0.1:${server.port}`, "-c", "1", "--json", old])).code, 0);
  assertEquals(JSON.parse(await Deno.readTextFile(old)).end.received, 1);
});

test("ping writes to the file that a link leads to, although there is none yet", async () => {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  const [link, other, circle] = ["link", "other", "circle"].map((it) => folder.file(it)) as [
    ...[string, string, string],
  ];
  await Deno.symlink("run.json", link);
  await Deno.symlink("run.html", other);
  await Deno.symlink("circle", circle);
  const ping = ["ping", `127.0.0.1:${server.port}`, "-c", "1"];
  const { code, stderr } = await tsecho([...ping, "--json", link, "--html", other]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(JSON.parse(await Deno.readTextFile(folder.file("run.json"))).end.received, 1);
  assertMatch(await Deno.readTextFile(folder.file("run.html")), /<\/html>\n$/);
  assertEquals([await Deno.readLink(link), await Deno.readLink(other)], ["run.json", "run.html"]);
  const round = await tsecho([...ping, "--json", circle]);
  assertEquals([round.code, round.stderr], [
    1,
    `tsecho: Cannot write "${circle}": its links lead in a circle\n`,
  ]);
});

test(
  "a FIFO that nobody reads does not keep ping from ending at a signal",
  { needs: ["mkfifo"] },
  async () => {
    await using folder = await Folder.make();
    const [fifo, file] = [folder.file("fifo"), folder.file("run.json")];
    await run(["mkfifo", fifo]);
    await using ping = new Running([...TSECHO, "ping", "127.0.0.1:1", "--json", file, "--csv", fifo]);
    // The file before it is created once ping listens for signals.
    await eventually(() => exists(file), "ping to create its first file");
    ping.kill("SIGTERM");
    assertEquals([await ping.code(), ping.stderr.text], [1, `tsecho: Cannot write "${fifo}": interrupted\n`]);
    assert(!await exists(file), "nothing was written to it");
  },
);

test("a FIFO that may be opened one way only works though its other end goes at once", {
  needs: ["mkfifo", "setpriv"],
}, async () => {
  await using folder = await Folder.make();
  const [input, output, saved] = ["input", "output", "saved"].map((it) => folder.file(it)) as [
    ...[string, string, string],
  ];
  // Root may open them both ways, unless it has no more rights than others; others could not be their other end.
  const root = (await run(["id", "-u"])).stdout.trim() === "0";
  const caps = "-dac_override,-dac_read_search";
  const drop = root ? ["setpriv", `--bounding-set=${caps}`, `--inh-caps=${caps}`] : [];
  for (const [fifo, mode] of [[input, "0444"], [output, "0222"]] as const) {
    assertEquals((await run(["mkfifo", "-m", root ? mode : "0600", fifo])).code, 0);
  }

  await using server = await ServerPeer.start();
  const ping = ["ping", "-c", "2", "-i", "0.01", "--json", saved, `127.0.0.1:${server.port}`];
  await using writing = new Running([...drop, ...TSECHO, ...ping, "--csv", output]);
  (await within(Deno.open(output), "ping to open the FIFO")).close();
  assertEquals([await writing.code(), writing.stderr.text], [
    1,
    `tsecho: Cannot write "${output}": its reader has gone\n`,
  ]);
  const whole = await tsecho(ping);
  assertEquals(whole.code, 0);
  await using reading = new Running([...drop, ...TSECHO, "ping", "--from", input]);
  const writer = await within(Deno.open(input, { write: true }), "ping to open the FIFO");
  await writer.write(await Deno.readFile(saved));
  writer.close();
  assertEquals(await reading.code(), 0, reading.stderr.text);
  assertMatch(reading.stdout.text, /^2 lines transmitted, 2 received/m);
});

test(
  "ping --from reads a saved run from stdin, and makes a table or one-way delays of it",
  { level: "slow" },
  async () => {
    await using server = await ServerPeer.start();
    await using folder = await Folder.make();
    const { stdout: run } = await tsecho([
      "ping",
      `127.0.0.1:${server.port}`,
      "-c",
      "2",
      "-i",
      "0",
      "--json",
      "-",
    ]);
    await Deno.writeTextFile(folder.file("run.json"), run);
    const { stdout } = await tsecho(["ping", "--from", folder.file("run.json")]);
    assertStringIncludes(stdout, "2 lines transmitted, 2 received");
    for (const name of ["-", "/dev/stdin"]) {
      assertEquals((await tsecho(["ping", "--from", name], run)).stdout, stdout);
    }
    const received = (text: string) => text.match(/^\d+,received,/gm)?.length;
    assertEquals(received((await tsecho(["ping", "--from", "-", "--csv", "-"], run)).stdout), 2);
    const synced = await tsecho(["ping", "--from", "-", "--json", "-", "--clocks-synced"], run);
    const { start, end } = JSON.parse(synced.stdout);
    assertEquals([start.clocks_synced, end.servers[0].one_way.up.count], [true, 2]);
  },
);

test("ping writes over no file that it reads, nor two outputs into one", { level: "slow" }, async () => {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  const [file, link] = [folder.file("run.json"), folder.file("link.json")];
  const args = ["ping", `127.0.0.1:${server.port}`, "-c", "2", "-i", "0.01"];
  assertEquals((await tsecho([...args, "--json", file])).code, 0);
  await Deno.symlink(file, link);
  const saved = await Deno.readTextFile(file);
  const onto = await tsecho(["ping", "--from", file, "--json", link]);
  assertEquals([onto.code, onto.stderr], [
    2,
    `tsecho: Cannot use --json "${link}": it is the file that --from names\n`,
  ]);
  assertEquals(await Deno.readTextFile(file), saved);
  const twice = await tsecho([...args, "--json", file, "--csv", link]);
  assertEquals([twice.code, twice.stderr], [
    2,
    `tsecho: Cannot use --csv "${link}": it is the file that --json names\n`,
  ]);
});

test({
  name: "ping says in its own words that a file cannot be used",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    for (const args of [["--from", "/proc/1/environ"], ["127.0.0.1:1", "--json", "/proc/1/oom_score_adj"]]) {
      const { code, stderr } = await run([...TSECHO, "ping", ...args]); // with the permissions that it has
      assertEquals(code, 1);
      assertMatch(stderr, /^tsecho: Cannot (?:read the run|write) "[^"]*": [^\n]*\n$/);
      assertNotMatch(stderr, /--allow|all access/);
    }
  },
});

test("ping ends with its summary at SIGHUP, and --from reads what is left of a run that was killed", {
  level: "slow",
}, async () => {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  const file = folder.file("run.json");
  for (const signal of ["SIGHUP", "SIGKILL"] as const) {
    await using ping = startPing(server, "--json", file);
    await ping.stdout.until(/seq=5 /);
    // The file is written at its own pace.
    await eventually(async () => (await Deno.readTextFile(file)).includes('"seq":5,'), "a reply in the file");
    ping.kill(signal);
    const code = await ping.code();
    const hangup = signal === "SIGHUP";
    if (hangup) assertEquals(code, 0);
    assertEquals(/ping statistics/.test(ping.stdout.text), hangup);
    const again = await tsecho(["ping", "--from", file]);
    assertMatch(
      again.stdout,
      /^\d+ lines transmitted, \d+ received,(?: \d+ still pending at the end,)? 0% loss/m,
    );
    const note = `tsecho: The run in "${file}" has no end: this is what was saved of it\n`;
    assertEquals([again.code, again.stderr], [0, hangup ? "" : note]);
  }
});

test("ping --from says what is wrong with a file", { level: "sized" }, async () => {
  await using folder = await Folder.make();
  const file = folder.file("run.json");
  for (
    const [text, reason] of [
      ["{", "line 1 is not a JSON object"],
      ["{}", "it has no start"],
      ["<!DOCTYPE html>\n<html>", "it is a page: open it in a browser and save its JSON"],
      ['{"type":"compare"}', "it is a comparison, not a run"],
      ['{"start":{"type":"start","command":"load"}}', "it is of tsecho load: tsecho load --from reads it"],
      ['{"start":{"type":"start","command":"else"}}', "it is of another command, not of tsecho ping"],
      ['{"start":{"type":"start","version":3,"endpoint":"x"},"replies":[]}', "its version is 3"],
      ['{"start":{"type":"start","version":1},"replies":[]}', `the start's "endpoint" is no string`],
    ]
  ) {
    await Deno.writeTextFile(file, text!);
    const { code, stderr } = await failing(["ping", "--from", file]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `tsecho: Cannot read the run "${file}": ${reason}`);
  }
  await Deno.truncate(file, 501 * 1024 ** 2); // sparse: it takes no space
  const huge = await failing(["ping", "--from", file]);
  assertEquals([huge.code, huge.stderr], [
    1,
    `tsecho: Cannot read the run "${file}": it has more than 500 MiB\n`,
  ]);
  const missing = await failing(["ping", "--from", folder.file("none")]);
  assertMatch(missing.stderr, /^tsecho: Cannot read the run ".*none": [^\n]*no such file[^\n]*\n$/i);
});

test("ping --csv writes a row for each reply", async () => {
  await using server = await ServerPeer.start(["--tag", "web-1"]);
  const { stdout } = await tsecho([
    "ping",
    `127.0.0.1:${server.port}`,
    "-c",
    "2",
    "-i",
    "0.2",
    "--csv",
    "-",
  ]);
  const [header, ...all] = stdout.trimEnd().split("\n");
  const rows = all.filter((it) => !it.includes(",missed,")); // as of a machine that stood still
  assertEquals(
    header,
    "seq,fate,at,rtt,sent,stamp,received,format,tag,lag,blocked,connect,handshake,busy,count,reason",
  );
  assertEquals(rows.length, 2);
  assertMatch(
    rows[1]!,
    /^[23],received,0\.\d+,0\.\d+,\d{10}\.\d{1,6},\d{10}\.\d{1,6},\d{10}\.\d{1,6},iso,web-1,[\d.]*,[\d.]*,,,[\d.]*,,$/,
  );
});

test("nothing follows the end of a JSON stream, however slow its reader", { level: "slow" }, async () => {
  await using server = await ServerPeer.start();
  // More than a pipe holds, and less than ping keeps: ping ends, and waits for its reader for two intervals.
  const args = ["ping", `127.0.0.1:${server.port}`, "-i", "0", "-c", "600", "--json-stream"];
  const slow = ["sh", "-c", '"$@" | { sleep 3; cat; }', "sh"];
  await using ping = new Running([...slow, ...TSECHO, ...args]);
  assertEquals(await ping.code(), 0, ping.stderr.text);
  const types = ping.stdout.text.trimEnd().split("\n").map((line) => JSON.parse(line).type);
  assert(ping.stdout.text.length > 80_000, `a pipe holds ${ping.stdout.text.length} bytes`);
  // A busy machine may take more intervals, and miss lines.
  assert(types.filter((it) => it === "reply").length >= 600);
  assertEquals(types.indexOf("end"), types.length - 1, types.slice(601).join());
});

test("what ping keeps in its heap does not grow with the run", {
  level: "long",
  ignore: TSECHO[1] !== "run", // a binary takes no flags of V8
}, async () => {
  const exchanges = 200_000;
  await using folder = await Folder.make();
  const look = folder.file("look.js");
  // What a full collection leaves: what the runtime throws away in between depends on when V8 collects.
  await Deno.writeTextFile(
    look,
    "Deno.unrefTimer(setInterval(() => { gc(); console.error(Deno.memoryUsage().heapUsed); }, 250));",
  );
  await using server = await ServerPeer.start(["--tag", "web-1", "--quiet"]);
  const args = ["ping", `127.0.0.1:${server.port}`, "-i", "0", "-c", `${exchanges}`, "-q"];
  const flags = ["--v8-flags=--expose-gc", "--preload", look];
  await using ping = new Running([TSECHO[0]!, "run", ...flags, ...TSECHO.slice(2), ...args]);
  assertEquals(await ping.code(), 0, ping.stderr.text);
  assertStringIncludes(ping.stdout.text, `${exchanges} received`);
  const heap = ping.stderr.text.trimEnd().split("\n").map(Number);
  // The last look may fall into the summary. The compiler's own data grow by some 4 bytes a line for a while.
  const growth = heap.at(-2)! - heap[Math.ceil(heap.length / 4)]!;
  assert(growth < 12 * exchanges * 3 / 4, `${growth} bytes more: ${heap}`); // an object of each line has 24 or more
});

test("ping's resident memory does not grow with the run", { level: "long" }, async () => {
  const exchanges = 200_000;
  await using server = await ServerPeer.start(["--tag", "web-1", "--quiet"]);
  const args = ["ping", `127.0.0.1:${server.port}`, "-i", "0", "-c", `${exchanges}`, "-q", "--json-stream"];
  await using ping = new Running([...TSECHO, ...args]);
  let [half, latest, seen] = [0, 0, 0];
  for (let from = 0; !/"type":"end"/.test(ping.stdout.text);) {
    const match = await ping.stdout.until(/"type":"(?:interval".*?"sent":(\d+)|end")/, from);
    from += match.index + match[0].length;
    seen += Number(match[1] ?? 0);
    if (seen < exchanges / 2 || match[1] === undefined) continue;
    latest = await residentKiB(ping.pid).catch(() => latest);
    half ||= latest;
  }
  assertEquals(await ping.code(), 0);
  assertStringIncludes(ping.stdout.text, `"received":${exchanges},`);
  // Deno leaves 120 bytes a read in the heap until V8 collects it; the events of half a run would take 300 each.
  const allowed = 8 * 1024 + exchanges / 2 * 100 / 1024;
  assert(latest - half < allowed, `${half} KiB after half of the run, ${latest} KiB at its end`);
});
