/** How many connections a server can have at once: what it is asked for, and what the descriptors allow. */
import { descriptorLimit } from "../net/limits.ts";
import type { ServerSettings } from "./settings.ts";

/** The most connections at once where neither the user nor the descriptor limit says less. */
export const MAX_CONNS = 10_000;
/** Descriptors kept for all that is not a connection: listeners, stdio, the runtime's own, refusals. */
const SPARE_DESCRIPTORS = 64;
/** Assumed where the descriptor limit cannot be told: the usual soft limit on Unix. */
const USUAL_DESCRIPTORS = 1024;

/** Connections that may be in the middle of a PROXY header or a TLS handshake at once, if descriptors allow it. */
const MAX_PENDING = 256;
/** The part of all descriptors that they may take. */
const PENDING_SHARE = 16;

/** Connections that may be told at once why they are not served: as many as fit into the spare, more if there is room. */
const MIN_REJECTED = 32;
const MAX_REJECTED = 1024;

/** The most connections at once of each kind. */
export interface Capacity {
  /** Those that are served. */
  conns: number;
  /** Those on their way in. */
  pending: number;
  /** Those that are being told why they are not served. */
  rejected: number;
  /** Why there will be fewer than were asked for, for people. */
  warning?: string;
}

/** The capacity under these settings. @throws {Failure} when there are no descriptors left to find out with. */
export async function capacityFor({ maxConns, tls, proxyFrom }: ServerSettings): Promise<Capacity> {
  const known = await descriptorLimit("server");
  const limit = known ?? USUAL_DESCRIPTORS;
  const pending = Math.max(1, Math.min(MAX_PENDING, Math.floor(limit / PENDING_SHARE)));
  const spare = SPARE_DESCRIPTORS + (tls === undefined && proxyFrom === undefined ? 0 : pending);
  const allowed = Math.max(1, limit - spare);
  const conns = maxConns ?? Math.min(MAX_CONNS, allowed);
  const warning = known !== undefined && conns > allowed
    ? {
      warning: `${limit} descriptors allow ${allowed} connections, not ${conns}; raise the limit (ulimit -n)`,
    }
    : {};
  const left = limit - spare - conns;
  const rejected = Math.max(MIN_REJECTED, Math.min(MAX_REJECTED, MIN_REJECTED + left));
  return { conns, pending, rejected, ...warning };
}
