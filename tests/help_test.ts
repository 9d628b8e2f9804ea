/** Help texts, and what the commands' tables promise: each row of each table is held to its own terms. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { defaultText, placeholdersIn, wrap } from "../cli/help.ts";
import { type OptionTable, UsageError } from "../cli/parser.ts";
import { client } from "../commands/client.ts";
import { compare } from "../commands/compare.ts";
import type { TransportOption, TransportOptionTable } from "../commands/endpoints.ts";
import { load } from "../commands/load.ts";
import { ping } from "../commands/ping.ts";
import { server } from "../commands/server.ts";
import { readWithoutCommand } from "../commands/tsecho.ts";
import { test } from "./harness.ts";

const COMMANDS = { server, client, ping, load, compare };

/** Reads what is typed after the program's name. */
async function read(argv: string[]): Promise<{ text: string } | { options: unknown }> {
  const [name = "", ...rest] = argv;
  return name in COMMANDS
    ? COMMANDS[name as keyof typeof COMMANDS].read(rest)
    : { text: await readWithoutCommand(argv) };
}

/** The text that a command line asks for. */
async function textOf(argv: string): Promise<string> {
  const request = await read(argv.split(" "));
  assert("text" in request, argv);
  return request.text;
}

/** A text without its line breaks. */
function flat(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}

/** The rows of a command's table. */
function rowsOf(name: keyof typeof COMMANDS): [string, TransportOption][] {
  const table: OptionTable & TransportOptionTable = COMMANDS[name].definition.table;
  return Object.entries(table);
}

const NAMES = Object.keys(COMMANDS) as (keyof typeof COMMANDS)[];

test("help and version work everywhere, in every place, and as commands of their own", async () => {
  for (const argv of ["--help", "-h", "server --help", "server -qh", "client :7 --help", "client a b c -h"]) {
    assertStringIncludes(await textOf(argv), "usage: tsecho", argv);
  }
  for (
    const argv of ["--version", "-V", "version", "server --version", "client -V", "ping -c x -V", "ping -qV"]
  ) {
    assertStringIncludes(await textOf(argv), "tsecho 0.", argv);
  }
  for (const name of NAMES) {
    for (const argv of [`help ${name}`, `--help ${name}`, `-h ${name}`]) {
      assertEquals(await textOf(argv), await textOf(`${name} --help`), argv);
    }
  }
  for (const argv of ["help", "help help", "help version"]) {
    assertEquals(await textOf(argv), await textOf("--help"), argv);
  }
});

test("the help of load says from when on a second Ctrl-C counts", async () => {
  assertStringIncludes(flat(await textOf("load --help")), "a second one, at least 0.3 s later, ends at once");
});

test("every help text fits into 80 columns, and its groups stand in order", async () => {
  for (const argv of ["help", ...NAMES.map((it) => `help ${it}`)]) {
    for (const line of (await textOf(argv)).split("\n")) assert(line.length <= 80, line);
  }
  const groups = [...(await textOf("help server")).matchAll(/^([A-Z]\w+):$/gm)].map(([, group]) => group);
  assertEquals(
    groups,
    ["Endpoints", "Replies", "Limits", "Access", "TLS", "UDP", "Log", "Help", "Values", "Examples"],
  );
});

test("a row is shown in its command's help, with its default", async () => {
  for (const name of NAMES) {
    const help = await textOf(`help ${name}`);
    const letters = rowsOf(name).flatMap(([, { short }]) => short ?? []);
    assertEquals(new Set(letters).size, letters.length, `two options of ${name} have one letter`);
    for (const [option, { short, value, help: says, default: otherwise }] of rowsOf(name)) {
      const forms = `${short === undefined ? "" : `-${short}, `}--${option}${value ? ` ${value}` : ""}`;
      const text = otherwise === undefined ? says : `${says} (default ${defaultText(otherwise)})`;
      assertStringIncludes(flat(help), flat(`${forms} ${text}`));
    }
  }
});

test("every placeholder is explained in the help that names it", () => {
  for (const name of NAMES) {
    const { usage, table } = COMMANDS[name].definition;
    const placeholders = placeholdersIn(usage, table);
    assert(name === "compare" || (placeholders.includes("ENDPOINT") && placeholders.includes("TIME")));
    const [, values] = COMMANDS[name].help.split("\nValues:\n");
    for (const it of placeholders) {
      assert(new RegExp(`^  ${it} +\\S`, "m").test(values!), `${name} --help leaves ${it} unexplained`);
    }
  }
});

test("a row's value is needed or refused, its reader takes its default, and its transports are asked for", () => {
  for (const name of NAMES) {
    const read = (argv: string[]): unknown => COMMANDS[name].read(argv);
    const error = (argv: string[]) => assertThrows(() => read(argv), UsageError).message;
    for (const [option, { value, read: reader, transports, default: otherwise }] of rowsOf(name)) {
      assertEquals(reader === undefined, value === undefined, `${name} --${option}: a value needs a reader`);
      if (value === undefined) {
        assertStringIncludes(error([`--${option}=x`]), `--${option} takes no value`);
      } else {
        assertStringIncludes(error([`--${option}`]), `it needs a value, ${value}`);
      }
      if (otherwise !== undefined) {
        const endpoint = transports?.includes("tcp") === false ? exampleOf(transports[0]!) : [];
        const rest = name === "ping" && option === "udp-rate" ? [...endpoint, "-i0"] : endpoint;
        assertEquals(read([...rest, `--${option}=${otherwise}`]), read(rest), `${name} --${option}`);
      }
      if (transports === undefined) continue;
      const other = ["tcp://h", "udp://h", "unix:/s"].find((it) => !transports.includes(it.split(":")[0]!))!;
      const given = value === undefined ? `--${option}` : `--${option}=${otherwise ?? exampleFor(reader!)}`;
      assertStringIncludes(error([other, given]), `"--${option}": it is for ${transports[0]}`);
    }
  }
});

/** A value that a reader takes. */
function exampleFor(reader: (text: string) => unknown): string | undefined {
  return ["1", "10.0.0.1", "v1"].find((text) => {
    try {
      reader(text);
      return true;
    } catch {
      return false;
    }
  });
}

/** An endpoint of a transport, with what the server needs for it. */
function exampleOf(transport: string): string[] {
  if (transport === "unix") return ["unix:/s"];
  return [`${transport}://h`, ...(transport === "tls" ? ["--cert=c"] : [])];
}

test("every example of a help text is a command line that is understood", async () => {
  for (const name of NAMES) {
    const { examples } = COMMANDS[name].definition;
    assert(examples.length > 3);
    for (const [command] of examples) {
      const [, argv] = /(?:^|\| )tsecho (.*?)(?: <.*)?$/.exec(command)!;
      const words = argv!.split(" ").map((word) => word.replace(/^'(.*)'$/, "$1"));
      assert("options" in await read(words), command);
    }
  }
});

test("a text is broken at its blanks, and a word too long for a line has one to itself", () => {
  assertEquals(wrap("one two\n  three", 7), ["one two", "three"]);
  assertEquals(wrap("a looooooong b", 5), ["a", "looooooong", "b"]);
  assertEquals(wrap("", 5), [""]);
});
