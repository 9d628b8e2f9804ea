/** `tsecho client`: its options. */
import { type Parsed, UsageError } from "../cli/parser.ts";
import { formatTime, parseChoice, parseText, parseTime } from "../cli/values.ts";
import { CLIENT_DEFAULTS, type ClientOptions, runClient } from "../client.ts";
import { DEFAULT_PORT } from "../net/endpoint.ts";
import { STREAM_TRANSPORTS, transportOf } from "../net/transports.ts";
import { type Framing, FRAMINGS } from "../protocol.ts";
import { Command, INFO_OPTIONS, type Outcome, type Signals } from "./command.ts";
import { DIAL_OPTIONS, DIAL_TLS_OPTIONS, readDial, warnIfInsecure } from "./dial.ts";
import { type TransportOptionTable, UDP_RATE } from "./endpoints.ts";

const OPTIONS = {
  ...DIAL_OPTIONS,
  message: {
    group: "Conversation",
    short: "m",
    value: "TEXT",
    read: parseText,
    repeat: true,
    help: "send this line, print the reply and exit; may repeat",
  },
  framing: {
    group: "Conversation",
    value: "line|chunk",
    read: (text) => parseChoice(text, FRAMINGS),
    help: "how the server tells messages apart: by LF, or by what each of its reads delivers",
    default: CLIENT_DEFAULTS.framing,
  },
  timeout: {
    group: "Conversation",
    value: "TIME",
    read: parseTime,
    help: "longest wait for a reply; 0 = no limit",
    default: formatTime(CLIENT_DEFAULTS.timeout),
  },
  "no-verify": {
    group: "Conversation",
    transports: STREAM_TRANSPORTS,
    help: "accept any reply, not only the line that was sent, with or without a stamp",
  },
  ...DIAL_TLS_OPTIONS,
  "udp-rate": {
    ...UDP_RATE,
    help: "most lines a second that a filter sends as datagrams; 0 = no limit",
    default: CLIENT_DEFAULTS.udpRate,
  },
  ...INFO_OPTIONS,
} as const satisfies TransportOptionTable;

const ABOUT = `\
On a terminal it prompts "> ", sends the line and prints the reply; an empty line, Ctrl-D or Ctrl-C ends it. \
With stdin piped it is a filter: it sends all lines without waiting for each reply, prints replies as they come, and \
exits with 0 only if every line was answered. Over UDP a line is a datagram, and lost if not answered within --timeout.`;

const EXAMPLES: [string, string][] = [
  ["tsecho client", `a prompt, to localhost:${DEFAULT_PORT}`],
  ["tsecho client web:7007 -m hello", "one line, one reply"],
  ["seq 1000 | tsecho client -4 web", "a thousand lines over IPv4"],
  ["tsecho client udp://web -m hello", "one datagram, one reply"],
  ["tsecho client tls://web:21568 --ca ca.pem", ""],
  ["tsecho client unix:/run/tsecho.sock", ""],
  ["tsecho client --framing chunk old", "to a classic Python server"],
];

function read(parsed: Parsed<typeof OPTIONS>): ClientOptions {
  const { dial, own } = readDial("the client", parsed, OPTIONS, parsed.values());
  const { message: messages = [], noVerify = false, ...given } = own;
  const options = { ...dial, ...CLIENT_DEFAULTS, ...given, verify: !noVerify, messages };
  if (options.framing === "chunk" && transportOf(dial.endpoint).kind === "datagram") {
    throw new UsageError("use --framing", options.framing, "over UDP a datagram is a message");
  }
  if (messages.length > 0 && given.udpRate !== undefined) {
    throw new UsageError("use option", "--udp-rate", "it is for lines from stdin, and --message is given");
  }
  for (const message of messages) checkMessage(message, options.framing);
  return options;
}

/** @throws {UsageError} for a text that is not one message in this framing. */
function checkMessage(message: string, framing: Framing): void {
  if (framing === "line" && message.includes("\n")) {
    throw new UsageError("use --message", message, "expected one line; repeat the option for more");
  }
  if (framing === "chunk" && message === "") {
    throw new UsageError("use --message", message, "in chunk framing an empty message cannot be sent");
  }
}

async function run(options: ClientOptions, signals: Signals): Promise<Outcome> {
  const stop = signals.stop();
  await warnIfInsecure(options);
  await runClient(options, stop);
  return "succeeded";
}

export const client = new Command({
  name: "client",
  usage: ["[ENDPOINT] [options]"],
  about: ABOUT,
  table: OPTIONS,
  examples: EXAMPLES,
  read,
  run,
});
