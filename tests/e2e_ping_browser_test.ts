/** The page of a run of ping's in Chromium. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { BROWSER, Browser, type OpenPage, SANITIZERS } from "./browser.ts";
import { e2e } from "./harness.ts";
import { Folder, ServerProcess, tsecho } from "./helpers.ts";
import { fakeServer } from "./peers.ts";
import type { Saved } from "./ping_helpers.ts";

function assertQuiet({ said, requests }: OpenPage): void {
  assertEquals({ said, requests }, { said: [], requests: [] });
}

e2e("the page of a run in Chromium", { level: "slow", needs: BROWSER, ...SANITIZERS }, async (t) => {
  await using folder = await Folder.make();
  await using browser = await Browser.start();

  await t.step("shows the figures of the run's JSON, and saves it", async () => {
    await using server = await ServerProcess.start(["--tag", "web-1"]);
    const [json, html] = [folder.file("run.json"), folder.file("run.html")];
    const args = ["-c", "120", "-i", "0.005", "--json", json, "--html", html, `127.0.0.1:${server.port}`];
    const live = await tsecho(["ping", ...args]);
    assertEquals(live.code, 0, live.stderr);
    const text = await Deno.readTextFile(json);
    const { end } = JSON.parse(text) as Saved;
    await using opened = await browser.open(`file://${html}`);
    const { tab } = opened;
    const [header = "", ...rows] = await tab.locator("table", { hasText: "Durations in ms" }).locator("tr")
      .all()
      .then((all) =>
        Promise.all(all.map(async (it) => (await it.locator("th, td").allTextContents()).join("|")))
      );
    assertEquals(header, "duration|min|p50|p90|p99|p99.9|max|avg|mdev|count");
    const millis = (value: number | null) => value === null ? "–" : (value * 1000).toFixed(3);
    const [own] = end.servers;
    // What a busy machine's delays look like may leave the directions untold.
    const told = [end.rtt, own!.up, own!.down, end.response, end.lag, end.blocked, end.connect].filter((it) =>
      it !== null
    );
    assertEquals(rows.length, told.length);
    for (const [i, { min, p50, p90, p99, p99_9, max, avg, mdev, count }] of told.entries()) {
      const cells = [...[min, p50, p90, p99, p99_9, max, avg, mdev].map(millis), String(count)];
      assertEquals(rows[i]!.split("|").slice(1), cells, rows[i]);
    }
    const charts = own!.up === null ? 4 : 6;
    const titles = await tab.locator("figure h3").allTextContents();
    assertEquals(titles.length, charts, titles.join());
    assertEquals(await tab.locator(".chart canvas:visible").count(), charts);
    assertEquals(await tab.evaluate("document.documentElement.scrollWidth"), 1280);
    const download = tab.waitForEvent("download");
    await tab.locator("#save").click();
    const saved = await download;
    assert(/^ping-\d+\.json$/.test(saved.suggestedFilename()), saved.suggestedFilename());
    assertEquals(JSON.parse(await Deno.readTextFile(await saved.path())), JSON.parse(text));
    const again = await tsecho(["ping", "--from", await saved.path()]);
    const summary = (text: string) => text.slice(text.indexOf("--- "));
    assertEquals([again.code, summary(again.stdout)], [0, summary(live.stdout)]);
    assertQuiet(opened);
  });

  await t.step("shows a hostile peer's tags, and runs nothing of them", async () => {
    const tags = ["</script><script>alert(1)</script>", "<img/src=x/onerror=alert(2)>", `&lt;b&gt;'"{{x}}`];
    await using peer = fakeServer(async (conn) => {
      const buffer = new Uint8Array(65536);
      for (let n, line = 0; (n = await conn.read(buffer)) !== null;) {
        for (const text of new TextDecoder().decode(buffer.subarray(0, n)).split(/(?<=\n)/)) {
          const stamp = new Date().toISOString().replace("Z", "000Z");
          await conn.write(new TextEncoder().encode(`[${stamp} ${tags[line++ % tags.length]}] ${text}`));
        }
      }
    });
    const file = folder.file("hostile.html");
    const { code, stdout, stderr } = await tsecho([
      "ping",
      peer.url,
      "-c",
      "30",
      "-i",
      "0.01",
      "--html",
      file,
    ]);
    assertEquals(code, 0, stderr);
    await using opened = await browser.open(`file://${file}`);
    const { tab } = opened;
    assertEquals(await tab.locator("script").count(), 3);
    assertEquals(await tab.locator("img").count(), 0);
    const names = await tab.locator("table", { hasText: "clock offset" }).locator("tbody th")
      .allTextContents();
    for (const tag of tags) {
      assertStringIncludes(stdout, tag);
      assert(names.includes(tag), names.join());
    }
    assertQuiet(opened);
  });
});
