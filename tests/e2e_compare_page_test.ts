/** `tsecho compare --html` and `tsecho load --against --html`: the page, and where it cannot be written. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { LoadDocument } from "../report/load_json.ts";
import { markup } from "../report/page/markup.ts";
import { BROWSER, Browser, SANITIZERS, type Tab } from "./browser.ts";
import { e2e as test } from "./harness.ts";
import { Folder, run, ServerPeer, TSECHO, tsecho } from "./helpers.ts";
import { answer, runOf, START, written } from "./load_helpers.ts";

/** Writes the run of a load of 60 s; `level` is of its latencies. */
async function save(file: string, level: number, time = START.time): Promise<string> {
  const run = runOf(60, (interval, place) => {
    const micros = 200 * level * (1 + 0.01 * (Math.floor(place / 12) * 7 % 5));
    answer(interval, 980, micros);
    answer(interval, 20, 4 * micros);
  });
  const start = { ...START, time };
  await Deno.writeTextFile(file, written((sink) => new LoadDocument(sink), run, start));
  return file;
}

/** What a page's elements say, one a line. */
function textOf(page: string): string {
  return page.slice(page.indexOf("<body>")).replaceAll(/<[^>]+>/g, "\n").replaceAll(/\n+/g, "\n");
}

/** A line of the text's table as a row of the page's, which has the word behind the name. */
function rowOf(line: string): string {
  const [name, ...cells] = line.split(/ {2,}/);
  const word = cells.pop();
  return `\n${[name, word, ...cells].join("\n")}\n`;
}

test("compare --html writes a page with the text's figures, beside the text and its JSON", async () => {
  await using folder = await Folder.make();
  const [before, after] = [await save(folder.file("<a>"), 1), await save(folder.file("b"), 1.3)];
  const [html, json] = [folder.file("ab.html"), folder.file("ab.json")];
  const args = ["compare", before, after, "--html", html, "--json", json, "--fail-if", "p99>+10%"];
  const { code, stdout, stderr } = await tsecho(args);
  assertEquals(code, 3);
  const page = await Deno.readTextFile(html);
  assertMatch(page, /^<!DOCTYPE html>/);
  assertStringIncludes(page, markup(stderr.replace(/^tsecho: /, "").trim()));
  const text = textOf(page);
  for (const line of stdout.split("\n").filter((it) => /^(?:p\d|received|loss) /.test(it))) {
    assertStringIncludes(text, rowOf(line));
  }
  assert(!page.includes("<a>"), "a file's name is escaped");
  assertStringIncludes(page, "&lt;a&gt;");
  assert(/<svg\b/.test(page), "there are charts");
  assertEquals(JSON.parse(await Deno.readTextFile(json)).type, "compare");
  const alone = await tsecho(["compare", before, after, "--html", "-"]);
  assertEquals(alone.code, 0);
  assertMatch(alone.stdout, /^<!DOCTYPE html>[^]*<\/html>\n$/);
});

test("compare writes no page over a run or beside other data, and its text where there is no room for one", {
  needs: ["unshare", "mount"],
  level: "slow",
}, async () => {
  await using folder = await Folder.make();
  const [before, after] = [await save(folder.file("a"), 1), await save(folder.file("b"), 1.3)];
  const saved = await Deno.readTextFile(before);
  const over = await tsecho(["compare", before, after, "--html", before]);
  assertEquals([over.code, over.stdout], [2, ""]);
  assertStringIncludes(over.stderr, `Cannot use --html "${before}": it is the file that BEFORE names`);
  assertEquals(await Deno.readTextFile(before), saved);
  const twice = await tsecho(["compare", before, after, "--html", "-", "--json", "-"]);
  assertEquals(twice.code, 2);
  assertStringIncludes(twice.stderr, "more than one output is to go to stdout");
  for (const file of [folder.path, "/dev/full"]) {
    const { code, stdout, stderr } = await tsecho(["compare", before, after, "--html", file]);
    assertEquals(code, 1);
    assertMatch(stderr, /^tsecho: Cannot write "[^"]*": .*\n$/);
    assertMatch(stdout, /^COMPARE [^]* worse$/m);
  }
  await Deno.mkdir(folder.file("full"));
  const page = folder.file("full/ab.html");
  const full = await onFullDisk(folder.file("full"), ["compare", before, after, "--html", page]);
  assertEquals(full.code, 1);
  assertMatch(full.stderr, /^tsecho: Cannot write ".*ab\.html": there is no space left\n$/);
  assertMatch(full.stdout, /^COMPARE [^]* worse$/m);
});

/** Runs tsecho where a folder has room for 4 KiB. */
function onFullDisk(folder: string, args: string[]): ReturnType<typeof run> {
  const script = `mount -t tmpfs -o size=4k tmpfs "${folder}" && exec "$@"`;
  return run([
    ...["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"],
    ...TSECHO,
    ...args,
  ]);
}

