/// <reference lib="dom" />
/** The labels of charts, as wide as a browser's font makes them. */
import { assert, assertEquals } from "@std/assert";
import { renderPage } from "../report/page/document.ts";
import type { Layer, Plot, Quantity } from "../report/page/model.ts";
import { BROWSER, Browser, SANITIZERS } from "./browser.ts";
import { e2e } from "./harness.ts";
import { Folder } from "./helpers.ts";

const TITLE =
  "WWW mmm The upstream delay above its best of every server behind a balancer, over the time of a run";

/** Charts with all kinds of ticks, and with wide texts. */
function plots(): Plot[] {
  const ranges: [Quantity, scale: "linear" | "log", min: number, max: number][] = [
    ["time", "linear", 0, 86_400],
    ["time", "linear", 0, 0.0044],
    ["duration", "linear", -1500.4, -1500.1],
    ["duration", "log", 0.0002, 44_000],
    ["rate", "linear", 0, 88_888],
    ["rate", "log", 10, 8e8],
    ["count", "linear", 0, 400_000],
    ["share", "linear", -0.4444, 0.8888],
    ["quantile", "linear", 0, 0.999999],
    ["quantile", "linear", 0.4, 0.9],
  ];
  return ranges.map(([quantity, scale, min, max]) => {
    const layer = (colour: number): Layer => ({
      ...{ kind: "line", name: `MMM web-${colour}.example "w"`, colour },
      ...{ x: [min, max], y: [min, max] },
    });
    const axis = { label: "MM delay above the best of its direction", quantity, scale };
    return { title: TITLE, description: "", x: axis, y: axis, layers: [0, 1, 2, 3, 4].map(layer) };
  });
}

e2e("no label of a chart is cut off or lies on another, in a browser", {
  needs: BROWSER,
  ...SANITIZERS,
  level: "slow",
}, async () => {
  await using folder = await Folder.make();
  const page = renderPage({
    ...{ title: "Charts", facts: [], verdicts: [], document: { name: "run.json", json: "{}" } },
    sections: [{ heading: "Charts", parts: plots().map((plot) => ({ kind: "plot", plot })) }],
  });
  await Deno.writeTextFile(folder.file("page.html"), page);
  await using browser = await Browser.start();
  for (const width of [360, 1280]) {
    await using open = await browser.open(`file://${folder.file("page.html")}`, { width, scripts: false });
    const { count, faults } = await open.tab.evaluate(labelFaults);
    assert(count > 100, `${count} labels`);
    assertEquals(faults, [], `${width} px`);
  }
});

/** What is wrong with the labels of the charts that can be seen. Runs in the page. */
function labelFaults(): { count: number; faults: string[] } {
  const faults: string[] = [];
  let count = 0;
  for (const svg of document.querySelectorAll(".plot")) {
    const frame = svg.getBoundingClientRect();
    if (frame.width === 0) continue;
    const boxes = [...svg.querySelectorAll("text")].map((it) => ({
      text: it.textContent,
      box: it.getBoundingClientRect(),
    }));
    count += boxes.length;
    for (const [i, { text, box }] of boxes.entries()) {
      if (box.left < frame.left - 1 || box.right > frame.right + 1) faults.push(`${text} is cut off`);
      for (const other of boxes.slice(i + 1)) {
        // Boxes are as high as the font's longest letters, which labels of numbers do not have.
        const aside = box.right <= other.box.left || other.box.right <= box.left;
        const above = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top) <= 3;
        if (!aside && !above) faults.push(`${text} lies on ${other.text}`);
      }
    }
  }
  return { count, faults };
}
