/** The module of a thread that sends its part of the lines, as the main thread tells it. */
import { Failure } from "../failure.ts";
import { TlsFileFailure } from "../net/certificates.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { Engine } from "./engine.ts";
import {
  type FromThread,
  SAMPLE_FIELDS,
  type ThreadExchanges,
  type ThreadInterval,
  type ToThread,
} from "./messages.ts";
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

/** Exchanges are handed over when there are so many, if they need not wait for others. */
const CHUNK = 1024;

/** To whom a thread reports. */
interface Report {
  interval(found: ThreadInterval): void;
  /** Undefined if exchanges are told with their interval. */
  exchanges?: ((found: ThreadExchanges) => void) | undefined;
}

/** Hands over what was found, an interval at a time. */
class Reporter implements LoadObserver {
  #samples = new Float64Array(CHUNK * SAMPLE_FIELDS);
  #used = 0;
  readonly #tags = new Map<string | null, number>();
  #servers: (string | null)[] = [];
  readonly #report: Report;
  readonly #turned: () => number;

  /** @param turned as in `Runner`. */
  constructor(report: Report, turned: () => number) {
    this.#report = report;
    this.#turned = turned;
  }

  onInterval(interval: LoadInterval): void {
    const found = { ...this.#exchanges(), servers: this.#servers, turned: this.#turned() };
    this.#report.interval({ interval: interval.encode(), ...found });
    this.#used = 0;
    this.#servers = [];
    this.#tags.clear();
  }

  onExchange({ tag, written, stamp, read, lines }: ExchangeSample): void {
    if (this.#used === this.#samples.length) this.#makeRoom();
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

  #exchanges(): ThreadExchanges {
    return { samples: this.#samples.slice(0, this.#used), tags: [...this.#tags.keys()] };
  }

  #makeRoom(): void {
    if (this.#report.exchanges !== undefined) {
      this.#report.exchanges(this.#exchanges());
      this.#used = 0;
      return;
    }
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

function post(message: ThreadExchanges & FromThread): void {
  port.postMessage(message, [message.samples.buffer]);
}

port.onmessage = async ({ data }) => {
  switch (data.type) {
    case "open": {
      const { plan, dial, thread, memory, inFlight, planEnd } = data;
      const shift = askClock(memory, () => port.postMessage({ type: "clock" }));
      const clock = new ThreadClock(shift.value);
      const reporter = new Reporter({
        interval: (found) => post({ type: "interval", ...found }),
        exchanges: plan.threads === 1 ? (found) => post({ type: "exchanges", ...found }) : undefined,
      }, () => engine!.turned);
      const paths = pathsTo(dial, clock);
      engine = new Engine(plan, paths, clock, reporter, new LoadInterval(), thread, () => planEnd[0]!);
      try {
        const interval = (found: ThreadInterval) => {
          if (thread === 0) post({ type: "rehearsed", ...found });
        };
        await rehearseOnce(plan, () => new Reporter({ interval }, () => 0));
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
