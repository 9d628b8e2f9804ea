/**
 * The options of what the libraries name in words. Their errors are read by people who call a function too, so that only
 * what prints for the command line names options.
 */
import { Failure, SETTING_HINTS } from "../failure.ts";
import { TlsFileFailure, type TlsFileRole } from "../net/certificates.ts";

const FILE_OPTIONS: Record<TlsFileRole, string> = {
  certificate: "--cert",
  key: "--key",
  CA: "--ca",
  "client CA": "--client-ca",
};

const HINTS_WITH_OPTIONS: Record<keyof typeof SETTING_HINTS, string> = {
  ca: "name the file of its CA with --ca",
  cert: "name its file with --cert",
  "server-name": "--server-name tells which to expect",
};

/** A text of the libraries, with options where it says in words what to set. */
export function withOptionNames(text: string): string {
  for (const [setting, hint] of Object.entries(HINTS_WITH_OPTIONS)) {
    const words = SETTING_HINTS[setting as keyof typeof SETTING_HINTS];
    if (!text.includes(hint)) text = text.replace(words, hint); // a saved run may have it already
  }
  return text;
}

/** An error of the libraries as the command line tells it; any other thing as it is. */
export function namingOptions<T>(error: T): T | Failure {
  if (!(error instanceof Failure)) return error;
  const { action, value, reason } = error;
  const named: [string, string] = error instanceof TlsFileFailure
    ? [`use ${FILE_OPTIONS[error.role]}`, reason]
    : [action, withOptionNames(reason)];
  if (named[0] === action && named[1] === reason) return error; // a UsageError stays one
  return new Failure(named[0], value, named[1], { cause: error });
}
