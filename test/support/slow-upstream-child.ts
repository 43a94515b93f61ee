/**
 * An upstream in a process of its own: answers everything with its name, `?ms=` later when asked to. Prints its port as
 * JSON and ends when its standard input does.
 */
import { createServer } from "node:http";

const name = process.argv[2] ?? "upstream";
const server = createServer((request, response) => {
  request.resume();
  const ms = Number(new URL(request.url ?? "/", "http://upstream").searchParams.get("ms") ?? 0);
  const answer = () => {
    response.writeHead(200, { "content-type": "text/plain", "content-length": name.length, "x-side": name });
    response.end(name);
  };
  if (ms > 0) setTimeout(answer, ms);
  else answer();
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => process.stdout.write(`${JSON.stringify(server.address())}\n`));
process.stdin.resume().on("end", () => process.exit(0));
