/** `tsecho` without a command's name in front: the list of commands, --help and --version. */
import { parseArgv, UsageError } from "../cli/parser.ts";
import { DEFAULT_PORT } from "../net/endpoint.ts";
import { INFO_OPTIONS, infoText, type Runnable } from "./command.ts";

/** The commands, each loaded only when it runs: loading ping takes longer than printing the version. */
export const COMMANDS: Record<string, () => Promise<Runnable>> = {
  server: async () => (await import("./server.ts")).server,
  client: async () => (await import("./client.ts")).client,
  ping: async () => (await import("./ping.ts")).ping,
};

const NAMES = Object.keys(COMMANDS).join(", ").replace(/, (?=[^,]*$)/, " or ");

const HELP = `tsecho: a timestamping line echo

usage: tsecho server [ENDPOINT...] [options]
       tsecho client [ENDPOINT] [options]
       tsecho ping [ENDPOINT] [options]

  server   answers each line with its clock in front
  client   talks to a server: a prompt on a terminal, a filter in a pipe
  ping     measures round trips, loss, clock offset and the direction of delay

  -h, --help      print help and exit; after a command, that command's
  -V, --version   print the version and exit

examples:
  tsecho server                      listen on port ${DEFAULT_PORT}, all interfaces
  tsecho client web                  talk to the server on the host "web"
  tsecho client web < access.log     send a file, print the replies
  tsecho ping web                    a line a second; Ctrl-C for the summary

exit codes: 0 success, 1 it ran and failed, 2 usage error, 3 a --fail-if condition held`;

/** The text that a command line without a command asks for. @throws {UsageError} when it asks for none. */
export function readWithoutCommand(argv: string[]): string {
  const [first = ""] = argv;
  const expected = `expected a command, ${NAMES}; see tsecho --help`;
  if (first === "") throw new UsageError("run", first, expected);
  if (!first.startsWith("-") || first === "-") {
    throw new UsageError("run", first, `there is no such command, expected ${NAMES}; see tsecho --help`);
  }
  const parsed = parseArgv(argv, INFO_OPTIONS, "tsecho");
  const [stray] = parsed.positionals;
  if (stray !== undefined) throw new UsageError("use argument", stray, `expected ${NAMES} in its place`);
  const text = infoText(parsed, HELP);
  if (text === undefined) throw new UsageError("run", first, expected);
  return text;
}
