/** Debian's Chromium, which opens the pages of reports. */
import type { Browser as Playwright, BrowserContextOptions, Page as Tab } from "playwright-core";
import { type Need, whereIs } from "./harness.ts";

export type { Tab };

/** What an end-to-end test with a browser needs beside what all of them do. Playwright asks the system for its memory and its user. */
export const BROWSER: readonly Need[] = ["--allow-sys", "chromium"];

/** Between tests, the pipes to Chromium are read on. */
export const SANITIZERS = { sanitizeOps: false, sanitizeResources: false };

/** Nothing of these is to have an effect on a page: they keep Chromium from talking to anybody else. */
const FLAGS = [
  "--no-sandbox", // which root cannot have
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** How long a machine may take for anything, in milliseconds. */
const DEADLINE = 60_000;

/** An open page, what its console said, and what it asked for beside itself. */
export interface OpenPage extends AsyncDisposable {
  tab: Tab;
  said: string[];
  requests: string[];
}

/** How a page is looked at. */
export interface Look {
  width?: number;
  scheme?: "light" | "dark";
  scripts?: boolean;
}

/** A Chromium with a profile of its own, which goes with it. */
export class Browser implements AsyncDisposable {
  readonly #browser: Playwright;

  private constructor(browser: Playwright) {
    this.#browser = browser;
  }

  static async start(): Promise<Browser> {
    // Only now: without permissions, its import alone would ask for some.
    const { chromium } = await import("playwright-core");
    // Signals are for the tests.
    const signals = { handleSIGHUP: false, handleSIGINT: false, handleSIGTERM: false };
    const executablePath = whereIs("chromium")!;
    return new Browser(await chromium.launch({ executablePath, args: FLAGS, timeout: DEADLINE, ...signals }));
  }

  /** Opens an address in a window of its own, and waits for all of its charts. */
  async open(url: string, { width = 1280, scheme = "light", scripts = true }: Look = {}): Promise<OpenPage> {
    const options: BrowserContextOptions = {
      viewport: { width, height: 900 },
      colorScheme: scheme,
      javaScriptEnabled: scripts,
      deviceScaleFactor: 1,
    };
    const context = await this.#browser.newContext(options);
    context.setDefaultTimeout(DEADLINE);
    const tab = await context.newPage();
    const said: string[] = [];
    const requests: string[] = [];
    tab.on("console", (it) => said.push(it.text()));
    tab.on("pageerror", (it) => said.push(it.stack ?? it.message));
    tab.on("dialog", (it) => (said.push(`dialog: ${it.message()}`), it.dismiss()));
    tab.on("request", (it) => it.url() !== url && requests.push(it.url()));
    await tab.goto(url);
    const waiting = tab.locator("figure.waiting");
    for (const until = Date.now() + DEADLINE; await waiting.count() > 0;) {
      if (Date.now() > until) throw new Error(`${url}: charts are still not made`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return { tab, said, requests, [Symbol.asyncDispose]: () => context.close() };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#browser.close();
  }
}
