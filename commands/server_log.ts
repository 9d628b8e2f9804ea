/** What the log of `tsecho server` says about each event. */
import type { Log, LogFields } from "../cli/log.ts";
import { formatAddress } from "../net/endpoint.ts";
import { namingOptions, withOptionNames } from "../report/option_names.ts";
import type {
  Address,
  CloseEvent,
  DropEvent,
  EndEvent,
  EvictEvent,
  RejectEvent,
  ReloadEvent,
  ServerEvent,
  StartEvent,
} from "../server.ts";
import { formatMillis } from "../time/duration.ts";

/** Writes an event to the log. */
export function logEvent(event: ServerEvent, log: Log): void {
  switch (event.type) {
    case "start":
      return log.info("start", startFields(event));
    case "listen":
      return log.warn("listen", { reason: event.reason });
    case "certificate":
      return log.warn("certificate", { file: event.file, reason: event.reason });
    case "reload":
      return logReload(event, log);
    case "accept":
      return log.warn("accept", { reason: event.reason, connections: event.open });
    case "capacity":
      return log.warn("capacity", { reason: event.reason });
    case "checks":
      return log.info("checks", { count: event.count, total: event.total });
    case "hint":
      return log.info("hint", {
        reason: `no LF from ${peerText(event.peer)}: a classic client? --framing chunk`,
      });
    case "evict":
      return log.warn("evict", turnedAwayFields(event));
    case "open":
      if (log.verbose) log.info("open", { conn: event.id, peer: peerText(event.peer), via: event.via });
      return;
    case "close":
      if (event.cut) log.warn("cut", closeFields(event));
      else if (log.verbose) log.info("close", closeFields(event));
      return;
    case "reject":
      return log.warn("refuse", turnedAwayFields(event));
    case "drop":
      return log.warn("drop", turnedAwayFields(event));
    case "delay":
      return log.info("delay", { connections: event.open, drain_delay: formatMillis(event.delay) });
    case "drain":
      return log.info("drain", { connections: event.open });
    case "end":
      return log.info("end", endFields(event));
  }
}

function startFields({ settings, maxConns, maxPending }: StartEvent): LogFields {
  return {
    pid: Deno.pid,
    framing: settings.framing,
    stamp: settings.stamp,
    tag: settings.tag,
    max_line: settings.maxLine,
    max_conns: maxConns,
    max_pending: maxPending,
    max_conns_per_ip: settings.maxConnsPerIp,
    max_memory: settings.maxMemory,
    idle_timeout: formatMillis(settings.idleTimeout),
    line_timeout: formatMillis(settings.lineTimeout),
    drain_timeout: formatMillis(settings.drainTimeout),
    proxy_from: settings.proxyFrom?.text,
    allow: settings.allow?.text,
    deny: settings.deny?.text,
  };
}

function logReload({ outcome, file, reason, failure }: ReloadEvent, log: Log): void {
  if (outcome === "failed") log.warn("reload", { reason: namingOptions(failure)?.message ?? reason });
  else log.info("reload", { file, reason });
}

function closeFields({ id, peer, lines, bytesIn, bytesOut, duration, reason }: CloseEvent): LogFields {
  return {
    conn: id,
    peer: peerText(peer),
    lines,
    bytes_in: bytesIn,
    bytes_out: bytesOut,
    duration_s: seconds(duration),
    reason,
  };
}

function turnedAwayFields(
  { reason, count, total, peer, detail, ...event }: RejectEvent | DropEvent | EvictEvent,
): LogFields {
  const isUnknown = event.type === "drop" && peer === undefined;
  return {
    reason,
    count,
    total,
    last_peer: isUnknown ? undefined : peerText(peer),
    last_error: detail && withOptionNames(detail),
  };
}

function endFields({ figures, datagrams, duration }: EndEvent): LogFields {
  return {
    connections: figures.connections,
    lines: figures.lines,
    bytes_in: figures.bytesIn,
    bytes_out: figures.bytesOut,
    cut: figures.cut,
    refused: sum(figures.rejected),
    checks: figures.silent || undefined,
    ...(datagrams && { datagrams: figures.datagrams, dropped: sum(figures.dropped) }),
    duration_s: seconds(duration),
  };
}

function peerText(peer: Address | undefined): string {
  return peer === undefined ? "unix" : formatAddress(peer);
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

/** Milliseconds as seconds, to the millisecond. */
function seconds(millis: number): number {
  return Math.round(millis) / 1000;
}
