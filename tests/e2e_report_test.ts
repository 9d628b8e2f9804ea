import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { renderPage } from "../report/page/document.ts";
import type { Page } from "../report/page/model.ts";
import { BROWSER, Browser, type OpenPage, SANITIZERS, type Tab } from "./browser.ts";
import { e2e } from "./harness.ts";
import { eventually, Folder, ServerProcess, tsecho } from "./helpers.ts";
import { DURATION, HOSTILE, hostilePage, samplePage } from "./sample_page.ts";

/** A page as a file. */
async function written(folder: Folder, page: Page, name = "report.html"): Promise<string> {
  await Deno.writeTextFile(folder.file(name), renderPage(page));
  return `file://${folder.file(name)}`;
}

/** The chart of that title. */
function chart(tab: Tab, title: string) {
  return tab.locator("figure", { has: tab.locator(".head", { hasText: title }) });
}

function overlay(tab: Tab, title: string) {
  return chart(tab, title).locator(".u-over");
}

/** Moves the mouse over a chart, to shares of its width and height. */
async function hover(tab: Tab, title: string, across: number, down = 0.5): Promise<void> {
  const over = overlay(tab, title);
  await over.scrollIntoViewIfNeeded();
  // The chart hears of scrolling before the next frame.
  await tab.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))");
  const { x, y, width, height } = (await over.boundingBox())!;
  await tab.mouse.move(x + width * across, y + height * down, { steps: 2 });
}

/** Drags from one share of a chart's width to another. */
async function drag(tab: Tab, title: string, from: number, to: number): Promise<void> {
  await hover(tab, title, from);
  await tab.mouse.down();
  await hover(tab, title, to);
  await tab.mouse.up();
}

async function shows(text: () => Promise<string | null>, pattern: RegExp, what: string): Promise<void> {
  let last: string | null = null;
  try {
    await eventually(async () => pattern.test(last = await text() ?? ""), what);
  } catch (error) {
    throw new Error(`${what} is ${JSON.stringify(last)}`, { cause: error });
  }
}

/** What a chart's legend shows of a layer. */
function readingOf(tab: Tab, title: string, layer: string): () => Promise<string | null> {
  return () =>
    chart(tab, title).locator(".legend button", { hasText: layer }).locator(".reading").textContent();
}

function whereOf(tab: Tab, title: string): () => Promise<string | null> {
  return () => chart(tab, title).locator(".where").textContent();
}

/** Waits until exactly these charts can be reset, which is when they are zoomed. */
async function areZoomed(tab: Tab, titles: string[]): Promise<void> {
  const zoomed = () =>
    tab.locator("figure", { has: tab.locator(".reset:visible") }).locator("h3").allTextContents();
  await eventually(async () => (await zoomed()).join() === titles.join(), `zoom of ${titles.join()}`);
}

function assertQuiet({ said, requests }: OpenPage): void {
  assertEquals({ said, requests }, { said: [], requests: [] });
}

const OVER_TIME = ["Round trip over time", "Clock offset", "Lines a second", "Lines by second and latency"];
const [ROUND_TRIP, OFFSET, , HEAT] = OVER_TIME as [string, string, string, string];

