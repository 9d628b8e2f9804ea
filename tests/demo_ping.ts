/**
 * Shows what ping tells of two servers behind a balancer (haproxy), one of which has a wrong clock (faketime) and is
 * slow on the way back. Run it with `deno task demo-ping`; the README shows what it prints.
 */
import { lacking } from "./harness.ts";
import { eventually, Folder, Running, ServerProcess, TSECHO } from "./helpers.ts";
import { DelayingRelay, faketime } from "./peers.ts";

const missing = lacking(["haproxy", "faketime"]);
if (missing.length > 0) {
  console.error(`the demo of ping needs ${missing.join(" and ")}`);
  Deno.exit(1);
}

await using good = await ServerProcess.start(["--tag", "web-1"]);
await using bad = await ServerProcess.start(["--tag", "web-2"], faketime(-1.5));
// Nothing on the way there; 20 ms and sometimes much more on the way back.
await using slow = new DelayingRelay(bad.port, { up: () => 0, down: () => 5 - 15 * Math.log(Math.random()) });
await using folder = await Folder.make();
const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const { port } = free.addr;
free.close();
await Deno.writeTextFile(
  folder.file("haproxy.cfg"),
  `defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen web
  bind 127.0.0.1:${port}
  balance roundrobin
  server one 127.0.0.1:${good.port}
  server two 127.0.0.1:${slow.port}
`,
);
await using _balancer = new Running(["haproxy", "-db", "-f", folder.file("haproxy.cfg")]);
await eventually(
  () => Deno.connect({ port }).then((conn) => conn.close()).then(() => true, () => false),
  "haproxy",
);

const options = ["--reconnect", "-c", "200", "-i", "0.05", "-q", "--fail-if", "abs(offset)>100ms"];
const typed = options.map((it) => it.includes(">") ? `'${it}'` : it).join(" ");
console.log(`$ tsecho ping 127.0.0.1:${port} ${typed}`);
const { code } = await new Deno.Command("sh", {
  args: ["-c", '"$@" 2>&1', "sh", ...TSECHO, "ping", `127.0.0.1:${port}`, ...options],
  env: { NO_COLOR: "1" },
}).spawn().status;
console.log(`$ echo $?\n${code}`);
