/** `tsecho load --html` and `--from`, and the files of a load that cannot be written to their end. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { e2e as test } from "./harness.ts";
import { eventually, exists, Folder, run, Running, ServerPeer, TSECHO, tsecho } from "./helpers.ts";

const SHORT = ["-R", "500", "-c", "2", "-t", "0.4", "--warmup", "0"];

test("load --html - writes the page to stdout, and nothing else", { level: "slow" }, async () => {
  await using server = await ServerPeer.start();
  const address = `127.0.0.1:${server.port}`;
  const { code, stdout } = await tsecho(["load", ...SHORT, "--html", "-", address]);
  assertEquals(code, 0);
  assertMatch(stdout, /^<!DOCTYPE html>[^]*<\/html>\n$/);
  const twice = await tsecho(["load", ...SHORT, "--html", "-", "--json", "-", address]);
  assertEquals([twice.code, twice.stderr], [
    2,
    'tsecho: Cannot write to "-": more than one output is to go to stdout\n',
  ]);
});

test(
  "on a disk that is full a page costs the run's text nothing",
  { needs: ["unshare", "mount"], level: "slow" },
  async () => {
    await using server = await ServerPeer.start();
    await using folder = await Folder.make();
    const page = folder.file("run.html");
    const args = ["load", ...SHORT, "--html", page, `127.0.0.1:${server.port}`];
    const script = `mount -t tmpfs -o size=4k tmpfs "${folder.path}" && exec "$@"`;
    const own = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"];
    const { code, stdout, stderr } = await run([...own, ...TSECHO, ...args]);
    assertMatch(stderr, /^tsecho: Cannot write ".*run\.html": there is no space left\n$/);
    assertEquals(code, 1);
    assertStringIncludes(stdout, "200 lines planned, 200 sent, 200 received");
  },
);

test(
  "documents appear under their names whatever became of the files before, and lines that have none are told",
  { level: "slow" },
  async () => {
    await using server = await ServerPeer.start();
    await using folder = await Folder.make();
    const [json, html, csv, hdr, away] = ["a.json", "a.html", "a.csv", "a.hdr", "away"].map((it) =>
      folder.file(it)
    ) as [...[string, string, string, string, string]];
    const files = ["--json", json, "--html", html, "--csv", csv, "--hdr", hdr];
    const plan = ["-R", "200", "-c", "2", "-t", "60", "--warmup", "0"];
    await Deno.writeTextFile(json, "old");
    await using loading = new Running([...TSECHO, "load", ...plan, ...files, `127.0.0.1:${server.port}`]);
    const begun = (path: string) => Deno.stat(path).then(({ size }) => size > 0, () => false);
    await eventually(async () => await exists(html) && await begun(csv) && await begun(hdr), "all files");
    await Deno.rename(json, away);
    for (const file of [html, csv]) await Deno.remove(file);
    loading.kill("SIGINT");
    const code = await loading.code();
    assertEquals([code, loading.stderr.text], [
      1,
      `tsecho: Cannot write "${csv}": it was moved or removed while it was written\n`,
    ]);
    assert("end" in JSON.parse(await Deno.readTextFile(json)));
    assertMatch(await Deno.readTextFile(html), /<\/html>\n$/);
    assertEquals([await Deno.readTextFile(away), await exists(csv), await exists(hdr)], ["old", false, true]);
  },
);

for (const option of ["--csv", "--hdr", "--json"]) {
  test(`a new file in which nothing can be written is removed: of ${option}`, { level: "slow" }, async () => {
    await using server = await ServerPeer.start();
    await using folder = await Folder.make();
    const file = folder.file("run");
    // This shell allows no bytes in files: they meet the end of the room, as on a full disk.
    const none = ["sh", "-c", 'trap "" XFSZ; ulimit -f 0; exec "$@"', "sh", ...TSECHO];
    const args = ["load", ...SHORT, option, file, `127.0.0.1:${server.port}`];
    const { code, stderr } = await run([...none, ...args]);
    assertEquals([code, stderr, await exists(file)], [
      1,
      `tsecho: Cannot write "${file}": it would be larger than a file may be here\n`,
      false,
    ]);
  });
}

test("a page is written over no other file of the run", async () => {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  const address = `127.0.0.1:${server.port}`;
  const [file, link] = [folder.file("a.html"), folder.file("b.html")];
  await Deno.writeTextFile(file, "");
  await Deno.link(file, link);
  const linked = await tsecho(["load", ...SHORT, "--json", file, "--html", link, address]);
  assertEquals([linked.code, linked.stderr], [
    2,
    `tsecho: Cannot use --html "${link}": it is the file that --json names\n`,
  ]);
});

test(
  "a FIFO whose reader leaves ends the run with one line, and its text is told",
  { level: "slow" },
  async () => {
    if (Deno.build.os === "windows") return;
    await using server = await ServerPeer.start();
    await using folder = await Folder.make();
    const fifo = folder.file("fifo");
    assertEquals((await run(["mkfifo", fifo])).code, 0);
    const address = `127.0.0.1:${server.port}`;
    for (const [command, ...option] of [["load", "--json"], ["load", "--html"], ["ping", "--json"]]) {
      const plan = command === "load" ? SHORT : ["-c", "3", "-i", "0.3"];
      await using loading = new Running([...TSECHO, command!, ...plan, ...option, fifo, address]);
      const reader = await Deno.open(fifo, { read: true });
      reader.close();
      assertEquals(await loading.code(), 1, loading.stderr.text);
      assertEquals(loading.stderr.text, `tsecho: Cannot write "${fifo}": its reader has gone\n`);
      assert(/ statistics ---\n/.test(loading.stdout.text), loading.stdout.text);
    }
  },
);

test("load --from tells a saved run again, judges it, and saves it", { level: "slow" }, async () => {
  await using server = await ServerPeer.start(["--tag", "web-1"]);
  await using folder = await Folder.make();
  const [json, copy, html] = ["run.json", "copy.json", "run.html"].map((it) => folder.file(it)) as [
    string,
    string,
    string,
  ];
  const live = await tsecho(["load", ...SHORT, "--json", json, `127.0.0.1:${server.port}`]);
  const figures = (text: string) => text.slice(0, text.indexOf("\nresponse of all lines:"));
  const told = await tsecho(["load", "--from", json, "--json", copy, "--html", html]);
  assertEquals([told.code, told.stderr, figures(told.stdout)], [0, "", figures(live.stdout)]);
  assertEquals(await Deno.readTextFile(copy), await Deno.readTextFile(json));
  assertMatch(await Deno.readTextFile(html), /<\/html>\n$/);
  const broken = await tsecho(["load", "--from", json, "--fail-if", "p99>1ns", "--fail-if", "lost>0"]);
  assertEquals(broken.code, 3);
  assertMatch(broken.stderr, /^tsecho: Threshold broken: p99>1ns: it is \d+\.\d{3} ms\n$/);
});

test(
  "load --from reads stdin and writes stdout, and fails where a condition cannot be told or a file is not to be used",
  {
    level: "slow",
  },
  async () => {
    await using server = await ServerPeer.start();
    await using folder = await Folder.make();
    const [json, copy] = [folder.file("run.json"), folder.file("copy.json")];
    await tsecho(["load", ...SHORT, "--json", json, `127.0.0.1:${server.port}`]);
    await Deno.copyFile(json, copy);
    const untold = ["load", "--from", json, "--fail-if", "p99.999>1s"];
    assertEquals((await tsecho(untold)).code, 3);
    assertEquals((await tsecho([...untold, "--lenient"])).code, 0);

    const over = await tsecho(["load", "--from", json, "--html", json]);
    assertEquals([over.code, over.stderr], [
      2,
      `tsecho: Cannot use --html "${json}": it is the file that --from names\n`,
    ]);
    const saved = await Deno.readTextFile(json);
    assertEquals(await Deno.readTextFile(copy), saved);
    const [named, stdin] = [
      await tsecho(["load", "--from", json]),
      await tsecho(["load", "--from", "-"], saved),
    ];
    assertEquals(stdin.stdout, named.stdout);
    assertEquals((await tsecho(["load", "--from", json, "--json", "-"])).stdout, saved);
    await Deno.writeTextFile(copy, "{}");
    const none = await tsecho(["load", "--from", copy]);
    assertEquals([none.code, none.stderr], [
      1,
      `tsecho: Cannot read the run "${copy}": it has no start; is it of tsecho load?\n`,
    ]);
  },
);

test("load --from says that a run was stopped, and shows a search's trials", { level: "slow" }, async () => {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  const json = folder.file("run.json");
  const address = `127.0.0.1:${server.port}`;
  const long = ["-R", "100", "-c", "2", "-t", "10m", "--warmup", "0", "--json-stream"];
  await using loading = new Running([...TSECHO, "load", ...long, address]);
  await loading.stdout.until(/"type":"interval"/);
  loading.kill("SIGINT");
  assertEquals(await loading.code(), 0);
  await Deno.writeTextFile(json, loading.stdout.text);
  const stopped = await tsecho(["load", "--from", json]);
  assertEquals([stopped.code, stopped.stderr], [0, "tsecho: The run ended early: stopped\n"]);
  assertStringIncludes(stopped.stdout, " lines planned, ");

  const [start, second] = loading.stdout.text.split("\n");
  await Deno.writeTextFile(json, `${start}\n${second}\n`);
  const killed = await tsecho(["load", "--from", json]);
  assertEquals([killed.code, killed.stderr], [
    0,
    `tsecho: The run in "${json}" has no end: this is what was saved of it\n`,
  ]);
  assertStringIncludes(killed.stdout, "100 lines planned, ");

  const search = ["--find", "max<1ns", "--rate", "0.2", "--trial", "300ms", "-c", "1", "--warmup", "0"];
  const found = await tsecho(["load", ...search, "--json", json, address]);
  const told = await tsecho(["load", "--from", json]);
  const figures = (text: string) => text.replace(/\nresponse of all lines:[^]*/, "");
  assertEquals(figures(told.stdout), figures(found.stdout));
  assertMatch(
    (await tsecho(["load", "-q", "--from", json])).stdout,
    /^LOAD .*\n(?:no rate keeps max<1ns|max<1ns: cannot tell.*)\n\n/,
  );
});
