/** `tsecho` without a command's name in front: the list of commands, help and version. */
import { looksLikeOption, parseArgv, UsageError } from "../cli/parser.ts";
import { nearest } from "../cli/suggest.ts";
import { DEFAULT_PORT } from "../net/endpoint.ts";
import { INFO_OPTIONS, infoText, type Runnable, VERSION } from "./command.ts";

/** The commands, each loaded only when it runs: loading ping takes longer than printing the version. */
export const COMMANDS: Record<string, () => Promise<Runnable>> = {
  server: async () => (await import("./server.ts")).server,
  client: async () => (await import("./client.ts")).client,
  ping: async () => (await import("./ping.ts")).ping,
  load: async () => (await import("./load.ts")).load,
  compare: async () => (await import("./compare.ts")).compare,
};

const NAMES = Object.keys(COMMANDS);
const LIST = NAMES.join(", ").replace(/, (?=[^,]*$)/, " or ");

export const HELP = `tsecho: a timestamping line echo

usage: tsecho server [ENDPOINT...] [options]
       tsecho client [ENDPOINT] [options]
       tsecho ping [ENDPOINT] [options]
       tsecho load [ENDPOINT] [options]
       tsecho compare BEFORE AFTER [options]

  server   echoes each line with a timestamp from its own clock in front
  client   talks to a server: a prompt on a terminal, a filter in a pipe
  ping     measures round trips, loss, clock offset and the direction of delay
  load     puts a server under load: throughput, latency and where lines wait
  compare  says what changed between saved runs, and whether chance explains it

  help COMMAND    print the help of a command, as its --help does
  -h, --help      print this help and exit
  -V, --version   print the version and exit

An ENDPOINT is a host, or tcp://host:port; a command's help has all its forms.

Examples:
  tsecho server                      listen on port ${DEFAULT_PORT}, all interfaces
  tsecho client web                  talk to the server on the host "web"
  tsecho client web < access.log     send a file, print the replies
  tsecho ping web                    a line a second; Ctrl-C for the summary
  tsecho load -R 5000 web            5,000 lines a second by plan, for 10 s
  tsecho compare old.json new.json   two saved runs of load or ping

Exit codes: 0 success, 1 it ran and failed, 2 usage error, 3 a --fail-if
condition held, or could not be decided`;

/** The text that a command line without a command asks for. @throws {UsageError} when it asks for none. */
export async function readWithoutCommand(argv: string[]): Promise<string> {
  const [first = "", ...rest] = argv;
  const expected = `expected a command, ${LIST}; see tsecho --help`;
  if (first === "help") return await helpOn(rest);
  if (first === "version") return VERSION;
  if (!looksLikeOption(first)) throw noCommand(first);
  const parsed = parseArgv(argv, INFO_OPTIONS, "tsecho");
  const [stray] = parsed.positionals;
  if (parsed.has("help") && stray !== undefined && NAMES.includes(stray)) {
    return await helpOn(parsed.positionals);
  }
  if (stray !== undefined) throw new UsageError("use argument", stray, `expected ${LIST} in its place`);
  const text = infoText(parsed, () => HELP);
  if (text === undefined) throw new UsageError("run", first, expected);
  return text;
}

async function helpOn([name, ...more]: string[]): Promise<string> {
  if (name === undefined) return HELP;
  const [stray] = more;
  if (stray !== undefined) throw new UsageError("use argument", stray, "help takes one command");
  const command = COMMANDS[Object.hasOwn(COMMANDS, name) ? name : ""];
  if (command !== undefined) return (await command()).help;
  return await readWithoutCommand(name === "help" || name === "version" ? ["--help"] : [name]);
}

function noCommand(name: string): UsageError {
  const meant = nearest(name, [...NAMES, "help", "version"]);
  const hint = meant === undefined ? `expected ${LIST}; see tsecho --help` : `did you mean ${meant}?`;
  return new UsageError("run", name, `there is no such command, ${hint}`);
}
