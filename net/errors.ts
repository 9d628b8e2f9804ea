import { reasonOf } from "../failure.ts";

/**
 * Whether an error of a read, a write or an accept means only that the peer has gone, or that this side has closed
 * the connection: an ordinary end, not a fault.
 */
export function isPeerGone(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.TimedOut ||
    error instanceof Deno.errors.UnexpectedEof || error instanceof Deno.errors.NotConnected ||
    isClosedHere(error);
}

/** Whether an error means that this side closed the socket: Interrupted during the call, BadResource after it. */
export function isClosedHere(error: unknown): boolean {
  return error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.BadResource;
}

/** Why a connection ended whose read or write failed, for a log. */
export function reasonOfEnd(error: unknown): string {
  // A FIN without TLS's own end before it (RFC 8446, 6.1): somebody in between may have cut the stream off.
  if (error instanceof Deno.errors.UnexpectedEof) return "cut off: no TLS close_notify";
  if (error instanceof TlsFailure) return error.message;
  return isPeerGone(error) ? "reset by peer" : reasonOf(error);
}

/** The peer has ended a TLS stream with an alert, or sends what is no TLS. The message is for people. */
export class TlsFailure extends Deno.errors.ConnectionReset {
  constructor(cause: unknown) {
    super(reasonOf(cause), { cause });
    this.name = "TlsFailure";
  }
}
