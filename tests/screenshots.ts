/// <reference lib="dom" />
/**
 * The pictures of README and docs/report.md, from real runs: `deno task screenshots` (needs chromium, haproxy and faketime). The runs
 * take a minute, and a machine that does nothing else.
 */
import { BALANCED_PAIR_NEEDS, BalancedPair } from "./balanced_pair.ts";
import { BROWSER, Browser } from "./browser.ts";
import { lacking } from "./harness.ts";
import { Folder, ROOT, ServerProcess, TSECHO } from "./helpers.ts";
import { QueuedPair } from "./queued_pair.ts";

/** No picture of the documents is larger. */
const MAX_BYTES = 200 * 1024;
/** As wide as a picture is shown beside text. */
const WIDTH = 900;
/** How long web-2's lines take in the overload: it can do 250 a second. */
const LINE_MS = 4;

const missing = lacking([...BALANCED_PAIR_NEEDS, ...BROWSER]);
if (missing.length > 0) {
  console.error(`the pictures need ${missing.join(" and ")}`);
  Deno.exit(1);
}

await using folder = await Folder.make();
await using browser = await Browser.start();

/** Runs a command of tsecho, and returns the address of the page that it writes. */
async function pageOf(name: string, ...args: string[]): Promise<string> {
  const [program, ...first] = TSECHO;
  const file = folder.file(`${name}.html`);
  console.log(`$ tsecho ${args.join(" ")} --html ${name}.html`);
  const command = new Deno.Command(program!, {
    args: [...first, ...args, "--html", file],
    env: { NO_COLOR: "1" },
  });
  const { stdout, stderr } = await command.output();
  console.log(new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
  return `file://${file}`;
}

/** Draws the head of a page and some of its tables and charts, by their titles. */
async function draw(url: string, name: string, titles: string[], { facts = true } = {}): Promise<void> {
  await using page = await browser.open(url, { width: WIDTH });
  const kept = await page.tab.evaluate(keepOnly, titles);
  if (!facts) await page.tab.evaluate(() => document.querySelector(".facts")!.remove());
  if (kept.length < titles.length) {
    throw new Error(`${url} has only ${kept.join(", ")} of ${titles.join(", ")}`);
  }
  const bytes = await page.tab.screenshot({ fullPage: true, path: `${ROOT}docs/${name}.png` });
  console.log(`docs/${name}.png: ${bytes.length} bytes`);
  if (bytes.length > MAX_BYTES) throw new Error(`more than ${MAX_BYTES}`);
}

/** Hides the parts of a page that have none of these titles. Runs in the page. */
function keepOnly(titles: string[]): string[] {
  const kept: string[] = [];
  for (const section of document.querySelectorAll("section")) {
    let isEmpty = true;
    for (const part of section.querySelectorAll<HTMLElement>("figure, .table, p")) {
      const title = part.querySelector("caption, h3")?.textContent ?? "";
      part.hidden = !titles.includes(title);
      if (part.hidden) continue;
      kept.push(title);
      isEmpty = false;
    }
    section.hidden = isEmpty;
  }
  document.querySelector("footer")!.hidden = true;
  return kept;
}

/** Runs something, and lets go of what it needed before pictures are drawn: the browser takes the cores. */
async function runWith<T extends AsyncDisposable>(
  resource: T,
  run: (resource: T) => Promise<string>,
): Promise<string> {
  await using it = resource;
  return await run(it);
}

const quiet = await runWith(
  await ServerProcess.start(["--tag", "web-1"]),
  ({ port }) => pageOf("quiet", "ping", "-q", "-c", "500", "-i", "0.02", `127.0.0.1:${port}`),
);
await draw(quiet, "report-quiet", ["Durations in ms, of received lines", "Round trip over time"]);

const offset = ["--fail-if", "abs(offset)>100ms"];
const balancer = await runWith(
  await BalancedPair.start(),
  ({ port }) =>
    pageOf(
      "balancer",
      "ping",
      "-q",
      "--reconnect",
      "-c",
      "400",
      "-i",
      "0.05",
      ...offset,
      `127.0.0.1:${port}`,
    ),
);
const directions = ["Upstream delay above its best, over time", "Downstream delay above its best, over time"];
await draw(balancer, "report-balancer", directions, { facts: false });

const overload = await runWith(
  await QueuedPair.start(LINE_MS),
  ({ port }) => pageOf("overload", "load", "-q", "-c", "20", "-R", "600", "-t", "30s", `127.0.0.1:${port}`),
);
const upstream = "Upstream delay over time, from write to the server's stamp";
await draw(overload, "report-overload", ["Response over time", "Lines by time and response", upstream]);
await draw(overload, "report", [upstream], { facts: false });
