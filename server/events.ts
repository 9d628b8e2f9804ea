/** What a server tells about itself. */
import type { TlsFileFailure } from "../net/certificates.ts";
import type { Address, Endpoint } from "../net/endpoint.ts";
import type { DropCode, RejectionCode } from "../net/rejection.ts";
import type { ServerFigures } from "./counters.ts";
import type { ServerSettings } from "./settings.ts";

/** The server listens. */
export interface StartEvent {
  /** Tells events apart. */
  type: "start";
  /** What it was asked for, and the defaults. */
  settings: ServerSettings;
  /** The most connections at once. */
  maxConns: number;
  /** The most streams in a PROXY header or a TLS handshake at once; undefined where neither is asked for. */
  maxPending?: number;
}

/** Something about an endpoint that the user should know, such as an address family that is missing. */
export interface ListenEvent {
  /** Tells events apart. */
  type: "listen";
  /** With its real port. */
  endpoint: Endpoint;
  /** What it is, for people. */
  reason: string;
}

/** Something about the certificate that clients will not like. */
export interface CertificateEvent {
  /** Tells events apart. */
  type: "certificate";
  /** The certificate's file. */
  file: string;
  /** What it is, for people. */
  reason: string;
}

/** The files for TLS were read again. */
export interface ReloadEvent {
  /** Tells events apart. */
  type: "reload";
  /** Whether new connections use them; "unused" where there is no TLS. */
  outcome: "renewed" | "failed" | "unused";
  /** The certificate's file, if it is used. */
  file?: string;
  /** Why they are not used, for people. */
  reason?: string;
  /** The failure of the file that cannot be used, if one is to blame. */
  failure?: TlsFileFailure;
}

/** Connections cannot be accepted, for a reason that is no peer's. Told once for a burst of failures. */
export interface AcceptEvent {
  /** Tells events apart. */
  type: "accept";
  /** What it is, for people. */
  reason: string;
  /** Connections that are open. */
  open: number;
}

/** Fewer connections are possible than were asked for. */
export interface CapacityEvent {
  /** Tells events apart. */
  type: "capacity";
  /** What it is, for people. */
  reason: string;
}

/** Connections ended without a byte from the peer, as health checks do: told once a minute. */
export interface ChecksEvent {
  /** Tells events apart. */
  type: "checks";
  /** How many since the last event. */
  count: number;
  /** How many since the start. */
  total: number;
}

/** A connection has sent bytes, but no LF yet, for more than a second: told once a minute at most. */
export interface HintEvent {
  /** Tells events apart. */
  type: "hint";
  /** Undefined on a Unix socket, whose clients have no address. */
  peer: Address | undefined;
}

/** Connections were ended because lines took too much memory: told at most once a second. */
export interface EvictEvent extends TurnedAway<"out-of-memory"> {
  /** Tells events apart. */
  type: "evict";
}

/** A connection has sent its first byte. */
export interface OpenEvent {
  /** Tells events apart. */
  type: "open";
  /** Counts the connections that sent a byte, from 1. */
  id: number;
  /** Undefined on a Unix socket, whose clients have no address. */
  peer: Address | undefined;
  /** The balancer, for people, where the peer's address came from its header. */
  via?: string;
}

/** A connection that has sent a byte has ended. */
export interface CloseEvent {
  /** Tells events apart. */
  type: "close";
  /** That of its {@linkcode OpenEvent}. */
  id: number;
  /** Undefined on a Unix socket, whose clients have no address. */
  peer: Address | undefined;
  /** Lines answered; messages in chunk framing. */
  lines: number;
  /** Bytes read. */
  bytesIn: number;
  /** Bytes written, prefixes included. */
  bytesOut: number;
  /** Milliseconds. */
  duration: number;
  /** Why, for people. */
  reason: string;
  /** Whether it was closed in the middle of a reply. */
  cut: boolean;
}

/** Connections were not served, or datagrams not answered, for one reason: told at most once a second for each. */
export interface TurnedAway<Code> {
  /** Why, for programs. */
  code: Code;
  /** The code in words, with what it leaves open: one of a limited number of texts. */
  reason: string;
  /** How many since the last event for this reason, this one included. */
  count: number;
  /** How many since the start. */
  total: number;
  /** The latest one's address; undefined on a Unix socket, and where a receive failed. */
  peer: Address | undefined;
  /** What the system says about the latest one. */
  detail?: string;
}

/** Connections were not served. */
export interface RejectEvent extends TurnedAway<RejectionCode> {
  /** Tells events apart. */
  type: "reject";
}

/** Datagrams were not answered. */
export interface DropEvent extends TurnedAway<DropCode> {
  /** Tells events apart. */
  type: "drop";
}

/** The server is stopping, but goes on serving and accepting for the drain delay. */
export interface DelayEvent {
  /** Tells events apart. */
  type: "delay";
  /** Connections that are open. */
  open: number;
  /** Milliseconds. */
  delay: number;
}

/** The server accepts no more, and its connections end. */
export interface DrainEvent {
  /** Tells events apart. */
  type: "drain";
  /** Connections that are open. */
  open: number;
}

/** The server has ended. */
export interface EndEvent {
  /** Tells events apart. */
  type: "end";
  /** All that it did. */
  figures: ServerFigures;
  /** Whether it had datagram endpoints. */
  datagrams: boolean;
  /** Milliseconds since the start. */
  duration: number;
}

/** All that a server tells about. */
export type ServerEvent =
  | StartEvent
  | ListenEvent
  | CertificateEvent
  | ReloadEvent
  | AcceptEvent
  | CapacityEvent
  | ChecksEvent
  | HintEvent
  | EvictEvent
  | OpenEvent
  | CloseEvent
  | RejectEvent
  | DropEvent
  | DelayEvent
  | DrainEvent
  | EndEvent;

/** Is told what happens. It must not throw. */
export type Report = (event: ServerEvent) => void;