e2e("a page in Chromium", { needs: BROWSER, ...SANITIZERS, level: "slow" }, async (t) => {
  await using folder = await Folder.make();
  await using browser = await Browser.start();
  const page = samplePage();
  const url = await written(folder, page);
  const plots = page.sections.flatMap(({ parts }) => parts).filter(({ kind }) => kind === "plot").length;

  for (const scripts of [true, false]) {
    for (const scheme of ["light", "dark"] as const) {
      for (const width of [1280, 360]) {
        await t.step(
          `is quiet and fits: ${width} px, ${scheme}, ${scripts ? "with" : "without"} scripts`,
          async () => {
            await using opened = await browser.open(url, { width, scheme, scripts });
            const { tab } = opened;
            const pictures = tab.locator("svg.plot:visible");
            const charts = tab.locator(".chart canvas:visible");
            assertEquals([await pictures.count(), await charts.count()], scripts ? [0, plots] : [plots, 0]);
            // Without scripts, there is nothing to ask the page with.
            if (scripts) {
              assertEquals(await tab.evaluate("document.documentElement.scrollWidth"), width);
              assertEquals(
                await tab.evaluate("getComputedStyle(document.body).backgroundColor"),
                {
                  light: "rgb(255, 255, 255)",
                  dark: "rgb(20, 23, 27)",
                }[scheme],
              );
            }
            assertEquals(await tab.locator("#save:visible").count(), scripts ? 1 : 0);
            assertEquals(await tab.locator("tbody tr").allTextContents(), [
              "web-10.4120.6011.2043.5113.5200.301",
              "web-20.9131.1021.7044.0114.0200.302",
            ]);
            assertQuiet(opened);
          },
        );
      }
    }
  }

  await t.step("asks a server for nothing but itself", async () => {
    const asked: string[] = [];
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      asked.push(new URL(request.url).pathname);
      return new Response(renderPage(page), { headers: { "content-type": "text/html; charset=utf-8" } });
    });
    await using opened = await browser.open(`http://127.0.0.1:${server.addr.port}/report.html`);
    assertEquals(await opened.tab.locator(".chart canvas:visible").count(), plots);
    assertQuiet(opened);
    assertEquals(asked, ["/report.html"]);
  });

  await t.step("says what is under the mouse, in units, in all charts over time", async () => {
    await using opened = await browser.open(url);
    const { tab } = opened;
    await hover(tab, ROUND_TRIP, 10 / DURATION);
    await shows(whereOf(tab, ROUND_TRIP), /^time since the start: (9\.9|10\.0)\d s$/, "the place");
    // 0.4 ms + 0.1 ms * sin(10 / 5)
    await shows(readingOf(tab, ROUND_TRIP, "web-1"), /^490\.9 µs$/, "a line's value");
    await shows(readingOf(tab, ROUND_TRIP, "minimum"), /^390\.9 to 690\.9 µs$/, "a band's value");
    await shows(readingOf(tab, ROUND_TRIP, "lost"), /^$/, "what was lost there");
    await shows(whereOf(tab, OFFSET), /: (9\.9|10\.0)\d s$/, "the place in another chart");
    await shows(
      readingOf(tab, OFFSET, "offset"),
      /^−12\.\d\d ms \(−1\d\.\d\d to −11\.\d\d ms\)$/,
      "a point's value",
    );
    await hover(tab, ROUND_TRIP, 32 / DURATION);
    await shows(readingOf(tab, ROUND_TRIP, "lost"), /^31\.50 to 33\.00 s$/, "what was lost there");
    await shows(readingOf(tab, ROUND_TRIP, "web-2"), /^$/, "a line that has ended");
    // The server gave no round trip at second 40.
    for (const second of [39.7, 40.3]) {
      await hover(tab, ROUND_TRIP, second / DURATION);
      await shows(readingOf(tab, ROUND_TRIP, "web-1"), /^–$/, "a gap");
    }
    // Of six rows from 0.1 to 6.4 ms, each twice as high as the one below.
    await hover(tab, HEAT, 10.5 / DURATION, 0.75);
    await shows(readingOf(tab, HEAT, "lines"), /^900 lines, 200\.0 to 400\.0 µs$/, "a cell's value");
    await hover(tab, "Histogram", 0.3);
    await shows(readingOf(tab, "Histogram", "lines"), /^18,340 lines, 200\.0 to 400\.0 µs$/, "a bar's value");
    await hover(tab, "by percentile", 0.5);
    await shows(whereOf(tab, "by percentile"), /: (98\.9|99\.0)\d+%$/, "the place on the axis of quantiles");
    await shows(readingOf(tab, "by percentile", "after"), /^6\.000 ms$/, "the value of a quantile");
    assertQuiet(opened);
  });

  await t.step(
    "zooms all charts over time by a drag, and resets them by a double click or a button",
    async () => {
      await using opened = await browser.open(url);
      const { tab } = opened;
      await drag(tab, OFFSET, 0.25, 0.5);
      await areZoomed(tab, OVER_TIME);
      await hover(tab, ROUND_TRIP, 0.5);
      await shows(whereOf(tab, HEAT), /: 22\.\d+ s$/, "the middle of what is shown");
      await overlay(tab, ROUND_TRIP).dblclick();
      await areZoomed(tab, []);
      await drag(tab, "by percentile", 0.5, 0.9);
      await areZoomed(tab, ["Round trip by percentile"]);
      await chart(tab, "by percentile").locator(".reset").click();
      await areZoomed(tab, []);
      assertQuiet(opened);
    },
  );

  await t.step("is moved and zoomed by keys", async () => {
    await using opened = await browser.open(url);
    const { tab } = opened;
    const focused = () => tab.evaluate("document.activeElement.getAttribute('aria-label')");
    for (let presses = 0; !`${await focused()}`.startsWith(ROUND_TRIP); presses++) {
      assert(presses < 50, "the keyboard does not reach the chart");
      await tab.keyboard.press("Tab");
    }
    await tab.keyboard.press("Home");
    await shows(whereOf(tab, OFFSET), /: 0\.00 s$/, "the place");
    for (let i = 0; i < 5; i++) await tab.keyboard.press("Shift+ArrowRight");
    await shows(whereOf(tab, OFFSET), /: 30\.0+ s$/, "the place");
    await tab.keyboard.press("ArrowLeft");
    await shows(whereOf(tab, OFFSET), /: 29\.\d+ s$/, "the place");
    const spoken = chart(tab, ROUND_TRIP).getByRole("status");
    await shows(
      () => spoken.textContent(),
      /^time since the start: 29\.\d+ s, .*web-1 \d+\.\d µs/,
      "what is said aloud",
    );
    await tab.keyboard.press("+");
    await areZoomed(tab, OVER_TIME);
    await tab.keyboard.press("-");
    await areZoomed(tab, []);
    await tab.keyboard.press("+");
    await areZoomed(tab, OVER_TIME);
    await tab.keyboard.press("Escape");
    await areZoomed(tab, []);
    assertQuiet(opened);
  });

  await t.step("hides a layer, and draws again for another size and scheme", async () => {
    await using opened = await browser.open(url);
    const { tab } = opened;
    const canvas = chart(tab, ROUND_TRIP).locator("canvas");
    const picture = () => canvas.evaluate((it) => (it as unknown as { toDataURL(): string }).toDataURL());
    const changed = async (what: string, action: () => Promise<unknown>) => {
      const before = await picture();
      await action();
      await eventually(async () => await picture() !== before, what);
    };
    const button = chart(tab, ROUND_TRIP).getByRole("button", { name: "web-2" });
    await changed("a hidden layer", () => button.click());
    assertEquals(await button.getAttribute("aria-pressed"), "false");
    await changed("dark colours", () => tab.emulateMedia({ colorScheme: "dark" }));
    await changed("a narrow screen", () => tab.setViewportSize({ width: 360, height: 700 }));
    await eventually(async () => (await canvas.boundingBox())!.width < 360, "a narrow chart");
    assertEquals(await tab.evaluate("document.documentElement.scrollWidth"), 360);
    assertQuiet(opened);
  });

  await t.step("prints its pictures, light, on A4", async () => {
    await using opened = await browser.open(url, { scheme: "dark" });
    const { tab } = opened;
    await tab.emulateMedia({ media: "print" });
    assertEquals(await tab.locator("svg.plot:visible").count(), plots);
    assertEquals(await tab.locator("canvas:visible, button:visible").count(), 0);
    assertEquals(
      await tab.evaluate('getComputedStyle(document.querySelector(".table")).overflowX'),
      "visible",
    );
    assertEquals(await tab.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)");
    const pdf = new TextDecoder("latin1").decode(await tab.pdf({ preferCSSPageSize: true }));
    // Points, 72 to the inch.
    assertMatch(pdf, /MediaBox \[0 0 59[45][.\d]* 84[12][.\d]*\]/);
  });

  await t.step("takes text of a peer for text, and saves the run's JSON as it was", async () => {
    const hostile = hostilePage();
    await using opened = await browser.open(await written(folder, hostile, "hostile.html"));
    const { tab } = opened;
    const shown = "</script><script>alert(1)</script><!-- ]]> \"'&\\u2028\\u202e\\x1b[31m";
    assertEquals(await tab.title(), shown);
    assertEquals(await tab.locator("tbody td").allTextContents(), [shown]);
    assertEquals(await tab.locator(".legend .name").allTextContents(), [shown]);
    assertEquals(await tab.locator("h3").allTextContents(), [shown]);
    assertEquals(await tab.locator("script").count(), 3);
    const download = tab.waitForEvent("download");
    await tab.locator("#save").click();
    const saved = await download;
    assertEquals(saved.suggestedFilename(), "run.json");
    const text = await Deno.readTextFile(await saved.path());
    assertEquals(JSON.parse(text), { tag: HOSTILE });
    assertStringIncludes(text, "\n");
    assertQuiet(opened);
  });

  await t.step("is what tsecho writes", async () => {
    await using server = await ServerProcess.start(["--tag", "web-1"]);
    const file = folder.file("ping.html");
    await tsecho(["ping", "-c", "20", "-i", "2ms", "--html", file, server.url("tcp")]);
    await using opened = await browser.open(`file://${file}`);
    const { tab } = opened;
    const figures = await tab.locator("figure").count();
    assert(figures > 2);
    assertEquals(await tab.locator("figure.live canvas:visible").count(), figures);
    assertQuiet(opened);
  });
});