test("load --against --html writes the comparison as a page, and a full disk costs its text nothing", {
  needs: ["unshare", "mount"],
  level: "slow",
}, async () => {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  const html = folder.file("ab.html");
  const url = `tcp://127.0.0.1:${server.port}`;
  const args = [
    "load",
    "-R",
    "200",
    "-c",
    "2",
    "-t",
    "0.3",
    "--warmup",
    "0",
    "--repeat",
    "2",
    "--against",
    url,
  ];
  const { code, stdout, stderr } = await tsecho([...args, "--html", html, url]);
  assertEquals([code, stderr], [0, ""]);
  const text = textOf(await Deno.readTextFile(html));
  for (const line of stdout.split("\n").filter((it) => /^(?:p50|p90|received|loss) /.test(it))) {
    assertStringIncludes(text, rowOf(line));
  }
  for (const name of ["before-1", "after-1", "after-2", "before-2"]) {
    assertStringIncludes(text, `\n${name}\n`);
  }

  await Deno.mkdir(folder.file("full"));
  const page = folder.file("full/ab.html");
  const full = await onFullDisk(folder.file("full"), [...args, "--html", page, url]);
  assertEquals(full.code, 1);
  assertMatch(full.stderr, /^tsecho: Cannot write ".*ab\.html": there is no space left\n$/);
  assertMatch(full.stdout, /^COMPARE load: [^]*^loss /m);
  // Runs are saved as they end: the series ends with the first that has no room.
  const json = await onFullDisk(folder.file("full"), [...args, "--json", folder.file("full/ab.json"), url]);
  assertEquals(json.code, 1);
  assertMatch(json.stderr, /^tsecho: Cannot write ".*ab\.json": there is no space left\n$/);
});

test("runs of ping have a page too", { level: "slow" }, async () => {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  const [one, other, html] = ["one", "other", "page"].map((it) => folder.file(it)) as [
    string,
    string,
    string,
  ];
  for (const file of [one, other]) {
    await tsecho(["ping", "-c", "20", "-i", "0.01", "--json", file, `127.0.0.1:${server.port}`]);
  }
  const { code, stdout } = await tsecho(["compare", one, other, "--html", html]);
  assertEquals(code, 0);
  assertMatch(stdout, /^COMPARE ping: every \d+ ?ms, \d+ bytes a line, \d+ ?s time-out\n/);
  const text = textOf(await Deno.readTextFile(html));
  assertStringIncludes(text, "Latency by percentile");
  assertStringIncludes(text, "round trip");
});

/** What a table of a page has in its body, by row. */
function cellsOf(tab: Tab, caption: string): Promise<string[][]> {
  const rows = tab.locator("table", { has: tab.locator("caption", { hasText: caption }) }).locator(
    "tbody tr",
  );
  return rows.evaluateAll((all) =>
    all.map((row) => [...row.children].map((it) => (it as unknown as { textContent: string }).textContent))
  );
}

test("a comparison's page in Chromium is quiet, fits, and has the JSON's figures", {
  needs: BROWSER,
  ...SANITIZERS,
  level: "slow",
}, async (t) => {
  await using folder = await Folder.make();
  await using browser = await Browser.start();
  const levels = [1, 1.01, 1.02, 1.03, 1.04];
  const side = (name: string, factor: number, late: number) =>
    Promise.all(
      levels.map((level, place) =>
        save(folder.file(`${name}${place}`), factor * level, START.time + 60 * place + late)
      ),
    );
  const [before, after] = [await side("a", 1, 0), await side("b", 1.3, 30)];
  const comparisons = {
    "of two runs": [before[0]!, after[0]!],
    "of several runs": ["--before", before.join(), "--after", after.join()],
  };
  for (const [name, args] of Object.entries(comparisons)) {
    const [html, json] = [folder.file("page.html"), folder.file("page.json")];
    const { code, stderr } = await tsecho(["compare", ...args, "--html", html, "--json", json]);
    assertEquals([code, stderr], [0, ""]);
    const { metrics } = JSON.parse(await Deno.readTextFile(json));
    const charts = name === "of two runs" ? 4 : 6;
    for (const scripts of [true, false]) {
      await t.step(`${name}, ${scripts ? "with" : "without"} scripts`, async () => {
        await using opened = await browser.open(`file://${html}`, { scripts });
        const { tab, said, requests } = opened;
        assertEquals({ said, requests }, { said: [], requests: [] });
        assertEquals(
          await tab.locator(scripts ? ".chart canvas:visible" : "svg.plot:visible").count(),
          charts,
        );
        if (!scripts) return; // there is nothing to ask the page with
        assertEquals(await tab.evaluate("document.documentElement.scrollWidth"), 1280);
        const rows = await cellsOf(tab, "Each metric");
        assertEquals(rows.map(([metric]) => metric), ["p50", "p90", "p99", "p99.9", "received", "loss"]);
        for (const [place, metric] of ["p50", "p90", "p99", "p99_9"].entries()) {
          const { before, after, ratio, interval, verdict } = metrics[metric];
          assertEquals(rows[place]!.slice(1), [
            verdict,
            `${(before * 1000).toFixed(3)} ms`,
            `${(after * 1000).toFixed(3)} ms`,
            ratio.toFixed(3),
            interval.map((it: number) => it.toFixed(3)).join(" to "),
          ]);
        }
        if (name === "of two runs") return;
        assertEquals((await cellsOf(tab, "Each run")).map(([file]) => file), [...before, ...after]);
      });
    }
  }
});
