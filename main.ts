import { parseCommandLine } from "./cli/commands.ts";
import { UsageError } from "./cli/args.ts";
import { Log } from "./cli/log.ts";
import { cannot, Failure, standardIo } from "./cli/text.ts";
import { runClient } from "./client.ts";
import type { PingOutcome } from "./ping.ts";
import config from "./deno.json" with { type: "json" };
import { writeAll } from "./net/stream.ts";
import { runServer } from "./server.ts";

const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_BROKEN = 3;

const EXIT_OF: Record<PingOutcome, number> = {
  "replies": EXIT_OK,
  "no replies": EXIT_FAILED,
  "broken": EXIT_BROKEN,
};

/** How long the last lines of the log may take when nobody reads them. */
const LOG_FLUSH_MS = 1000;

/**
 * The first SIGINT or SIGTERM aborts the signal; the second ends the process at once. It must be called before
 * anything is opened: registering the first listener without free descriptors crashes the process.
 *
 * @param hangup whether SIGHUP aborts it too, however often: when a terminal goes, several may come. Not for a server,
 * which may have been started to outlive its terminal.
 */
function stopSignal(hangup = false): AbortSignal {
  const stop = new AbortController();
  const onSignal = () => {
    if (stop.signal.aborted) Deno.exit(EXIT_FAILED);
    stop.abort();
  };
  Deno.addSignalListener("SIGINT", onSignal);
  Deno.addSignalListener(Deno.build.os === "windows" ? "SIGBREAK" : "SIGTERM", onSignal);
  if (hangup && Deno.build.os !== "windows") Deno.addSignalListener("SIGHUP", () => stop.abort());
  return stop.signal;
}

/** Calls `tell` when the user asks how it goes (Ctrl-\\), as ping(8) does. Windows has no such signal. */
function onQuit(tell: () => void): void {
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGQUIT", tell);
}

/** Calls `reload` on SIGHUP, by which servers are asked to read their files again. Windows' means another thing. */
function onHangup(reload: () => void): void {
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGHUP", reload);
}

async function print(text: string): Promise<void> {
  await standardIo("write", "standard output", writeAll(Deno.stdout, new TextEncoder().encode(`${text}\n`)));
}

async function run(argv: string[]): Promise<number> {
  const invocation = parseCommandLine(argv);
  switch (invocation.command) {
    case "help":
      await print(invocation.text);
      return EXIT_OK;
    case "version":
      await print(`tsecho ${config.version} (deno ${Deno.version.deno}, ${Deno.build.target})`);
      return EXIT_OK;
    case "server": {
      const stop = stopSignal();
      const log = new Log(invocation.log);
      // A script may read the first line and close: the server serves on.
      const announce = (endpoint: string) => void print(`listening on ${endpoint}`).catch(() => {});
      try {
        return await runServer(invocation.options, announce, log, stop, onHangup) ? EXIT_OK : EXIT_FAILED;
      } finally {
        await log.flush(LOG_FLUSH_MS);
      }
    }
    case "client":
      await runClient(invocation.options, stopSignal());
      return EXIT_OK;
    // Loaded when used, as its histogram takes longer to load than all of the rest.
    case "ping": {
      const stop = stopSignal(true); // what was measured is told and saved
      const { runPing } = await import("./ping.ts");
      return EXIT_OF[await runPing(invocation.options, stop, onQuit)];
    }
    case "replay": {
      const { replayPing } = await import("./ping.ts");
      return EXIT_OF[await replayPing(invocation.options)];
    }
  }
}

/** The exit code for what was thrown, after telling it on stderr in one line. */
async function report(error: unknown): Promise<number> {
  if (error instanceof Deno.errors.BrokenPipe) return EXIT_OK; // stdout's reader has seen enough (`| head`)
  const known = error instanceof UsageError || error instanceof Failure;
  const message = known ? error.message : cannot("go on", String(error), "this is a bug in tsecho");
  try {
    await writeAll(Deno.stderr, new TextEncoder().encode(`tsecho: ${message}\n`));
  } catch {
    // stderr is closed: the exit code alone has to tell.
  }
  return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
}

if (import.meta.main) Deno.exit(await run(Deno.args).catch(report));
