/** `ping --html`, of real runs and of saved ones. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { e2e as test } from "./harness.ts";
import { Folder, REFUSING, run, Running, ServerPeer, TSECHO, tsecho } from "./helpers.ts";
import { fakeServer } from "./peers.ts";
import { type Saved, startPing } from "./ping_helpers.ts";

/** The cells of a page's tables, each with its row and column. */
function cellsOf(html: string): Map<string, string> {
  const cells = new Map<string, string>();
  for (const [table] of html.matchAll(/<table>.*?<\/table>/gs)) {
    const [header, ...rows] = [...table.matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row]) =>
      [...row!.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell]) => cell!)
    );
    for (const [name, ...values] of rows) {
      values.forEach((value, i) => cells.set(`${name} ${header![i + 1]}`, value));
    }
  }
  return cells;
}

test("ping --html writes a page with the figures of its JSON, and --from writes the same again", async () => {
  await using server = await ServerPeer.start(["--tag", "web-1"]);
  await using folder = await Folder.make();
  const [json, html, again] = ["run.json", "run.html", "again.html"].map((it) => folder.file(it)) as [
    string,
    string,
    string,
  ];
  const args = ["-c", "60", "-i", "0.005", "--fail-if", "loss>1%", "--json", json, "--html", html];
  const live = await tsecho(["ping", `127.0.0.1:${server.port}`, ...args]);
  assertEquals(live.code, 0, live.stderr);
  assertStringIncludes(live.stdout, "60 lines transmitted, 60 received, 0% loss");
  const page = await Deno.readTextFile(html);
  assertMatch(page, /^<!DOCTYPE html>\n[^]*<\/html>\n$/);
  const { start, end } = JSON.parse(await Deno.readTextFile(json)) as Saved;
  const cells = cellsOf(page);
  const millis = (seconds: number | null) => seconds === null ? "–" : (seconds * 1000).toFixed(3);
  for (
    const [name, values] of [
      ["round trip", end.rtt!],
      ["upstream delay above its best", end.servers[0]!.up],
      ["downstream delay above its best", end.servers[0]!.down],
      ["response, from planned line to reply", end.response!],
      ["connect", end.connect!],
    ] as const
  ) {
    if (values === null) continue; // a busy machine's delays may look like a clock's step
    const { min, p50, p90, p99, max, avg, mdev } = values;
    for (const [column, value] of Object.entries({ min, p50, p90, p99, max, avg, mdev })) {
      assertEquals(cells.get(`${name} ${column}`), millis(value), `${name} ${column}`);
    }
  }
  assertEquals([cells.get("sent lines"), cells.get("received lines")], ["60", "60"]);
  assertStringIncludes(page, start.endpoint as string);
  assertStringIncludes(page, "Threshold kept: loss&gt;1%: it is 0%");
  const offset = /^clock offset (\S+ ms ± \S+ ms)/m.exec(live.stdout)![1]!;
  assertEquals(cells.get("web-1 clock offset"), offset);
  assertStringIncludes(page, offset);
  const saved = await tsecho(["ping", "--from", json, "--fail-if", "loss>1%", "--html", again]);
  assertEquals(saved.code, 0, saved.stderr);
  assertEquals(await Deno.readTextFile(again), page);
  const onStdout = await tsecho(["ping", "--from", json, "--fail-if", "loss>1%", "--html", "-"]);
  assertEquals([onStdout.code, onStdout.stdout === page, onStdout.stderr], [0, true, ""]);
});

test(
  "a page that cannot be written costs one line and exit code 1, not the summary",
  { level: "slow" },
  async () => {
    await using server = await ServerPeer.start();
    await using folder = await Folder.make();
    const address = `127.0.0.1:${server.port}`;
    // A page is larger than the files that this shell allows: it meets the end of the room, as on a full disk.
    const little = ["sh", "-c", 'trap "" XFSZ; ulimit -f 4; exec "$@"', "sh"];
    const file = folder.file("run.html");
    const full = await run([...little, ...TSECHO, "ping", address, "-c", "3", "-i", "0.01", "--html", file]);
    assertEquals(full.code, 1);
    assertMatch(
      full.stderr,
      /^tsecho: Cannot write ".*run\.html": it would be larger than a file may be here\n$/,
    );
    assertStringIncludes(full.stdout, "3 lines transmitted, 3 received");
    const onStdout = [
      "sh",
      "-c",
      '"$@" > /dev/full',
      "sh",
      ...TSECHO,
      "ping",
      address,
      "-c",
      "3",
      "-i",
      "0.01",
    ];
    if (Deno.build.os === "linux") {
      const { code, stderr } = await run([...onStdout, "--html", "-"]);
      assertEquals(code, 1);
      assertMatch(stderr, /^tsecho: Cannot write "standard output": there is no space left\n$/);
    }
    for (
      const [file, reason] of [
        [folder.path, "it is a directory"],
        [folder.file("none/run.html"), "there is no such file or directory"],
      ]
    ) {
      const { code, stdout, stderr } = await tsecho(["ping", address, "-c", "3", "--html", file!]);
      assertEquals([code, stdout, stderr], [1, "", `tsecho: Cannot write "${file}": ${reason}\n`]);
    }
  },
);

