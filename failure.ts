/**
 * The one error for users, the grammar of its message, what system errors mean, escaping, and counted nouns. Everything
 * may import this file; it imports nothing.
 */

/** It ran and failed: exit code 1, and one line that says what could not be done, to what, and why. */
export class Failure extends Error {
  /** What was tried. */
  readonly action: string;
  /** What it was tried on. */
  readonly value: string;
  /** Why it failed. */
  readonly reason: string;

  /**
   * Makes the message of these parts.
   *
   * @param action what was tried, to follow "Cannot": `connect to`.
   * @param value what it was tried on, as the user wrote it; shown in quotes.
   */
  constructor(action: string, value: string, reason: string, options?: ErrorOptions) {
    super(cannot(action, value, reason), options);
    this.name = "Failure";
    this.action = action;
    this.value = value;
    this.reason = reason;
  }
}

/** The one grammar of error messages: `Cannot <action> "<value>": <reason>`. */
export function cannot(action: string, value: string, reason: string): string {
  return escapeText(`Cannot ${action} "${value}": ${reason}`);
}

/**
 * What a terminal could take for more than text: control characters (C0, DEL, C1), line and paragraph separators,
 * and the characters that reorder what stands around them (Unicode's Bidi_Control).
 */
// deno-lint-ignore no-control-regex
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Text that came from elsewhere, safe to show on a terminal or in a log: `\x1b` instead of an escape character. */
export function escapeText(text: string): string {
  return text.replaceAll(UNSAFE, (char) => {
    const code = char.charCodeAt(0);
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** Like {@linkcode escapeText} for lines of text: line feeds and tabs stay. */
export function escapeLines(text: string): string {
  return text.replaceAll(/[^\n\t]+/g, escapeText);
}

/** A number of things: `1 line`, `2 lines`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** What an error means that a file or a socket file is to blame for. */
export function reasonOfFile(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  switch (code ?? /\(os error (?:6|27)\)/.exec(message)?.[0]) {
    case "ENOENT":
      return "there is no such file or directory";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "EISDIR":
      return "it is a directory";
    case "ENAMETOOLONG":
      return "the path is too long";
    case "ENOTDIR":
      return "a part of the path is not a directory";
    case "ELOOP":
      return "its links lead in a circle";
    case "(os error 6)": // ENXIO, which has no code in Deno
      return "it is a socket or a device, not a file";
    case "ENOSPC":
    case "EDQUOT":
      return "there is no space left";
    case "EROFS":
      return "the file system is read-only";
    case "(os error 27)": // EFBIG likewise
      return "it would be larger than a file may be here";
    case "EIO":
      return "the device failed";
  }
  return reasonOf(error);
}

/** What to do that a setting does, in words: a command names its option instead (report/option_names.ts). */
export const SETTING_HINTS = {
  ca: "name the file of its CA",
  cert: "name its file",
  "server-name": "tell which to expect",
} as const;

/** What to do about a reason: for people, not for what counts reasons. */
const HINTS: Record<string, string> = {
  "connection refused": "is a server running there?",
  "the certificate is not trusted": SETTING_HINTS.ca,
  "the server asks for a client certificate": SETTING_HINTS.cert,
  "out of file descriptors": "raise the limit (ulimit -n)",
};

/** A reason with what to do about it, where that is known. */
export function withHint(reason: string): string {
  return Object.hasOwn(HINTS, reason) ? `${reason}; ${HINTS[reason]}` : reason;
}

/** A reason without what to do about it. */
export function withoutHint(reason: string): string {
  const [bare = ""] = reason.split("; ", 1);
  return withHint(bare) === reason ? bare : reason;
}

/** What the errors of a TLS handshake mean, by the texts of rustls, which has no codes for them. */
const TLS_REASONS: [RegExp, string][] = [
  [
    /UnknownIssuer|unable to get (?:local )?issuer certificate|self-signed certificate|unable to verify the first/,
    withHint("the certificate is not trusted"),
  ],
  [
    /not valid for any names/,
    "the certificate names no host: it has no subjectAltName, and its CN does not count",
  ],
  [
    /certificate not valid for name "[^"]*"(?:; certificate is only valid for (.*))?/,
    `the certificate is for another name: $1; ${SETTING_HINTS["server-name"]}`,
  ],
  [/NotValidForName/, `the certificate is for another name; ${SETTING_HINTS["server-name"]}`],
  [/certificate (?:has )?expired|: Expired/, "the certificate has expired"],
  [
    /certificate (?:is )?not (?:yet valid|valid yet)|: NotValidYet/,
    "the certificate is not valid yet; is this machine's clock right?",
  ],
  [/BadSignature/, "the certificate is not trusted: its signature is not that of the CA that it names"],
  [/EndEntityUsedAsCa/, "the certificate is not trusted: it is signed with a certificate that is not a CA's"],
  [
    /PathLenConstraintViolated/,
    "the certificate is not trusted: a CA in its chain was not allowed to make another CA",
  ],
  [
    /NameConstraintViolation/,
    "the certificate is not trusted: a CA in its chain was not allowed to sign for this name",
  ],
  [
    /invalid peer certificate: Other\(OtherError\((\w+)\)\)/,
    "the certificate is not trusted: its chain breaks a rule ($1)",
  ],
  [/invalid peer certificate: (.*)/, "the certificate is not trusted: $1"],
  [/corrupt message/, "the peer does not speak TLS; is it a tcp:// endpoint?"],
  [/NoApplicationProtocol|known protocol/, "the peer speaks TLS, but not for tsecho (ALPN)"],
  [/fatal alert: CertificateRequired/, withHint("the server asks for a client certificate")],
  [/peer sent no certificates/, "the client shows no certificate"],
  [
    /cannot decrypt peer's message/,
    "what arrived is not what the peer's TLS has sent: damaged or forged on the way",
  ],
  [/peer is incompatible: (\w+)/, "the peer's TLS and ours have no version or algorithm in common ($1)"],
  [/peer misbehaved: (\w+)/, "the peer breaks the rules of TLS ($1)"],
  [/received unexpected message: got (\w+)/, "the peer breaks the rules of TLS (an unexpected $1)"],
  [/fatal alert: (\w+)/, "the peer refused the TLS handshake ($1)"],
];

/** The reason of a connection that its peer has given up. */
export const RESET = "the peer reset the connection";

/** The reason of what Deno does not allow. @param permission as its option names it: `net`. */
export function lacking(permission: string): string {
  return `Deno was not given the permission --allow-${permission} for it`;
}

/** What an operating system error means to a person, and what to do about it where that is known. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  switch (code) {
    case "ECONNREFUSED":
      return withHint("connection refused");
    case "EADDRINUSE":
      return "the port is in use; stop the program that holds it or choose another port";
    case "EADDRNOTAVAIL":
      return "this machine has no such address";
    case "EACCES":
      return "permission denied";
    case "EPERM":
      return "the system does not allow it; a firewall may be the reason";
    case "EINVAL":
      return "the system takes no such address";
    case "ENETUNREACH":
    case "EHOSTUNREACH":
      return "no route to the host";
    case "ETIMEDOUT":
      return "the connection timed out";
    case "EAFNOSUPPORT":
      return "this machine does not have that address family";
    case "ECONNRESET":
      return RESET;
    case "EMFILE":
      return withHint("out of file descriptors");
    case "ENFILE":
      return "the system is out of file descriptors";
  }
  for (const [pattern, reason] of TLS_REASONS) {
    const match = pattern.exec(message);
    const told = match?.[1]?.replaceAll(/(?:DnsName|IpAddress)\("?([^")]*)"?\)/g, "$1");
    if (match !== null) return reason.replace("$1", told ?? "it does not say which");
  }
  if (error instanceof DOMException && error.name === "AbortError") return "interrupted";
  const [, permission] = /^Requires (\S+) access to /.exec(message) ?? [];
  // Some paths, such as those of /proc and of devices.
  if (permission === "all") return "Deno lets only programs with all permissions use it";
  if (permission !== undefined) return lacking(permission);
  // A name that does not resolve has no code: Deno passes getaddrinfo's text on.
  if (message.startsWith("failed to lookup address information")) return "the name does not resolve";
  if (/^invalid (?:empty )?host/.test(message)) return "it is not the name of a host";
  return message.replace(/ \(os error \d+\)(?:: \w+ '.*')?$/s, "").replaceAll(/\s*\n\s*/g, "; ");
}
