// Stamping line echo with Node's `net`; runs unchanged under Deno.
//
//   node node_net.mjs PORT        deno run --allow-net node_net.mjs PORT        (0 picks a port)
import { createServer } from "node:net";
import process from "node:process";

const MAX_LINE = 65536;

let knownSecond = -1;
let prefixToSecond = "";

/** `[` stamp `] ` of now, in microseconds; `Date` alone would end at milliseconds. */
function stampPrefix() {
  const now = performance.timeOrigin + performance.now();
  const second = Math.floor(now / 1000);
  if (second !== knownSecond) {
    knownSecond = second;
    prefixToSecond = "[" + new Date(second * 1000).toISOString().slice(0, 20);
  }
  const microseconds = Math.floor((now - second * 1000) * 1000);
  return prefixToSecond + String(microseconds).padStart(6, "0") + "Z] ";
}

const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
  let rest = ""; // of a line whose LF has not arrived
  const write = (text) => {
    if (socket.write(text, "latin1")) return;
    socket.pause();
    socket.once("drain", () => socket.resume());
  };
  socket.setEncoding("latin1"); // a character per byte: every byte comes back as it was
  socket.on("data", (chunk) => {
    const end = chunk.lastIndexOf("\n");
    if (end === -1) {
      rest += chunk;
    } else {
      const prefix = stampPrefix();
      const lines = rest + chunk.slice(0, end);
      write(prefix + lines.replaceAll("\n", "\n" + prefix) + "\n");
      rest = chunk.slice(end + 1);
    }
    if (rest.length > MAX_LINE) socket.end("error: line too long\n");
  });
  socket.on("end", () => socket.end(rest && stampPrefix() + rest + "\n", "latin1"));
  socket.on("error", () => socket.destroy()); // a reset concerns nobody else
});

server.listen({ host: "127.0.0.1", port: Number(process.argv[2] ?? 0), backlog: 4096 }, () => {
  console.log(`listening on tcp://127.0.0.1:${server.address().port}`);
});
