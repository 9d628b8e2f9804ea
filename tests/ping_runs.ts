/** Synthetic runs of ping's, for what is made of them. */
import type { End } from "../report/exporter.ts";
import type { Start } from "../report/record.ts";
import { newStats } from "../report/transcript.ts";
import type { ProbeEvent, ReplyEvent } from "../stats/events.ts";
import type { RunStats } from "../stats/run_stats.ts";
import { judge, parseThreshold } from "../stats/threshold.ts";
import { seeded } from "./paths.ts";

export const START: Start = {
  type: "start",
  version: 2,
  time: 1795405020,
  endpoint: "tcp://web:21567",
  count: 100,
  deadline: null,
  reconnect: false,
  interval: 0.01,
  pace: 0.01,
  size: 56,
  timeout: 5,
  clocks_synced: false,
  connect: 0.003,
  handshake: null,
};

/** What a synthetic run is made of. */
export interface World {
  lines: number;
  /** Tags of the servers, which answer in turn. */
  tags?: (string | undefined)[];
  /** How much later each server's replies come back, in µs on average. */
  slow?: number[];
  /** How far each server's clock is ahead, in µs. */
  offsets?: number[];
  isLost?: (seq: number) => boolean;
  /** What each line's own connection takes, in µs; undefined where all share one. */
  own?: { connect: number; handshake: number };
}

export function* eventsOf(
  { lines, tags = [undefined], slow = [], offsets = [], isLost, own }: World,
): Generator<ProbeEvent> {
  const random = seeded(7);
  for (let seq = 1; seq <= lines; seq++) {
    const begun = seq * 0.01;
    const sent = START.time * 1e6 + seq * 10_000;
    if (isLost?.(seq)) {
      yield { fate: "lost", seq, at: begun + 5, sent };
      continue;
    }
    const server = seq % tags.length;
    const up = 100 + Math.round(60 * random());
    const down = 150 + Math.round(60 * random() - (slow[server] ?? 0) * Math.log(1 - random()));
    const reply: ReplyEvent = { fate: "received", seq, at: begun + (up + down) / 1e6, rtt: up + down };
    const stamp = sent + up + (offsets[server] ?? 0);
    yield {
      ...reply,
      sent,
      stamp,
      received: sent + up + down,
      format: "iso",
      tag: tags[server],
      ...own ?? { lag: 5, blocked: 2 },
    };
  }
}

/** The figures of a run, and its course. */
export function runOf(world: World, start: Start = START): RunStats {
  const stats = newStats(start);
  stats.keepCourse(start.timeout);
  for (const event of eventsOf(world)) stats.add(event);
  return stats;
}

/** @param thresholds conditions, as `--fail-if` has them. */
export function endOf(stats: RunStats, thresholds: string[] = [], ended: string | null = null): End {
  const verdicts = thresholds.map((it) => judge(parseThreshold(it), stats));
  return { ended, summary: stats.summary(), rtt: stats.rtt, thresholds: verdicts, course: stats.course };
}

/** Two servers, one of which is slow on the way back and has a wrong clock; 11 lines are lost. */
export const PAIR: World = {
  lines: 400,
  tags: ["web-1", "web-2"],
  slow: [0, 20_000],
  offsets: [0, -1.5e6],
  isLost: (seq) => seq === 40 || (seq > 100 && seq < 111),
};