test("ping --html writes over no file of another option, and leaves its own where no run begins", {
  level: "slow",
}, async () => {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  const [file, link] = [folder.file("run.json"), folder.file("link.html")];
  const args = ["ping", `127.0.0.1:${server.port}`, "-c", "2", "-i", "0.01"];
  assertEquals((await tsecho([...args, "--json", file])).code, 0);
  await Deno.link(file, link);
  const saved = await Deno.readTextFile(file);
  for (
    const [option, command] of [["--from", ["ping", "--from", file]], ["--json", [
      ...args,
      "--json",
      file,
    ]]] as const
  ) {
    const { code, stderr } = await tsecho([...command, "--html", link]);
    assertEquals([code, stderr], [
      2,
      `tsecho: Cannot use --html "${link}": it is the file that ${option} names\n`,
    ]);
    assertEquals(await Deno.readTextFile(file), saved);
  }
  const refused = await tsecho(["ping", REFUSING, "--html", link]);
  assertEquals([refused.code, await Deno.readTextFile(file)], [1, saved]);
});

test("a FIFO gets the page", { needs: ["mkfifo"] }, async () => {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  const fifo = folder.file("fifo");
  await run(["mkfifo", fifo]);
  const args = ["ping", `127.0.0.1:${server.port}`, "-c", "2", "-i", "0.01", "--html", fifo];
  await using ping = new Running([...TSECHO, ...args]);
  const { stdout } = await run(["cat", fifo]);
  assertEquals(await ping.code(), 0, ping.stderr.text);
  assertMatch(stdout, /^<!DOCTYPE html>[^]*<\/html>\n$/);
});

test("a page shows what a hostile peer sends, and obeys none of it", async () => {
  // No tag has a bracket: what answers with the last is no tsecho server, and its reply corrupt.
  const tags = ["</script><script>alert(1)</script>", "<img/src=x>", '"onload="alert(2)', "]]>&"];
  await using peer = fakeServer(async (conn) => {
    const buffer = new Uint8Array(65536);
    for (let n, line = 0; (n = await conn.read(buffer)) !== null;) {
      for (const text of new TextDecoder().decode(buffer.subarray(0, n)).split(/(?<=\n)/)) {
        const stamp = new Date().toISOString().replace("Z", "000Z");
        await conn.write(new TextEncoder().encode(`[${stamp} ${tags[line++ % tags.length]}] ${text}`));
      }
    }
  });
  await using folder = await Folder.make();
  const file = folder.file("run.html");
  const { code, stderr } = await tsecho([
    "ping",
    peer.url,
    "-c",
    "12",
    "-i",
    "0.01",
    "-W",
    "1",
    "--html",
    file,
  ]);
  assert(code === 0 || code === 1, stderr);
  const html = await Deno.readTextFile(file);
  for (const it of ["<script>alert", "<img", "]]>&"]) assert(!html.includes(it), it);
  const shown = html.replaceAll(/<script[^]*?<\/script>/g, "");
  assert(!shown.includes('"onload'), shown);
  assertStringIncludes(shown, "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;");
});

test("a page that is there already stays until there is another", { level: "slow" }, async () => {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  const file = folder.file("run.html");
  await Deno.writeTextFile(file, "an old page");
  await using ping = startPing(server, "--html", file);
  await ping.stdout.until(/seq=3 /);
  ping.kill("SIGKILL");
  await ping.code();
  assertEquals(await Deno.readTextFile(file), "an old page");
  assertEquals((await tsecho(["ping", `127.0.0.1:${server.port}`, "-c", "1", "--html", file])).code, 0);
  assertMatch(await Deno.readTextFile(file), /^<!DOCTYPE html>[^]*<\/html>\n$/);
});
