/** What each signal does to a command, by its order and its moment. */
import { assertEquals } from "@std/assert";
import { stepsOf } from "../commands/command.ts";
import { signalsOf } from "../commands/signals.ts";
import { test } from "./harness.ts";

/** A process that is told of signals by hand, a second after each other. */
class SignalledByHand {
  readonly isWindows = false;
  exits = 0;
  #now = 0;
  readonly #listeners = new Map<string, () => void>();

  readonly listen = (signal: string, listener: () => void) => void this.#listeners.set(signal, listener);
  readonly exit = () => void this.exits++;
  readonly now = () => this.#now;

  get caught(): string[] {
    return [...this.#listeners.keys()];
  }

  get(signal: string, after = 1000): void {
    this.#now += after;
    this.#listeners.get(signal)!();
  }
}

/** How often each signal in turn has ended the process at once; `stopped` after the first that stops the run. */
function outcomes(signals: [signal: string, after?: number][], again?: () => boolean): (string | number)[] {
  const process = new SignalledByHand();
  const stop = signalsOf(process).stop(true, again);
  return signals.map((it) => {
    process.get(...it);
    return process.exits > 0 ? process.exits : stop.aborted ? "stopped" : "goes on";
  });
}

test("a second signal ends a command at once, unless it comes as soon as one that was sent twice", () => {
  for (const signal of ["SIGINT", "SIGTERM"]) {
    assertEquals(outcomes([[signal], ["SIGINT", 299], ["SIGTERM", 300]]), ["stopped", "stopped", 1]);
  }
});

test("several hangups are one, and another signal after them is a second one", () => {
  assertEquals(outcomes([["SIGHUP"], ["SIGHUP"], ["SIGHUP", 299], ["SIGINT"]]), [
    ...Array(3).fill("stopped"),
    1,
  ]);
  assertEquals(outcomes([["SIGHUP"], ["SIGTERM", 10], ["SIGTERM"]]), ["stopped", "stopped", 1]);
  assertEquals(outcomes([["SIGINT"], ["SIGHUP"], ["SIGINT"]]), ["stopped", "stopped", 1]);
  const process = new SignalledByHand();
  signalsOf(process).stop();
  assertEquals(process.caught, ["SIGINT", "SIGTERM"]);
});

test("each further signal ends what there is to end, once, and the process when there is nothing", () => {
  const signals: [string][] = [["SIGINT"], ["SIGINT"], ["SIGINT"]];
  assertEquals(outcomes(signals, () => false), ["stopped", 1, 2]);
  const process = new SignalledByHand();
  const { stop, onAgain } = stepsOf(signalsOf(process));
  const ended: string[] = [];
  onAgain(() => ended.push("run") > 0);
  process.get("SIGINT");
  assertEquals([stop.aborted, ended], [true, []]);
  process.get("SIGINT");
  onAgain(() => ended.push("files") > 0);
  process.get("SIGTERM");
  assertEquals([process.exits, ended], [0, ["run", "files"]]);
  process.get("SIGINT");
  assertEquals([process.exits, ended], [1, ["run", "files"]]);
});
