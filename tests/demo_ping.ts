/**
 * Shows what ping tells of two servers behind a balancer (haproxy), one of which has a wrong clock (faketime) and is
 * slow on the way back. Run it with `deno task demo-ping`; the README shows what it prints.
 */
import { BALANCED_PAIR_NEEDS, BalancedPair } from "./balanced_pair.ts";
import { lacking } from "./harness.ts";
import { TSECHO } from "./helpers.ts";

const missing = lacking(BALANCED_PAIR_NEEDS);
if (missing.length > 0) {
  console.error(`the demo of ping needs ${missing.join(" and ")}`);
  Deno.exit(1);
}

await using pair = await BalancedPair.start();
const options = ["-q", "--reconnect", "-c", "200", "-i", "0.05", "--fail-if", "abs(offset)>100ms"];
const typed = options.map((it) => it.includes(">") ? `'${it}'` : it).join(" ");
console.log(`$ tsecho ping ${typed} 127.0.0.1:${pair.port}`);
const { code } = await new Deno.Command("sh", {
  args: ["-c", '"$@" 2>&1', "sh", ...TSECHO, "ping", ...options, `127.0.0.1:${pair.port}`],
  env: { NO_COLOR: "1" },
}).spawn().status;
console.log(`$ echo $?\n${code}`);
