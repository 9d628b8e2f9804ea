/** The module of a thread that sends its part of the lines, as the main thread tells it. */
import { Failure } from "../failure.ts";
import { TlsFileFailure } from "../net/certificates.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { Engine } from "./engine.ts";
import { type FromThread, type IntervalMessage, SAMPLE_FIELDS, type ToThread } from "./messages.ts";
import { pathsTo } from "./paths.ts";
import type { ExchangeSample, LoadObserver } from "./recorder.ts";
import { rehearseOnce } from "./rehearsal.ts";
import { askClock, ThreadClock } from "./thread_clock.ts";

/** The main thread, as a worker sees it. */
interface Port {
  onmessage: (event: { data: ToThread }) => void;
  postMessage(message: FromThread, transfer?: Transferable[]): void;
  close(): void;
}

const port = globalThis as unknown as Port;

/** Hands over what was found, an interval at a time. */
class Reporter implements LoadObserver {
  #samples = new Float64Array(1024 * SAMPLE_FIELDS);
  #used = 0;
  readonly #tags = new Map<string | null, number>();
  #servers: (string | null)[] = [];
  readonly #report: (message: IntervalMessage) => void;
  readonly #turned: () => number;

  /** @param turned as in `Runner`. */
  constructor(report: (message: IntervalMessage) => void, turned: () => number) {
    this.#report = report;
    this.#turned = turned;
  }

  onInterval(interval: LoadInterval): void {
    const samples = this.#samples.slice(0, this.#used);
    const found = { samples, tags: [...this.#tags.keys()], servers: this.#servers, turned: this.#turned() };
    this.#report({ type: "interval", interval: interval.encode(), ...found });
    this.#used = 0;
    this.#servers = [];
    this.#tags.clear();
  }

  onExchange({ tag, written, stamp, read, lines }: ExchangeSample): void {
    if (this.#used === this.#samples.length) this.#grow();
    let index = this.#tags.get(tag);
    if (index === undefined) this.#tags.set(tag, index = this.#tags.size);
    const samples = this.#samples;
    samples[this.#used++] = index;
    samples[this.#used++] = written;
    samples[this.#used++] = stamp;
    samples[this.#used++] = read;
    samples[this.#used++] = lines;
  }

  onServer(tag: string | null): void {
    this.#servers.push(tag);
  }

  onBegin(): void {}

  #grow(): void {
    const larger = new Float64Array(2 * this.#samples.length);
    larger.set(this.#samples);
    this.#samples = larger;
  }
}

/** How often the lines in flight are shown, in ms. */
const SHOW_MS = 50;

let engine: Engine | undefined;
let showing: ReturnType<typeof setInterval> | undefined;

/** The main thread tells of it: the runtime would on stderr, in its own words. */
function onBroken(error: unknown): void {
  port.postMessage({ type: "broken", message: error instanceof Error ? error.message : String(error) });
}

globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  onBroken(event.error);
});
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  onBroken(event.reason);
});

port.onmessage = async ({ data }) => {
  switch (data.type) {
    case "open": {
      const { plan, dial, thread, memory, inFlight } = data;
      const shift = askClock(memory, () => port.postMessage({ type: "clock" }));
      const clock = new ThreadClock(shift.value);
      const reporter = new Reporter(
        (message) => port.postMessage(message, [message.samples.buffer]),
        () => engine!.turned,
      );
      engine = new Engine(plan, pathsTo(dial, clock), clock, reporter, new LoadInterval(), thread);
      try {
        await rehearseOnce(plan, () => new Reporter(() => {}, () => 0));
        await engine.open();
        showing = setInterval(() => inFlight[thread] = engine!.outstanding, SHOW_MS);
        port.postMessage({ type: "opened", clockError: shift.error });
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        const file = error instanceof TlsFileFailure ? { file: { role: error.role, path: error.value } } : {};
        port.postMessage({ type: "failed", reason: error.reason, ...file });
      }
      return;
    }
    case "run":
      await engine!.run(data.began);
      clearInterval(showing);
      return port.postMessage({ type: "over", stalled: engine!.stalled });
    case "stop":
      return engine?.stop();
    case "abort":
      return engine?.abort();
    case "close":
      await engine?.close();
      port.postMessage({ type: "closed" });
      port.close();
  }
};
