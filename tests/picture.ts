/**
 * Draws docs/ping.svg from a real run: `deno task picture`. The server's clock is wrong (faketime) and its replies are
 * late. The run has a network and a hosts file of its own (unshare, ip), so that it can be typed as it would be elsewhere.
 */
import { lacking } from "./harness.ts";
import { ROOT, ServerProcess, TSECHO } from "./helpers.ts";
import { DelayingRelay, faketime } from "./peers.ts";
import { drawTerminal } from "./terminal_picture.ts";

const COMMAND = ["ping", "-q", "-c", "200", "-i", "0.05", "web"];
const PORT = 21567;
const INSIDE = "inside the namespace";

const missing = lacking(["faketime", "ip", "unshare"]);
if (missing.length > 0) {
  console.error(`the picture needs ${missing.join(" and ")}`);
  Deno.exit(1);
}

if (Deno.args[0] !== INSIDE) {
  const enter = 'ip link set lo up; f=$(mktemp); echo "127.0.0.1 localhost web" > $f; ' +
    'mount --bind $f /etc/hosts; rm $f; exec "$0" "$@"';
  const again = [Deno.execPath(), "run", "--no-prompt", "--allow-all", import.meta.filename!, INSIDE];
  const args = ["--map-root-user", "--mount", "--net", "sh", "-c", enter, ...again];
  Deno.exit((await new Deno.Command("unshare", { args }).spawn().status).code);
}

await using server = await ServerProcess.start([], faketime(-1.5));
// Nothing on the way there; 5 ms and often more on the way back.
await using _relay = new DelayingRelay(server.port, {
  up: () => 0,
  down: () => 5 - 15 * Math.log(Math.random()),
}, PORT);

const [program, ...args] = TSECHO;
const { stdout } = await new Deno.Command(program!, { args: [...args, ...COMMAND], stderr: "inherit" })
  .output();
const text = `$ tsecho ${COMMAND.join(" ")}\n${new TextDecoder().decode(stdout)}`;
console.log(text);
const picture = drawTerminal({
  title: "tsecho ping",
  text,
  marked: /^clock offset|^upstream|^downstream|has the delay|delay is /,
});
await Deno.writeTextFile(`${ROOT}docs/ping.svg`, picture);
