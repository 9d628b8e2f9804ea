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

/** What an operating system error means to a person, and what to do about it where that is known. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  switch (code) {
    case "ECONNREFUSED":
      return "connection refused; is a server running there?";
    case "EADDRINUSE":
      return "the port is in use; stop the program that holds it or choose another port";
    case "EADDRNOTAVAIL":
      return "this machine has no such address";
    case "EACCES":
      return "permission denied; a port below 1024 needs root or CAP_NET_BIND_SERVICE";
    case "ENETUNREACH":
    case "EHOSTUNREACH":
      return "no route to the host";
    case "ETIMEDOUT":
      return "the connection timed out";
    case "EAFNOSUPPORT":
      return "this machine does not have that address family";
    case "ECONNRESET":
      return "the peer reset the connection";
    case "EMFILE":
      return "out of file descriptors; raise the limit (ulimit -n)";
    case "ENFILE":
      return "the system is out of file descriptors";
  }
  // A name that does not resolve has no code: Deno passes getaddrinfo's text on.
  if (message.startsWith("failed to lookup address information")) return "the name does not resolve";
  return message.replace(/ \(os error \d+\)$/, "").replaceAll(/\s*\n\s*/g, "; ");
}
