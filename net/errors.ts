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

/** A file that was named cannot be used. */
export class FileProblem extends Error {
  constructor(readonly file: string, reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = "FileProblem";
  }
}

/** What an error means that a file or a socket file is to blame for. */
export function reasonOfFile(error: unknown): string {
  switch ((error as { code?: string }).code) {
    case "ENOENT":
      return "there is no such file or directory";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "EISDIR":
      return "it is a directory";
    case "EINVAL":
    case "ENAMETOOLONG":
      return "the path is too long";
  }
  return reasonOf(error);
}

/** What the errors of a TLS handshake mean, by the texts of rustls, which has no codes for them. */
const TLS_REASONS: [RegExp, string][] = [
  [
    /UnknownIssuer|unable to get (?:local )?issuer certificate|self-signed certificate|unable to verify the first/,
    "the certificate is not trusted; name the file of its CA with --ca",
  ],
  [
    /not valid for any names/,
    "the certificate names no host: it has no subjectAltName, and its CN does not count",
  ],
  [
    /certificate not valid for name "[^"]*"(?:; certificate is only valid for (.*))?/,
    "the certificate is for another name: $1; --server-name tells which to expect",
  ],
  [/NotValidForName/, "the certificate is for another name; --server-name tells which to expect"],
  [/certificate (?:has )?expired|: Expired/, "the certificate has expired"],
  [
    /certificate (?:is )?not (?:yet valid|valid yet)|: NotValidYet/,
    "the certificate is not valid yet; is this machine's clock right?",
  ],
  [/invalid peer certificate: (.*)/, "the certificate is not trusted: $1"],
  [/corrupt message/, "the peer does not speak TLS; is it a tcp:// endpoint?"],
  [/NoApplicationProtocol|known protocol/, "the peer speaks TLS, but not for tsecho (ALPN)"],
  [/fatal alert: CertificateRequired/, "the server asks for a client certificate; name its file with --cert"],
  [/peer sent no certificates/, "the client shows no certificate"],
  [/fatal alert: (\w+)/, "the peer refused the TLS handshake ($1)"],
];

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
  for (const [pattern, reason] of TLS_REASONS) {
    const match = pattern.exec(message);
    const told = match?.[1]?.replaceAll(/(?:DnsName|IpAddress)\("?([^")]*)"?\)/g, "$1");
    if (match !== null) return reason.replace("$1", told ?? "it does not say which");
  }
  // Deno keeps some paths, such as those of /proc, from programs that may not do everything.
  if (/^Requires \S+ access to /.test(message)) return "tsecho may not use a file of this kind";
  // A name that does not resolve has no code: Deno passes getaddrinfo's text on.
  if (message.startsWith("failed to lookup address information")) return "the name does not resolve";
  return message.replace(/ \(os error \d+\)$/, "").replaceAll(/\s*\n\s*/g, "; ");
}
