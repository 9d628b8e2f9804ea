/** The page of a real load in Chromium: it shows what the run's JSON has. */
import { assert, assertEquals } from "@std/assert";
import { LOAD_PERCENTILES, type LoadDurations } from "../stats/load_summary.ts";
import { BROWSER, Browser, SANITIZERS, type Tab } from "./browser.ts";
import { e2e } from "./harness.ts";
import { Folder, ServerProcess, tsecho } from "./helpers.ts";
import type { SavedLoad } from "./load_runs.ts";

/** The rows of the table whose caption begins so. */
async function rowsOf(tab: Tab, caption: string): Promise<string[][]> {
  const rows = tab.locator("table", { has: tab.locator("caption", { hasText: new RegExp(`^${caption}`) }) })
    .locator(
      "tbody tr",
    );
  return await Promise.all((await rows.all()).map((row) => row.locator("th, td").allTextContents()));
}

const millis = (seconds: number) => (seconds * 1000).toFixed(3);

function cellsOf(name: string, values: LoadDurations): string[] {
  const percentiles = Object.keys(LOAD_PERCENTILES) as (keyof typeof LOAD_PERCENTILES)[];
  const told = percentiles.map((it) => values[it] === null ? "–" : millis(values[it]));
  return [name, millis(values.min), ...told, ...[values.max, values.avg].map(millis), String(values.count)];
}

/** What the JSON says, in the words of the tables. */
function assertTables(
  { end }: SavedLoad,
  { durations, lines, servers }: Record<"durations" | "lines" | "servers", string[][]>,
): void {
  const [server] = end.servers;
  assertEquals(durations, [
    cellsOf("response", end.response!),
    cellsOf("service", end.service!),
    cellsOf("send lag", end.send_lag!),
    cellsOf("blocked", end.blocked!),
    cellsOf("connect", end.connect!),
    cellsOf("upstream delay above its best", server!.up!),
    cellsOf("downstream delay above its best", server!.down!),
  ]);
  for (const [name, count] of lines) {
    assertEquals(Number(count), name === "errors" ? 0 : end[name as "planned"], name);
  }
  assertEquals(servers.map((it) => it.slice(0, 3)), [["web-1", "4 (100%)", `${end.received} (100%)`]]);
}

e2e("the page of a load in Chromium", { needs: BROWSER, ...SANITIZERS, level: "slow" }, async (t) => {
  await using folder = await Folder.make();
  await using server = await ServerProcess.start(["--tag", "web-1"]);
  const [html, json, copy] = ["run.html", "run.json", "copy.json"].map((it) => folder.file(it)) as [
    string,
    string,
    string,
  ];
  const args = ["-R", "400", "-c", "4", "-t", "3", "--warmup", "0.1", "--html", html, "--json", json];
  assertEquals((await tsecho(["load", ...args, `127.0.0.1:${server.port}`])).code, 0);
  const saved: SavedLoad = JSON.parse(await Deno.readTextFile(json));
  const charts = 9; // four connections have none
  await using browser = await Browser.start();
  const url = `file://${html}`;

  for (const scripts of [true, false]) {
    for (const scheme of ["light", "dark"] as const) {
      for (const width of [1280, 360]) {
        const look = `${width} px, ${scheme}, ${scripts ? "with" : "without"} scripts`;
        await t.step(`shows what the JSON has, quietly: ${look}`, async () => {
          await using opened = await browser.open(url, { width, scheme, scripts });
          const { tab } = opened;
          const [durations, lines, servers] = await Promise.all(
            ["Durations in ms", "Lines$", "Servers"].map((it) => rowsOf(tab, it)),
          ) as [string[][], string[][], string[][]];
          assertTables(saved, { durations, lines, servers });
          const pictures = await tab.locator("svg.plot:visible").count();
          const canvases = await tab.locator(".chart canvas:visible").count();
          assertEquals([pictures, canvases], scripts ? [0, charts] : [charts, 0]);
          if (scripts) assertEquals(await tab.evaluate("document.documentElement.scrollWidth"), width);
          assertEquals([opened.said, opened.requests], [[], []]);
        });
      }
    }
  }

  await t.step("no number of a table is cut at a width of 1000 px", async () => {
    await using opened = await browser.open(url, { width: 1000 });
    // As a slow server has them.
    await opened.tab.evaluate(
      "document.querySelectorAll('td.number').forEach((it) => it.textContent = '1000.000')",
    );
    const cut =
      "[...document.querySelectorAll('.table')].filter((it) => it.scrollWidth > it.clientWidth).length";
    assertEquals(await opened.tab.evaluate(cut), 0);
  });

  await t.step("the keyboard reaches each chart and what saves the run", async () => {
    await using opened = await browser.open(url);
    const { tab } = opened;
    const labels = await tab.locator("figure h3").allTextContents();
    const reached = new Set<string>();
    const place = "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent)";
    for (let presses = 0; presses < 100 && !reached.has("Save this run as JSON"); presses++) {
      await tab.keyboard.press("Tab");
      reached.add(`${await tab.evaluate(place)}`);
    }
    assertEquals(labels.length, charts);
    for (const label of [...labels, "Save this run as JSON"]) {
      assert([...reached].some((it) => it.startsWith(label)), `${label} in ${[...reached].join("; ")}`);
    }
    assertEquals([opened.said, opened.requests], [[], []]);
  });

  await t.step("what is saved from it is the run's JSON, which load and compare read", async () => {
    await using opened = await browser.open(url);
    const { tab } = opened;
    const download = tab.waitForEvent("download");
    await tab.locator("#save").click();
    await Deno.copyFile(await (await download).path(), copy);
    assertEquals(JSON.parse(await Deno.readTextFile(copy)), saved);
    const [again, first] = await Promise.all([copy, json].map((it) => tsecho(["load", "--from", it])));
    assertEquals([again!.code, again!.stdout], [0, first!.stdout]);
    const compared = await Promise.all(
      [[copy, json], [json, copy]].map((files) => tsecho(["compare", "--json", "-", ...files])),
    );
    const [metrics, reversed] = compared.map((it) => JSON.parse(it.stdout).metrics);
    assertEquals(metrics.p50.ratio, 1);
    assertEquals(metrics, reversed);
  });
});
